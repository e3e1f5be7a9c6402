"""What was decoded ahead is used only while the call stays the same: prompts, conditions, adapters, processors, row by row."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPAGPipeline
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from peft import LoraConfig

from fcr_core import EncoderCache
from fcr_core.caching.batched_call import can_tile, rows_are_independent, tile_call
from fcr_core.caching.call_state import Switches

from ..held_features import HeldFeatures, every
from ..unets import IMAGE, image_unet, text
from .test_cached_pipelines import PROMPT, components, plain, sample, xl

OPTIONS = [{}, {"cut": 1}, {"max_parallel": 2}]
OTHER = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(99))


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).norm() / b.norm() < 1e-5)


def after(steps, change):
    """Arguments of a call in which `change(pipe, tensors)` runs after these steps."""

    def callback(pipe, step, t, tensors):
        if step in steps:
            change(pipe, tensors)
        return tensors

    return {"callback_on_step_end": callback, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}


def agrees(pipe, call, options, stride=4):
    """The cache equals hooks that hold the features, and the change has an effect."""
    with HeldFeatures(pipe, every(stride), options.get("cut", 0)):
        expected = sample(pipe, call)
    with EncoderCache(pipe, stride=stride, **options):
        assert close(sample(pipe, call), expected)
    return expected


def new_prompt(pipe, tensors):
    tensors["prompt_embeds"] = torch.cat([tensors["prompt_embeds"][:1], OTHER])


def prompt_in_place(pipe, tensors):
    tensors["prompt_embeds"][1:] += 1


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("change", [new_prompt, prompt_in_place])
@pytest.mark.parametrize("steps", [{1}, {3}, {5}, range(8)], ids=["in a group", "before a key step", "in the last", "every step"])
def test_a_prompt_may_change_at_any_step(steps, change, options):
    pipe, call = plain()
    call |= {"num_inference_steps": 8, "prompt_embeds": call["prompt_embeds"].clone()}
    changed = agrees(pipe, call | after(steps, change), options)
    assert not close(changed, sample(pipe, call))


def test_with_few_decoders_a_changed_prompt_is_decoded_at_once():
    """The prediction that was held, or the line to one decoded ahead, is of the old prompt."""
    pipe, call = plain()
    for options in ({"nodes": 1}, {"nodes": 2}):
        seen = []
        handle = pipe.unet.register_forward_hook(lambda *args, seen=seen: seen.append(args[-1][0].clone()))
        with EncoderCache(pipe, stride=8, **options):
            sample(pipe, call)
            before = seen[3]
            sample(pipe, call | after({2}, new_prompt))
        handle.remove()
        assert not close(seen[8 + 3], before) and not torch.equal(seen[8 + 3], seen[8 + 4])


def test_equal_tensors_made_anew_at_each_step_are_decoded_ahead():
    pipe = SimpleNamespace(unet=image_unet().eval(), scheduler=DDIMScheduler())
    pipe.scheduler.set_timesteps(8)
    with torch.no_grad(), EncoderCache(pipe, stride=8) as cache:
        for t in pipe.scheduler.timesteps:
            pipe.unet(torch.zeros(2, 4, 8, 8), t, text(2))
    assert cache.stats.decoder_passes == 8


def test_a_prompt_that_changes_at_every_step_is_decoded_once_a_step_after_two():
    pipe = SimpleNamespace(unet=image_unet().eval(), scheduler=DDIMScheduler())
    pipe.scheduler.set_timesteps(12)
    with torch.no_grad(), EncoderCache(pipe, stride=12) as cache:
        for i, t in enumerate(pipe.scheduler.timesteps):
            pipe.unet(torch.zeros(2, 4, 8, 8), t, text(2) * i)
    assert cache.stats.decoder_passes < 12 + 2 * 12


def lora(scale):
    torch.manual_seed(0)
    unet = image_unet()
    unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "conv1", "conv_out"]), "a")
    unet.set_adapters(["a"], [scale])
    return components(type(plain()[0]), unet)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    "change",
    [
        lambda pipe, tensors: pipe.unet.set_adapters(["a"], [0.1]),
        lambda pipe, tensors: pipe.unet.disable_adapters(),
        lambda pipe, tensors: pipe.unet.fuse_lora(lora_scale=2.0),
    ],
    ids=["weight", "off", "fused"],
)
def test_an_adapter_may_change_its_strength(change, options):
    expected = [agrees_once(lora(1.0), plain()[1] | after({1}, change), options, hooks) for hooks in (True, False)]
    assert close(*expected)
    assert not close(expected[0], agrees_once(lora(1.0), plain()[1], options, True))


def agrees_once(pipe, call, options, hooks):
    """One side alone, for changes that stay in the UNet."""
    with HeldFeatures(pipe, every(4), options.get("cut", 0)) if hooks else EncoderCache(pipe, stride=4, **options):
        return sample(pipe, call)


def test_freeu_may_be_switched_on_inside_a_group():
    """It changes what the block at the cut makes of its input, of which the head was kept: so that step is a key step."""

    def on(pipe, tensors):
        pipe.unet.enable_freeu(0.9, 0.2, 1.5, 1.6)

    pipe, call = plain()
    for index, block in enumerate(pipe.unet.up_blocks):
        block.resolution_idx = index
    call |= after({1}, on)
    with HeldFeatures(pipe, {0, 2, 4}.__contains__):
        expected = sample(pipe, call)
    pipe.unet.disable_freeu()
    with EncoderCache(pipe, stride=4):
        assert close(sample(pipe, call), expected)


class Mixing:
    """Attention that takes the batch apart: the second half attends with the mean of both."""

    def __call__(self, attn, hidden_states, *args, **kwargs):
        first, second = hidden_states.chunk(2)
        return AttnProcessor()(attn, torch.cat([first, (first + second) / 2]), *args, **kwargs)


def test_processors_that_take_the_batch_apart_see_one_step_a_launch():
    pipe, call = plain()
    pipe.unet.set_attn_processor(Mixing())
    agrees(pipe, call, {})
    assert not rows_are_independent(Switches(pipe.unet))
    pipe.unet.set_attn_processor(AttnProcessor2_0())
    assert rows_are_independent(Switches(pipe.unet))


def test_a_processor_may_be_exchanged_inside_a_group():
    def mixing(pipe, tensors):
        pipe.unet.set_attn_processor(Mixing())

    pipe, call = plain()
    expected = agrees_once(pipe, call | after({1}, mixing), {}, hooks=True)
    pipe.unet.set_attn_processor(AttnProcessor2_0())
    assert close(agrees_once(pipe, call | after({1}, mixing), {}, hooks=False), expected)


@pytest.mark.parametrize("guidance", [3.0, 1.0], ids=["guided", "unguided"])
def test_perturbed_attention_guidance(guidance):
    unet = image_unet()
    pipe = components(StableDiffusionPAGPipeline, unet, image_encoder=None, pag_applied_layers=["up"])
    call = PROMPT | {"height": 16, "width": 16, "pag_scale": 2.0, "guidance_scale": guidance}
    changed = agrees(pipe, call, {})
    assert not close(changed, sample(pipe, call | {"pag_scale": 0.0}))


def test_hooks_of_users_on_the_decoder_see_one_step_a_launch():
    pipe, call = plain()
    rows = []
    pipe.unet.up_blocks[1].register_forward_hook(lambda module, args, output: rows.append(len(output)))
    with EncoderCache(pipe, stride=4):
        sample(pipe, call)
    assert set(rows) == {2}


def test_added_conditions_may_change():
    pipe, call = xl()

    def callback(pipe, step, t, tensors):
        if step == 1:
            tensors["add_text_embeds"] = tensors["add_text_embeds"] + 1
        return tensors

    agrees(pipe, call | {"callback_on_step_end": callback, "callback_on_step_end_tensor_inputs": ["add_text_embeds"]}, {})


def image_adapter(unet, seed):
    """Weights of an IP-Adapter in the official layout: four tokens of an embedding of 6 numbers."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    cross = [name for name in unet.attn_processors if not name.endswith("attn1.processor")]
    for i, name in enumerate(cross):
        width = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
        state |= {f"{2 * i + 1}.to_{k}_ip.weight": torch.randn(width, 8, generator=generator) for k in "kv"}
    projection = {"proj.weight": torch.randn(4 * 8, 6, generator=generator), "proj.bias": torch.zeros(4 * 8)}
    projection |= {"norm.weight": torch.ones(8), "norm.bias": torch.zeros(8)}
    return {"image_proj": projection, "ip_adapter": state}


