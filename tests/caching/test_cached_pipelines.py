"""Diffusers' own pipeline classes, unmodified, under EncoderCache: real components, tiny and random."""

import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_module
from diffusers import (
    AnimateDiffPipeline,
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DDPMScheduler,
    LCMScheduler,
    MotionAdapter,
    StableDiffusionControlNetPipeline,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionUpscalePipeline,
    StableDiffusionXLPipeline,
    TextToVideoSDPipeline,
    UNet2DConditionModel,
)
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel

from fcr_core import EncoderCache

from ..held_features import HeldFeatures, every
from ..unets import IMAGE, K_BLOCKS, image_unet, text, video_unet

STEPS = 8


def vae() -> AutoencoderKL:
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, sample_size=16, **blocks).eval()


def components(pipeline: type, unet: torch.nn.Module, **more) -> object:
    """The pipeline with these networks; prompts come as embeddings, so there is no text encoder."""
    made = {
        "text_encoder": None,
        "tokenizer": None,
        "vae": vae(),
        "unet": unet.eval(),
        "scheduler": DDIMScheduler(clip_sample=False),
    }
    taken = pipeline.__init__.__code__.co_varnames
    unused = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    made |= {name: value for name, value in unused.items() if name in taken and "safety_checker" in taken}
    pipe = pipeline(**made | more)
    pipe.set_progress_bar_config(disable=True)
    return pipe


PROMPT = {"prompt_embeds": text(1), "negative_prompt_embeds": text(2)[1:], "num_inference_steps": STEPS, "guidance_scale": 3.0}
PICTURE, MASK = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)), torch.ones(1, 1, 16, 16)
XL = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 6 * 4 + 8,
}


def plain():
    return components(StableDiffusionPipeline, image_unet()), PROMPT | {"height": 16, "width": 16}


def without_guidance():
    pipe, call = plain()
    return pipe, call | {"guidance_scale": 1.0}


def latent_consistency():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(**IMAGE, time_cond_proj_dim=8)
    pipe = components(StableDiffusionPipeline, unet, scheduler=LCMScheduler())
    return pipe, PROMPT | {"height": 16, "width": 16}


def inpaint():
    pipe = components(StableDiffusionInpaintPipeline, image_unet(9))
    return pipe, PROMPT | {"image": PICTURE, "mask_image": MASK, "height": 16, "width": 16}


def depth():
    made = {"depth_estimator": None, "feature_extractor": None}
    pipe = components(StableDiffusionDepth2ImgPipeline, image_unet(5), **made)
    return pipe, PROMPT | {"image": PICTURE, "depth_map": torch.rand(1, 16, 16), "strength": 0.8}


def controlnet():
    unet = image_unet()
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16)).eval()
    for module in control.controlnet_down_blocks:  # its zero convolutions would add nothing
        torch.nn.init.normal_(module.weight, std=0.5)
    pipe = components(StableDiffusionControlNetPipeline, unet, controlnet=control)
    return pipe, PROMPT | {"image": torch.rand(1, 3, 16, 16), "height": 16, "width": 16}


