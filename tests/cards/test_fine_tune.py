"""Exported fine-tunes load in plain diffusers by the three lines of their cards, and draw what was trained."""

import ast
import inspect
import json

import pandas as pd
import pytest
import torch
from diffusers import (
    AnimateDiffPipeline,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from huggingface_hub import ModelCard

from fcr_core.backbones.loading import load_unet
from fcr_core.backbones.pretraining_cost import Pretraining
from fcr_core.backbones.registry import BACKBONES
from fcr_core.cards.fine_tune import FineTuned, numbers_of
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import trained_parts
from workflow_scripts import export_model

from ..random_pipelines import TINY_UNET, write_pipeline

SETTINGS = {"seed": "0", "batch": "4", "accumulate": "1", "optimizer": "adamw", "lr": "1e-05", "precision": "fp32"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("base") / "pipeline", TINY_UNET)


def exported(base, folder, trains: str):
    """The folder for the hub of a fine-tune whose weights have moved; its name on the card is its path."""
    recipe = {"denoise": 0, "decoding": 1, "stride": 5, "trains": trains}
    parts = trained_parts(load_unet(base), Recipe.from_config(recipe), lora_rank=2)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in parts.learning.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    parts.save(folder / "tuned")
    cost = {"gpu_hours": 3.0}
    share = Pretraining(150_000, "gpu_hours", "A100 PCIe 40GB", "its card").share(cost)
    record = {"settings": SETTINGS, "steps": 10, "commit": "abc"} | cost | share
    (folder / "tuned" / "run.json").write_text(json.dumps(record))
    (folder / "tuned" / "log.csv").write_text("step,loss\n1,0.5\n")
    given = [
        f"--fine-tune={folder / 'tuned'}", f"--recipe={json.dumps(recipe)}", f"--pipeline={base}", "--data=twemoji",
        "--licence=CreativeML OpenRAIL-M", f"--name={folder / 'hub'}", f"--out={folder / 'hub'}",
    ]  # fmt: skip
    export_model.work(export_model.make_parser().parse_args(given))
    return folder / "hub"


def first_block(card: ModelCard) -> str:
    return card.text.split("```python\n")[1].split("```")[0]


@pytest.mark.parametrize("trains", ["unet", "lora"])
def test_three_lines_of_plain_diffusers_load_what_was_trained(base, tmp_path, trains):
    card = ModelCard.load(exported(base, tmp_path, trains) / "README.md")
    lines = first_block(card).strip().splitlines()
    assert len(lines) == 3 and "fcr_core" not in first_block(card)
    names: dict = {}
    exec("\n".join(lines), names)
    trained = UNet2DConditionModel.from_pretrained(tmp_path / "tuned" / "unet").eval()
    plain = UNet2DConditionModel.from_pretrained(base, subfolder="unet").eval()
    x, text = torch.randn(2, 4, 8, 8), torch.randn(2, 3, 8)
    with torch.no_grad():
        drawn, wanted, before = (unet.eval()(x, 500, text).sample for unet in (names["pipe"].unet, trained, plain))
    torch.testing.assert_close(drawn, wanted, rtol=1e-4, atol=1e-5)
    assert (wanted - before).abs().max() > 0.01


def test_the_card_says_where_it_comes_from_and_what_it_took(base, tmp_path):
    card = ModelCard.load(exported(base, tmp_path, "lora") / "README.md")
    assert card.data.base_model == str(base) and card.data.base_model_relation == "adapter"
    assert (card.data.license, card.data.library_name) == ("creativeml-openrail-m", "diffusers")
    assert "3 GPU hours, 0.002 % of the 150,000 that the pre-training took (A100 PCIe 40GB)" in card.text
    assert "EncoderCache(pipe, stride=5)" in card.text and "Data: twemoji. Seed 0, 10 steps of 4 x 1 images" in card.text


def test_backbones_of_other_parts_are_put_together_by_fcr_core(tmp_path):
    def lines(location: str, trains: str) -> str:
        decoding = {"denoise": 0, "decoding": 1, "cut": 2} if trains == "decoder" else {}
        return FineTuned(tmp_path, Recipe.from_config({"trains": trains} | decoding), location, "MIT", "text2image", "x").loading(
            "me/mine"
        )

    assert 'load_pipeline("models/pocket", unet="me/mine/unet")' in lines("models/pocket", "unet")
    assert 'load_pipeline("a/b+lora:c/d")' in lines("a/b+lora:c/d", "lora")
    assert 'load_reuse_decoder(pipe, 2, "me/mine/unet")' in lines("a/b", "decoder")
    assert 'DiffusionPipeline.from_pretrained("a/b", revision="r")' in lines("a/b@r", "lora")


@pytest.mark.parametrize("task", sorted({backbone.task for backbone in BACKBONES.values()}))
def test_the_call_on_a_card_is_one_that_the_tasks_pipeline_takes(task, tmp_path):
    kind = {
        "text2image": StableDiffusionPipeline,
        "inpaint": StableDiffusionInpaintPipeline,
        "depth": StableDiffusionDepth2ImgPipeline,
        "video": AnimateDiffPipeline,
    }[task]
    lines = FineTuned(tmp_path, Recipe(), "org/base", "CC-BY 4.0", task, "twemoji").loading("me/it").splitlines()
    named = {word.arg for word in ast.parse(lines[-1]).body[0].value.value.keywords}
    assert len(lines) == 3 and named <= set(inspect.signature(kind.__call__).parameters)


def test_an_unknown_licence_goes_under_its_own_name(base, tmp_path):
    from fcr_core.cards.fine_tune import front_matter

    data = front_matter(FineTuned(tmp_path, Recipe(), "a/b", "see its card", "inpaint", "x"))
    assert (data.license, data.license_name, data.pipeline_tag) == ("other", "see its card", "image-to-image")


def test_numbers_come_with_n_and_intervals():
    row = {"n_images": 300, "n_prompts": 100, "n_seeds": 3, "kid_effnet": 0.02, "kid_effnet_low": 0.01, "kid_effnet_high": 0.03}
    row |= {f"feature_variance_d10{end}": 0.1 for end in ("", "_low", "_high")}
    row |= {"backbone": "pocket", "dataset": "twemoji", "kid_effnet_real": 0.001}
    text = numbers_of(pd.DataFrame([{"variation": name} | row for name in ("a", "b", "c")]), ["a", "c"])
    assert "0.0200 [0.0100, 0.0300]" in text and "100 prompts x 3 seeds" in text and "| b" not in text and "0.0010" in text
