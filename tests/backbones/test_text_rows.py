"""SDXL's prompts as one tensor: what the UNet and the pipeline get of it is what the pipeline makes itself."""

import argparse
import json

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fcr_core.backbones.loading import encode_null_prompt, encode_prompts, load_pipeline
from fcr_core.backbones.tasks import TextAlone, conditioning_of
from fcr_core.backbones.text_rows import added_rows, text_rows, unet_arguments
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.sampling.samples import initial_noise, latent_shape, sample_latents
from fcr_core.sampling.scenarios import draw_at
from fcr_core.sampling.trajectories import Trajectories, sample_trajectory
from fcr_core.training.loop import TrainingRun
from fcr_core.training.training_set import EncodedSet
from workflow_scripts import sample_trajectories

from ..random_pipelines import TINY_SDXL_UNET, write_pipeline
from ..samplers import sampler
from ..tiers import rest_slow
from ..unets import ADDED, image_unet

PROMPTS = ["a cat", "a red car"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("sdxl"), TINY_SDXL_UNET)


@pytest.fixture
def pipe(folder):
    return load_pipeline(folder)


def seen_calls(pipe) -> list[dict]:
    """Arguments of every UNet call from now on."""
    seen: list[dict] = []
    pipe.unet.register_forward_pre_hook(lambda module, args, kwargs: seen.append(kwargs), with_kwargs=True)
    return seen


@torch.no_grad()
def test_the_unet_reads_what_the_pipeline_gives_it(pipe):
    """Guidance puts the null prompt first: zeros in SDXL's own pipeline."""
    seen = seen_calls(pipe)
    pipe(PROMPTS, num_inference_steps=1, guidance_scale=3.0, output_type="latent")
    text, null = encode_prompts(pipe, PROMPTS), encode_null_prompt(pipe)
    assert text.shape == (2, 77 + 1, 16) and null.shape == (1, 78, 16)
    made = unet_arguments(pipe.unet, torch.cat([null.expand_as(text), text]))
    torch.testing.assert_close(made["encoder_hidden_states"], seen[0]["encoder_hidden_states"])
    for key in ("text_embeds", "time_ids"):
        torch.testing.assert_close(made["added_cond_kwargs"][key], seen[0]["added_cond_kwargs"][key])
    assert made["added_cond_kwargs"]["time_ids"][3].tolist() == [16, 16, 0, 0, 16, 16]
    assert not null[:, :-1].any()


@torch.no_grad()
def test_a_pipeline_that_guides_away_from_the_empty_prompt_has_its_embedding(pipe):
    pipe.register_to_config(force_zeros_for_empty_prompt=False)
    torch.testing.assert_close(encode_null_prompt(pipe), encode_prompts(pipe, [""]))


def test_other_pipelines_have_the_rows_that_they_had(pocket_pipe):
    assert added_rows(pocket_pipe.unet) == 0
    assert torch.equal(encode_null_prompt(pocket_pipe), encode_prompts(pocket_pipe, [""]))