def xl():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(**IMAGE, **XL)
    pipe = StableDiffusionXLPipeline(
        vae=vae(), text_encoder=None, text_encoder_2=None, tokenizer=None, tokenizer_2=None, unet=unet.eval(),
        scheduler=DDIMScheduler(clip_sample=False), add_watermarker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    pooled = {"pooled_prompt_embeds": torch.rand(1, 8), "negative_pooled_prompt_embeds": torch.rand(1, 8)}
    return pipe, PROMPT | pooled | {"height": 16, "width": 16}


def animate():
    torch.manual_seed(0)
    adapter = MotionAdapter(
        block_out_channels=(8, 16), motion_layers_per_block=1, motion_norm_num_groups=4, motion_num_attention_heads=2
    )
    unet = UNet2DConditionModel(**IMAGE)
    pipe = AnimateDiffPipeline(vae(), None, None, unet, adapter, DDIMScheduler(clip_sample=False))
    pipe.set_progress_bar_config(disable=True)
    return pipe, PROMPT | {"height": 16, "width": 16, "num_frames": 3}


def text_to_video():
    torch.manual_seed(0)
    pipe = TextToVideoSDPipeline(vae(), None, None, video_unet().eval(), DDIMScheduler(clip_sample=False))
    pipe.set_progress_bar_config(disable=True)
    return pipe, PROMPT | {"height": 16, "width": 16, "num_frames": 3}


def free_init():
    """The loop runs twice in a call, each time over new timesteps."""
    pipe, call = animate()
    pipe.enable_free_init(num_iters=2)
    return pipe, call


def two_controlnets():
    """One of them ends inside a group."""
    pipe, call = controlnet()
    pipe.controlnet = MultiControlNetModel([pipe.controlnet, pipe.controlnet])
    return pipe, call | {"image": [call["image"], 1 - call["image"]], "control_guidance_end": [0.4, 1.0]}


def upscaler():
    """A level of noise beside the prompt, as a class label of each sample."""
    torch.manual_seed(0)
    more = {"low_res_scheduler": DDPMScheduler(), "watermarker": None}
    unet = UNet2DConditionModel(**IMAGE, in_channels=7, out_channels=4, num_class_embeds=1000)
    pipe = components(StableDiffusionUpscalePipeline, unet, **more)
    return pipe, PROMPT | {"image": torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)), "noise_level": 20}


def instructed():
    """Three rows a picture: with both, with the picture alone, and with neither condition."""
    pipe = components(StableDiffusionInstructPix2PixPipeline, image_unet(8), image_encoder=None)
    return pipe, PROMPT | {"image": PICTURE, "image_guidance_scale": 1.5}


PIPELINES = [plain, without_guidance, latent_consistency, inpaint, depth, controlnet, xl, animate, text_to_video]
MORE_PIPELINES = [free_init, two_controlnets, upscaler, instructed]


def sample(pipe, call: dict) -> torch.Tensor:
    output = pipe(**call, generator=torch.Generator().manual_seed(0), output_type="latent")
    return output.images if hasattr(output, "images") else output.frames


@pytest.mark.parametrize("make", [*PIPELINES, *MORE_PIPELINES])
def test_stride_1_changes_no_bit_and_parallel_equals_sequential(make):
    pipe, call = make()
    plain_output = sample(pipe, call)
    with EncoderCache(pipe, stride=1):
        assert torch.equal(sample(pipe, call), plain_output)
    for options in ({"stride": 3}, {"stride": 3, "cut": 1, "nodes": 2}):
        with EncoderCache(pipe, **options):
            parallel, again = sample(pipe, call), sample(pipe, call)
        with EncoderCache(pipe, **options, parallel=False):
            sequential = sample(pipe, call)
        assert torch.equal(parallel, again)
        assert (parallel - sequential).norm() / sequential.norm() < 1e-5
        assert not torch.allclose(parallel, plain_output)
    assert torch.equal(sample(pipe, call), plain_output)


@pytest.mark.parametrize("make", MORE_PIPELINES)
def test_further_pipelines_get_the_pictures_of_held_features(make):
    pipe, call = make()
    with HeldFeatures(pipe, every(3), cut=1):
        expected = sample(pipe, call)
    with EncoderCache(pipe, stride=3, cut=1):
        assert (sample(pipe, call) - expected).norm() / expected.norm() < 1e-5


def test_the_controlnet_runs_at_key_steps_only_and_its_residuals_count():
    pipe, call = controlnet()
    passes = []
    pipe.controlnet.controlnet_cond_embedding.register_forward_hook(lambda *_: passes.append(True))
    with EncoderCache(pipe, stride=4):
        controlled = sample(pipe, call)
    assert len(passes) == 2
    with EncoderCache(pipe, stride=4):
        assert not torch.allclose(sample(pipe, call | {"controlnet_conditioning_scale": 0.0}), controlled)


def test_image_to_image_begins_its_groups_where_it_begins():
    """Strength 0.5 of 8 steps runs the last four: with stride 4 that is one group, not the second half of one."""
    pipe, call = depth()
    with EncoderCache(pipe, stride=4) as cache:
        sample(pipe, call | {"strength": 0.5})
    assert cache.stats.encoder_passes == 1


