"""Leaving the block restores the pipeline whatever happened inside: hooks, adapters, compilation, another UNet."""

import copy
from types import SimpleNamespace

import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_module
from diffusers import DDIMScheduler, UNet2DConditionModel
from peft import LoraConfig, get_peft_model

from fcr_core import EncoderCache

from ..held_features import HeldFeatures, every
from ..unets import IMAGE, image_unet
from .test_cached_pipelines import components, controlnet, plain, sample

LORA = LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "conv1", "conv_in", "conv_out"])


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).norm() / b.norm() < 1e-5)


def hooked_before(pipe, inside):
    add_hook_to_module(pipe.unet, ModelHook())
    inside(lambda: None)
    remove_hook_from_module(pipe.unet)


def added_inside(pipe, inside):
    inside(lambda: add_hook_to_module(pipe.unet, ModelHook()))
    remove_hook_from_module(pipe.unet)


def added_inside_and_kept(pipe, inside):
    inside(lambda: add_hook_to_module(pipe.unet, ModelHook()))


def removed_inside(pipe, inside):
    add_hook_to_module(pipe.unet, ModelHook())
    inside(lambda: remove_hook_from_module(pipe.unet))


def added_again_inside(pipe, inside):
    """As `enable_model_cpu_offload` does after each call."""
    add_hook_to_module(pipe.unet, ModelHook())

    def anew():
        remove_hook_from_module(pipe.unet)
        add_hook_to_module(pipe.unet, ModelHook())

    inside(anew)
    remove_hook_from_module(pipe.unet)


@pytest.mark.parametrize("how", [hooked_before, added_inside, added_inside_and_kept, removed_inside, added_again_inside])
@pytest.mark.parametrize("fails", [False, True])
def test_hooks_of_accelerate_may_come_and_go_inside_the_block(how, fails):
    pipe, call = plain()
    plain_output = sample(pipe, call)
    with EncoderCache(pipe, stride=4):
        expected = sample(pipe, call)

    def inside(change):
        try:
            with EncoderCache(pipe, stride=4) as cache:
                assert torch.equal(sample(pipe, call), expected)
                change()
                assert torch.equal(sample(pipe, call), expected)
                assert cache.stats.encoder_passes == 4
                if fails:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        assert torch.equal(sample(pipe, call), plain_output)

    how(pipe, inside)
    assert torch.equal(sample(pipe, call), plain_output)
    assert cached_nowhere(pipe)


def cached_nowhere(pipe):
    """A copy of the UNet can be made, and no attribute of it is the cache's."""
    copy.deepcopy(pipe.unet.state_dict())
    return not any("Patch" in repr(value) for part in (pipe, pipe.unet, pipe.scheduler) for value in vars(part).values())


def test_the_hooks_of_submodules_as_sequential_offloading_makes_them():
    pipe, call = plain()
    with EncoderCache(pipe, stride=4):
        expected = sample(pipe, call)
    for module in pipe.unet.modules():
        if not list(module.children()):
            add_hook_to_module(module, ModelHook())
    with EncoderCache(pipe, stride=4):
        assert torch.equal(sample(pipe, call), expected)


def adapted(unet):
    torch.manual_seed(3)
    unet.add_adapter(LORA, "a")


def loading_after(step):
    return {"callback_on_step_end": lambda pipe, i, t, tensors: (i == step and adapted(pipe.unet)) or tensors}


def test_adapters_may_be_loaded_and_removed_between_two_calls():
    pipe, call = plain()
    before = sample(pipe, call)
    with EncoderCache(pipe, stride=4, cut=1):
        without = sample(pipe, call)
        adapted(pipe.unet)
        loaded = sample(pipe, call)
        pipe.unet.delete_adapters("a")
        assert close(sample(pipe, call), without)
    assert close(sample(pipe, call), before)
    adapted(pipe.unet)
    with HeldFeatures(pipe, every(4), cut=1):
        assert close(sample(pipe, call), loaded)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("made", [plain, controlnet])
