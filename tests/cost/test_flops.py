from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.flops import cached_bytes, count_unet_flops, meta_call
from fcr_core.cost.plan_flops import UNetFlops, flop_limit, passes, sampling_flops
from fcr_core.unet.encoder_features import encode
from fcr_core.unet.split_unet import SplitUNet

from ..unets import ADDED, FAMILIES, FRAMES, added_conditions, built, image_unet, k_unet

STRIDE_10 = KeySteps.uniform(10)


@torch.no_grad()
def test_flops_without_weights_equal_those_of_real_passes(unet):
    sample, t, text = torch.randn(1, 4, 8, 8), torch.tensor(10), torch.randn(1, 5, 8)
    flops = count_unet_flops(unet, tokens=5)
    for run, expected in ((unet, flops.full), (lambda *args: encode(unet, *args), flops.encoder)):
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            run(sample, t, text)
        time_embedding = 2 * (8 * 32 + 32 * 32)
        assert counter.get_total_flops() == expected + (time_embedding if run is not unet else 0)


def test_a_convolution_counts_as_by_hand():
    conv = torch.nn.Conv2d(3, 5, 3, padding=1)
    with FlopCounterMode(display=False) as counter:
        conv(torch.randn(2, 3, 8, 8))
    assert counter.get_total_flops() == 2 * 2 * 5 * 3 * 9 * 64


def test_the_pocket_decoder_has_sds_share_of_the_flops(pocket_pipe):
    flops = count_unet_flops(pocket_pipe.unet, tokens=24)
    assert flops.decoder / flops.full == pytest.approx(0.674, abs=0.02)


@cache
def counted(family: str) -> tuple[Any, UNetFlops]:
    """A UNet and its FLOPs, once for all plans."""
    unet = built(family)
    return unet, count_unet_flops(unet, 3, frames=FRAMES)


@pytest.mark.parametrize("options", [{}, {"reuse": "linear"}, {"live": True}])
@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_flops_and_bytes_of_a_reusing_pass_equal_those_of_a_real_one(family, cut, options):
    (unet, flops), plan = counted(family), Plan(STRIDE_10, cut, **options)
    call = {name: torch.zeros(x.shape, dtype=x.dtype) for name, x in meta_call(unet, 3, None, FRAMES).items()}
    split = SplitUNet(unet, cut, plan.live)
    _, features = split.whole(**call)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        split.decode(features, **call)
    assert counter.get_total_flops() == flops.reused(plan)
    storages = {x.untyped_storage().data_ptr(): x.nbytes for x in features}
    assert cached_bytes(unet, plan, 3, frames=FRAMES) == sum(storages.values()) * (2 if plan.reuse == "linear" else 1)


def test_the_parts_of_stable_diffusion_are_those_of_the_literature():
    """SD v1.5: 859,520,964 parameters, 401.6 GMAC, encoder + mid 32.6 %, up.3 24.6 %; stride 10 at most 1.41x, cut 3 3.11x.

    The literature counts whole up blocks, without a head that is kept.
    """
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    assert unet.num_parameters() == 859_520_964
    flops = count_unet_flops(unet, tokens=77)
    assert flops.full / 2e9 == pytest.approx(401.6, abs=0.1)
    assert flops.encoder / flops.full == pytest.approx(0.326, abs=1e-3)
    assert flops.parts["up.3"] / flops.full == pytest.approx(0.246, abs=1e-3)
    whole_blocks = replace(flops, heads={})
    limits = {cut: flop_limit(whole_blocks, 50, Plan(STRIDE_10, cut)) for cut in (0, 3)}
    assert limits == pytest.approx({0: 1.414, 3: 3.11}, abs=5e-3)
    # Two decoders a group of ten: 8.4 full passes of 50.
    assert flop_limit(whole_blocks, 50, Plan(STRIDE_10, nodes=2)) == pytest.approx(5.97, abs=0.01)
    # up.3's first resnet reads 640 + 320 channels and makes 320, at 64x64, by a 3x3 and a 1x1 convolution.
    assert flops.heads["up.3"] == 2 * 64 * 64 * 960 * 320 * (9 + 1)
    assert flop_limit(flops, 50, Plan(STRIDE_10, cut=3)) == pytest.approx(3.41, abs=5e-3)


def test_flops_of_a_run_follow_its_passes(unet):
    flops = count_unet_flops(unet, tokens=5)
    assert passes(50, Plan(KeySteps.uniform(15))) == (4, 50)
    assert passes(50, Plan(KeySteps.uniform(15), nodes=3)) == (4, 12)
    assert sampling_flops(flops, 50, Plan(STRIDE_10)) == 2 * (5 * flops.encoder + 50 * flops.decoder - 45 * flops.heads["up.0"])
    assert sampling_flops(flops, 50, Plan(KeySteps.uniform(1)), guided=False) == 50 * flops.full


VARIANTS = {
    "no mid": (lambda: image_unet(mid_block_type=None), {}),
    "K": (k_unet, {}),
    "SDXL": (lambda: image_unet(**ADDED), {"added_cond_kwargs": added_conditions(1)}),
    "classes": (lambda: image_unet(num_class_embeds=10), {"class_labels": torch.tensor([1])}),
    "projected classes": (
        lambda: image_unet(class_embed_type="projection", projection_class_embeddings_input_dim=6),
        {"class_labels": torch.zeros(1, 6)},
    ),
    "classes as timesteps": (lambda: image_unet(class_embed_type="timestep"), {"class_labels": torch.zeros(1)}),
    "classes as embeddings": (lambda: image_unet(class_embed_type="identity"), {"class_labels": torch.zeros(1, 32)}),
    "LCM": (lambda: image_unet(time_cond_proj_dim=6), {"timestep_cond": torch.zeros(1, 6)}),
    "projected text": (lambda: image_unet(encoder_hid_dim=5, encoder_hid_dim_type="text_proj"), {}),
}


@torch.no_grad()
@pytest.mark.parametrize("name", VARIANTS)
def test_flops_of_every_kind_of_unet_equal_those_of_a_real_pass(name):
    build, conditions = VARIANTS[name]
    unet = build()
    flops = count_unet_flops(unet, tokens=3)
    text = torch.randn(1, 3, 5 if name == "projected text" else 8)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        unet(torch.randn(1, 4, 8, 8), torch.tensor(10), text, **conditions)
    assert counter.get_total_flops() == flops.full and 0 < flops.encoder < flops.full
    _, features = SplitUNet(unet, 1).whole(torch.randn(1, 4, 8, 8), torch.tensor(10), text, **conditions)
    assert cached_bytes(unet, Plan(STRIDE_10, 1), 3) == sum({x.data_ptr(): x.nbytes for x in features}.values())
    assert ("mid" in flops.parts) == (unet.mid_block is not None)


def test_flops_are_those_of_the_unet_inside_its_wrappers(unet):
    expected = count_unet_flops(unet, tokens=3)
    assert count_unet_flops(torch.compile(unet, backend="eager"), tokens=3) == expected
    assert count_unet_flops(get_peft_model(image_unet(), LoraConfig(r=2, target_modules=["to_q"])), tokens=3) == expected
    with pytest.raises(ValueError, match="wrapped in DataParallel"):
        count_unet_flops(torch.nn.DataParallel(unet), tokens=3)


def test_a_unet_that_reads_pictures_is_refused_by_what_it_reads():
    unet = image_unet(addition_embed_type="image", encoder_hid_dim=8)
    with pytest.raises(ValueError, match="FLOPs of UNet2DConditionModel cannot be counted: it needs added_cond_kwargs"):
        count_unet_flops(unet, tokens=3)