@pytest.mark.parametrize("width, rows", [(16, 1), (14, 1), (13, 2), (4, 4)])
def test_what_does_not_fit_one_row_takes_more(pipe, width, rows):
    unet = image_unet(**ADDED)
    unet.register_to_config(cross_attention_dim=width)
    pipe.unet.register_to_config(cross_attention_dim=width)
    tokens, pooled = torch.randn(2, 5, width), torch.randn(2, 8)
    packed = text_rows(pipe, tokens, pooled)
    assert packed.shape == (2, 5 + rows, width)
    read = unet_arguments(unet, packed.half().float())
    torch.testing.assert_close(read["added_cond_kwargs"]["text_embeds"], pooled, rtol=1e-3, atol=1e-3)
    assert read["added_cond_kwargs"]["time_ids"].tolist() == [[16, 16, 0, 0, 16, 16]] * 2
    torch.testing.assert_close(read["encoder_hidden_states"], tokens, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_trajectory_ends_where_the_pipeline_does(pipe):
    text, null = encode_prompts(pipe, PROMPTS), encode_null_prompt(pipe)
    noise = initial_noise(PROMPTS, 0, latent_shape(pipe))
    visited = sample_trajectory(pipe, text, null, noise, 4, 3.0)
    torch.testing.assert_close(visited[:, -1], sample_latents(pipe, PROMPTS, noise, sampler("ddim", 4)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_at_another_size_the_unet_is_told_that_size(pipe):
    draw_at(pipe, 24)
    seen = seen_calls(pipe)
    latents = sample_latents(pipe, PROMPTS, initial_noise(PROMPTS, 0, latent_shape(pipe)), sampler("ddim", 1))
    assert latents.shape == (2, 4, 12, 12) and seen[0]["added_cond_kwargs"]["time_ids"][0].tolist() == [24, 24, 0, 0, 24, 24]
    assert unet_arguments(pipe.unet, encode_prompts(pipe, PROMPTS))["added_cond_kwargs"]["time_ids"][0].tolist()[:2] == [24, 24]


RECIPES = {
    "preserve": {"lam": 0.1, "preserve": 1.0, "stop_grad": "key"},
    "rollout": {"lam": 0.1, "source": "rollout", "stride": 2},
    "decoding": {"decoding": 1.0, "stride": 2, "reuse": "linear"},
    "decoder": {"denoise": 0.0, "decoding": 1.0, "stride": 2, "cut": 1, "trains": "decoder"},
    "LoRA": {"lam": 0.1, "trains": "lora"},
}


@pytest.mark.parametrize("name", rest_slow(RECIPES))
def test_every_recipe_learns_on_sdxl(folder, pipe, tmp_path, name):
    recipe = Recipe.from_config(RECIPES[name])
    text, null = encode_prompts(pipe, PROMPTS), encode_null_prompt(pipe)
    data = EncodedSet(torch.randn(2, 4, 8, 8), text, null, PROMPTS)
    visited = sample_trajectory(pipe, text, null, initial_noise(PROMPTS, 0, latent_shape(pipe)), 4, 3.0)
    parts = trained_parts(load_pipeline(folder).unet.requires_grad_(True), recipe, lora_rank=2)
    trajectories = Trajectories(visited, text, null, 3.0, 4)
    loss = FineTuneLoss(parts.unet, pipe.scheduler, data, recipe, 2, 4, trajectories, parts.decoder)
    run = TrainingRun(parts.learning, tmp_path, lr=1e-3, seed=0, ema_decay=0.0)
    run.run(2, loss, 2, "test")
    parts.save(tmp_path)
    tuned = load_pipeline(folder, unet=tmp_path / "unet")
    drawn = tuned(PROMPTS, num_inference_steps=1, output_type="latent").images
    assert drawn.shape == (2, 4, 8, 8) and drawn.isfinite().all()
    if name == "LoRA":
        pipe.load_lora_weights(tmp_path / "lora")
        pipe.fuse_lora()
        state = load_file(tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
        weight = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
        torch.testing.assert_close(pipe.unet.get_submodule(weight).base_layer.weight, state[f"{weight}.weight"])


def test_the_script_samples_trajectories(folder, tmp_path):
    pd.DataFrame({"prompt": PROMPTS}).to_parquet(tmp_path / "prompts.parquet")
    args = argparse.Namespace(
        pipeline=str(folder), prompts=tmp_path / "prompts.parquet", prefix="", count=2, steps=3, ends=False, guidance=3.0, seed=0,
        device="cpu", code="", out=tmp_path / "trajectories.safetensors", train_set=None, data=None,
    )  # fmt: skip
    sample_trajectories.work(args)
    made = Trajectories.load(args.out)
    assert made.latents.shape == (2, 4, 4, 8, 8) and made.texts.shape == (2, 78, 16) and made.latents.isfinite().all()


def test_sdxl_is_a_text_to_image_task_and_its_other_tasks_are_refused():
    assert type(conditioning_of(image_unet(**ADDED))) is TextAlone
    with pytest.raises(ValueError, match="SDXL's added conditions only text to image is supported: no in-painting, no video"):
        conditioning_of(image_unet(9, **ADDED))


def test_a_vae_that_shifts_latents_is_refused(folder, tmp_path):
    other = write_pipeline(tmp_path / "other", TINY_SDXL_UNET)
    file = other / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"latents_mean": [0.1] * 4, "latents_std": [1.0] * 4}))
    with pytest.raises(ValueError, match="its VAE shifts latents"):
        load_pipeline(other)