def test_the_shallow_path_is_live_with_a_controlnet_too():
    pipe, call = controlnet()
    expected = sample(pipe, call)
    with EncoderCache(pipe, stride=1, cut=1, live=True):
        assert torch.equal(sample(pipe, call), expected)
    with EncoderCache(pipe, stride=4, cut=1, live=True):
        assert not torch.allclose(sample(pipe, call), expected)


def test_the_shallow_path_is_live_when_a_controlnets_guidance_ends():
    """Its residuals then have fewer rows than what the key step kept."""
    pipe, call = controlnet()
    call |= {"num_images_per_prompt": 2} | stopping_guidance_after(4, ("prompt_embeds", "image"))
    expected = sample(pipe, call)
    with EncoderCache(pipe, stride=1, cut=1, live=True):
        assert torch.equal(sample(pipe, call), expected)
    with EncoderCache(pipe, stride=3, cut=1, live=True):
        assert sample(pipe, call).shape == expected.shape


def test_a_controlnet_that_is_hooked_anew_after_a_call_runs_at_key_steps_only():
    """As by `enable_model_cpu_offload`, which removes its hooks and adds them again when a call ends."""
    pipe, call = controlnet()
    passes = []
    pipe.controlnet.controlnet_cond_embedding.register_forward_hook(lambda *_: passes.append(True))
    add_hook_to_module(pipe.controlnet, ModelHook())
    with EncoderCache(pipe, stride=4):
        first = sample(pipe, call)
        remove_hook_from_module(pipe.controlnet)
        add_hook_to_module(pipe.controlnet, ModelHook())
        assert torch.equal(sample(pipe, call), first)
    assert len(passes) == 4


def test_custom_timesteps_reach_the_scheduler():
    pipe, call = plain()
    call |= {"timesteps": [900, 700, 500, 300, 100]}
    del call["num_inference_steps"]
    pipe.scheduler = LCMScheduler()
    expected = sample(pipe, call)
    with EncoderCache(pipe, stride=1):
        assert torch.equal(sample(pipe, call), expected)


def stopping_guidance_after(last: int, names: tuple[str, ...] = ("prompt_embeds",)) -> dict:
    """Arguments of a call whose guidance ends with step `last`, as diffusers documents it; `names`: what has guided rows."""

    def stop_guidance(pipe, step, t, tensors):
        if step == last:
            pipe._guidance_scale = 0.0
            tensors = {name: value.chunk(2)[-1] for name, value in tensors.items()}
        return tensors

    return {"callback_on_step_end": stop_guidance, "callback_on_step_end_tensor_inputs": list(names)}


def test_guidance_may_be_switched_off_by_a_callback():
    pipe, call = plain()
    call |= stopping_guidance_after(4)
    expected = sample(pipe, call)
    with EncoderCache(pipe, stride=1):
        assert torch.equal(sample(pipe, call), expected)
    with EncoderCache(pipe, stride=4):
        assert sample(pipe, call).shape == expected.shape


@pytest.mark.parametrize(
    "blocks", [{"mid_block_type": None}, {"mid_block_type": "UNetMidBlock2D"}, K_BLOCKS], ids=["no mid", "plain mid", "K"]
)
@pytest.mark.parametrize("options", [{}, {"cut": 1}])
def test_unets_of_other_blocks(blocks, options):
    torch.manual_seed(0)
    pipe, call = components(StableDiffusionPipeline, UNet2DConditionModel(**IMAGE | blocks)), plain()[1]
    plain_output = sample(pipe, call)
    with EncoderCache(pipe, stride=1, **options):
        assert torch.equal(sample(pipe, call), plain_output)
    with HeldFeatures(pipe, every(4), options.get("cut", 0)):
        expected = sample(pipe, call)
    with EncoderCache(pipe, stride=4, **options):
        assert (sample(pipe, call) - expected).norm() / expected.norm() < 1e-5
    for more in ({"reuse": "linear"}, {"nodes": 2}, {"live": True, "cut": 1}):
        with EncoderCache(pipe, stride=4, **options | more):
            assert torch.isfinite(sample(pipe, call)).all()
