"""Predicted peaks against what the same step really holds."""

from functools import partial

import pytest
import torch

from fcr_core.backbones.loading import load_pipeline, load_scheduler, load_unet
from fcr_core.backbones.registry import BACKBONES
from fcr_core.backbones.text_rows import added_rows
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.clock import peak_tensor_bytes
from fcr_core.data import load
from fcr_core.data.prepared import prepare
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.planning.peak_memory import Networks, finetune_memory, loading_memory, sampling_memory
from fcr_core.planning.planned_run import counted_plan
from fcr_core.sampling.samples import decode_latents, initial_noise, latent_shape, sample_latents
from fcr_core.training.loop import TrainingRun
from fcr_core.training.training_set import EncodedSet, StreamedSet

from ..random_pipelines import TINY_SDXL_UNET, TINY_UNET, write_motion_adapter, write_pipeline
from ..samplers import sampler
from ..tiers import rest_slow

BATCH, TOKENS, STEPS = 6, 77, 12


@pytest.fixture(scope="module")
def locations(tmp_path_factory):
    root = tmp_path_factory.mktemp("backbones")
    image = write_pipeline(root / "image", TINY_UNET | {"block_out_channels": (16, 32)})
    masked = write_pipeline(root / "masked", TINY_UNET | {"in_channels": 9})
    clips = write_pipeline(root / "clips")
    sdxl = write_pipeline(root / "sdxl", TINY_SDXL_UNET)
    return {
        "image": str(image),
        "masked": str(masked),
        "sdxl": str(sdxl),
        "clips": f"{clips}+motion:{write_motion_adapter(root / 'motion')}",
    }


def held(*networks) -> int:
    return sum(p.nbytes for network in networks for p in network.parameters())


RECIPES = {
    "plan": Recipe(lam=0.1),
    "preserve": Recipe(lam=0.1, stop_grad="key", preserve=1.0),
    "LoRA": Recipe(lam=0.1, trains="lora"),
}
FINE_TUNES = [
    ("image", "plan", {}),
    ("image", "plan", {"accumulate": 3}),
    ("image", "plan", {"ema": 0.9}),
    ("image", "plan", {"gradient_checkpointing": True}),
    ("image", "plan", {"streamed": True}),
    ("image", "preserve", {}),
    ("image", "LoRA", {}),
    ("masked", "plan", {}),
    ("clips", "plan", {}),
    ("sdxl", "plan", {}),
]
PLANS = {
    "uncached": {},
    "FD-6": {"stride": 6},
    "cut": {"stride": 6, "cut": 1},
    "linear": {"stride": 4, "reuse": "linear"},
}


def encoded(unet) -> EncodedSet:
    latents = torch.randn(BATCH, unet.config.in_channels, 8, 8)
    texts = torch.randn(BATCH, TOKENS + added_rows(unet), unet.config.cross_attention_dim)
    return EncodedSet(latents, texts, torch.zeros_like(texts[:1]), list("abcdef"))


def streamed(location, unet, folder) -> StreamedSet:
    """Pictures of the side whose latents have the size of the UNet."""
    pipe = load_pipeline(location)
    pipe.unet = unet
    prepare(load("twemoji", "train")[:BATCH], folder / "set", "twemoji")
    data = StreamedSet.of(pipe, folder / "set")
    data.images.size = unet.config.sample_size * pipe.vae_scale_factor
    return data


# Torch warns so where a weight without content is deep-copied, which corrupts the heap: the process ends somewhere later.
@pytest.mark.filterwarnings("error:Accessing the data pointer of FakeTensor")
@pytest.mark.parametrize("task, name, options", rest_slow(FINE_TUNES), ids=str)
def test_a_fine_tune_needs_what_was_predicted(locations, tmp_path, task, name, options):
    recipe, unet = RECIPES[name], load_unet(locations[task])
    if options.get("gradient_checkpointing"):
        unet.enable_gradient_checkpointing()
    data = streamed(locations[task], unet, tmp_path) if options.get("streamed") else encoded(unet)
    parts = trained_parts(unet, recipe, 16)
    loss = FineTuneLoss(unet, load_scheduler(locations[task]), data, recipe, BATCH)
    averaged, accumulated = options.get("ema", 0.0), options.get("accumulate", 1)
    run = TrainingRun(parts.learning, tmp_path, lr=1e-3, seed=0, ema_decay=averaged, accumulate=accumulated)
    averages = sum(p.nbytes for p in run.ema.shadow_params) if run.ema else 0
    encoders = (data.pipe.vae, data.pipe.text_encoder) if options.get("streamed") else ()
    weights = held(unet, *loss.preserved, *encoders) + averages
    measured = weights + peak_tensor_bytes(lambda: run.run(2, loss, 100, "test"))
    predicted = finetune_memory(Networks(locations[task]), recipe, BATCH, TOKENS, **options)
    assert predicted.held == weights and predicted.total == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("task, plan", rest_slow([*(("image", plan) for plan in PLANS), ("clips", "FD-6")]))
def test_sampling_needs_what_was_predicted(locations, task, plan):
    pipe = load_pipeline(locations[task])
    drawn_by = sampler("ddim", STEPS, **PLANS[plan])
    noise = initial_noise(["a", "b"], 0, latent_shape(pipe))
    runs = (partial(sample_latents, pipe, ["a cat"] * 2, noise, drawn_by), partial(decode_latents, pipe, noise))
    measured = held(pipe.unet, pipe.vae, pipe.text_encoder) + max(map(peak_tensor_bytes, runs))
    predicted = sampling_memory(Networks(locations[task]), counted_plan(drawn_by), STEPS, 2, TOKENS)
    assert predicted.held == held(pipe.unet, pipe.vae, pipe.text_encoder)
    assert predicted.total == pytest.approx(measured, rel=0.15)


@pytest.mark.slow
def test_published_configurations_have_the_published_sizes():
    """Millions of parameters, as the model cards and papers give them; no weights are made."""
    assert BACKBONES["sd15"].networks == "sd15"
    full = finetune_memory(Networks("not/here", "sd15"), Recipe(), 1, size=8)
    weights = 4 * 859_520_964
    assert full.held == weights
    # At the least also gradients and two moments of AdamW.
    assert 4 * weights < full.total < 4.2 * weights
    drawn = sampling_memory(Networks("not/here", "sd15"), Plan(KeySteps.uniform(1)), 50, 1)
    assert drawn.held == 4 * (859_520_964 + 83_653_863 + 123_060_480)
    assert loading_memory(Networks("not/here", "sd15")).total == drawn.held + weights


def test_sdxl_has_its_published_size_and_two_text_encoders(tmp_path):
    networks = Networks("not/here", BACKBONES["sdxl"].networks)
    unet = networks.unet()
    encoders = [sum(p.numel() for p in encoder.parameters()) for encoder in networks.text_encoders(unet)]
    assert unet.num_parameters() == 2_567_463_684 and encoders == [123_060_480, 694_659_840]
    tiny = Networks(str(write_pipeline(tmp_path, TINY_SDXL_UNET)))
    pipe = load_pipeline(tmp_path)
    built = [sum(p.numel() for p in encoder.parameters()) for encoder in tiny.text_encoders(tiny.unet())]
    assert built == [sum(p.numel() for p in encoder.parameters()) for encoder in (pipe.text_encoder, pipe.text_encoder_2)]


def test_networks_that_nobody_knows_are_refused():
    with pytest.raises(ValueError, match="no configuration of nobody/nothing on this machine: give the backbone a `source`"):
        Networks("nobody/nothing")