def test_the_step_after_an_adapter_was_loaded_inside_a_call_is_a_key_step(made, stride):
    """What was kept is of a UNet without the adapter's modules, in which `conv_out` is another one. ControlNets run there too."""
    pipe, call = made()
    keys = set(range(8)) if stride == 1 else {0, 2, 4}
    with HeldFeatures(pipe, keys.__contains__, cut=1):
        expected = sample(pipe, call | loading_after(1))
    pipe.unet.delete_adapters("a")
    with EncoderCache(pipe, stride=stride, cut=1):
        assert close(sample(pipe, call | loading_after(1)), expected)


def test_an_exchanged_unet_is_followed():
    pipe, call = plain()
    other = image_unet().eval()
    own = pipe.unet
    with EncoderCache(components(type(pipe), other), stride=4) as alone:
        expected = sample(alone.pipe, call)
    with EncoderCache(pipe, stride=4) as cache:
        first = sample(pipe, call)
        pipe.unet = other
        assert torch.equal(sample(pipe, call), expected) and cache.stats.encoder_passes == 4
        pipe.unet = own
        assert torch.equal(sample(pipe, call), first) and cache.stats.encoder_passes == 6
    assert "forward" not in vars(other).keys() | vars(own).keys()
    cache = EncoderCache(pipe, stride=4)
    pipe.unet = other
    with cache:
        assert torch.equal(sample(pipe, call), expected)


def test_a_unet_that_is_exchanged_in_a_loop_of_ones_own_is_not_passed_over():
    pipe, _ = plain()
    with pytest.raises(ValueError, match=r"pipe.unet was exchanged inside the block"), EncoderCache(pipe, stride=4):
        pipe.unet = image_unet()


def test_an_exchanged_unet_that_cannot_be_cached_is_refused():
    pipe, call = plain()
    own = pipe.unet
    shallow = {
        "block_out_channels": (8,),
        "down_block_types": IMAGE["down_block_types"][1:],
        "up_block_types": IMAGE["up_block_types"][:1],
    }
    with EncoderCache(pipe, stride=4, cut=1) as cache:
        pipe.unet = UNet2DConditionModel(**IMAGE | shallow)
        with pytest.raises(ValueError, match="cut 1: UNet2DConditionModel has the up blocks 0 to 0"):
            sample(pipe, call)
        pipe.unet = own
        sample(pipe, call)
    assert cache.stats.encoder_passes == 2 and "forward" not in vars(own)


def test_copies_of_a_unet_on_several_devices_are_refused():
    pipe = SimpleNamespace(unet=torch.nn.DataParallel(image_unet()), scheduler=DDIMScheduler())
    with pytest.raises(ValueError, match=r"wrapped in DataParallel.*give its .module"):
        EncoderCache(pipe, stride=4)


def test_a_unet_that_peft_wraps():
    pipe, call = plain()
    pipe.unet = get_peft_model(pipe.unet, LORA)
    plain_output = sample(pipe, call)
    with HeldFeatures(unwrapped(pipe), every(4)):
        expected = sample(pipe, call)
    with EncoderCache(pipe, stride=4) as cache:
        assert close(sample(pipe, call), expected) and cache.stats.encoder_passes == 2
    assert torch.equal(sample(pipe, call), plain_output)


def unwrapped(pipe):
    """The pipeline with the UNet that PEFT wraps, for hooks on its blocks."""
    made = copy.copy(pipe)
    made.unet = pipe.unet.get_base_model()
    return made


@pytest.mark.slow
def test_compiling_inside_the_block():
    pipe, call = plain()
    plain_output = sample(pipe, call)
    with EncoderCache(pipe, stride=4):
        expected = sample(pipe, call)
        pipe.unet.compile(backend="eager")
        assert close(sample(pipe, call), expected)
    torch._dynamo.reset()
    assert close(sample(pipe, call), plain_output)