def with_images(adapters):
    torch.manual_seed(0)
    unet = image_unet()
    unet._load_ip_adapter_weights([image_adapter(unet, i) for i in range(adapters)], low_cpu_mem_usage=False)
    return components(type(plain()[0]), unet)


HALF = torch.zeros(1, 1, 16, 16)
HALF[..., :8] = 1


def embeddings(count, guided=True):
    return torch.randn(2 if guided else 1, count, 6, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize(
    ("adapters", "images", "masks"),
    [
        (1, 1, None),
        (1, 1, HALF),
        (2, 1, torch.cat([HALF, 1 - HALF])),
        (2, 1, [HALF, 1 - HALF]),
        (1, 2, [torch.cat([HALF, 1 - HALF], 1)]),
    ],
)
@pytest.mark.parametrize("guided", [True, False])
def test_masks_of_image_adapters_belong_to_no_sample(adapters, images, masks, guided):
    pipe = with_images(adapters)
    call = plain()[1] | {
        "ip_adapter_image_embeds": [embeddings(images, guided)] * adapters,
        "guidance_scale": 3.0 if guided else 1.0,
    }
    call |= {} if masks is None else {"cross_attention_kwargs": {"ip_adapter_masks": masks}}
    for options in OPTIONS:
        agrees(pipe, call, options)


def test_the_strength_of_an_image_adapter_may_change():
    def weaker(pipe, tensors):
        pipe.set_ip_adapter_scale(0.1)

    call = plain()[1] | {"ip_adapter_image_embeds": [embeddings(1)]} | after({1}, weaker)
    assert close(*(agrees_once(with_images(1), call, {}, hooks) for hooks in (True, False)))


def test_rows_are_repeated_by_the_name_of_an_argument_not_by_its_length():
    sample_, cond = torch.zeros(2, 4, 8, 8), torch.arange(2.0)[:, None]
    masks = torch.ones(2, 1, 8, 8)  # of two adapters, with two samples
    call = {
        "sample": sample_, "timestep": 1, "encoder_hidden_states": text(2), "timestep_cond": cond, "class_labels": torch.zeros(1),
        "cross_attention_kwargs": {"ip_adapter_masks": masks, "scale": 0.5, "gligen": {"boxes": torch.ones(2, 3, 4)}},
        "mid_block_additional_residual": torch.zeros(9),
    }  # fmt: skip
    assert can_tile(call)
    tiled = tile_call(call, torch.tensor([7, 5, 3]))
    assert tiled["sample"].shape == (6, 4, 8, 8) and tiled["timestep"].tolist() == [7, 7, 5, 5, 3, 3]
    assert tiled["timestep_cond"][:, 0].tolist() == [0, 1] * 3 and len(tiled["class_labels"]) == 1
    attention = tiled["cross_attention_kwargs"]
    assert attention["ip_adapter_masks"] is masks and attention["scale"] == 0.5 and len(attention["gligen"]["boxes"]) == 6
    assert "mid_block_additional_residual" not in tiled and len(call["cross_attention_kwargs"]["gligen"]["boxes"]) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"cross_attention_kwargs": {"region_masks": torch.ones(2, 3)}},
        {"added_cond_kwargs": {"image_embeds": [torch.ones(6, 3)]}},
        {"class_labels": torch.zeros(3)},
        {"something_new": torch.zeros(2)},
    ],
)
def test_a_tensor_of_unknown_meaning_is_decoded_one_step_a_launch(more):
    assert not can_tile({"sample": torch.zeros(2, 4, 8, 8), "timestep": 1, "encoder_hidden_states": text(2)} | more)


def test_class_labels_and_a_condition_on_time_belong_to_a_sample():
    torch.manual_seed(0)
    pipe = SimpleNamespace(unet=image_unet_with(num_class_embeds=10, time_cond_proj_dim=8), scheduler=DDIMScheduler())
    pipe.scheduler.set_timesteps(8)
    call = {"encoder_hidden_states": text(2), "class_labels": torch.tensor([1, 7]), "timestep_cond": torch.randn(2, 8)}

    def predictions():
        return torch.stack([pipe.unet(torch.ones(2, 4, 8, 8), t, **call).sample for t in pipe.scheduler.timesteps])

    with torch.no_grad():
        with HeldFeatures(pipe, every(4)):
            expected = predictions()
        with EncoderCache(pipe, stride=4):
            assert close(predictions(), expected)


def image_unet_with(**more):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(**IMAGE | more).eval()


def test_the_size_of_the_sample_may_change_at_a_key_step_only():
    pipe = SimpleNamespace(unet=image_unet().eval(), scheduler=DDIMScheduler())
    pipe.scheduler.set_timesteps(8)
    times = pipe.scheduler.timesteps
    with torch.no_grad(), EncoderCache(pipe, stride=4, reuse="linear"):
        for i, t in enumerate(times[:5]):
            pipe.unet(torch.zeros(2, 4, 8, 8 if i < 4 else 16), t, text(2))
        with pytest.raises(ValueError, match=r"changed from \(4, 8, 16\) to \(4, 8, 8\) inside a group"):
            pipe.unet(torch.zeros(2, 4, 8, 8), times[5], text(2))
