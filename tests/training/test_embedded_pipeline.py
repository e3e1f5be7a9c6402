import json

import torch
from diffusers import AutoencoderKL

from fcr_core.backbones.loading import encode_images, encode_prompts, load_pipeline
from fcr_core.training.embedded import EMBEDDED
from fcr_core.training.embedded_pipeline import build_unet, build_vae, save_pipeline

from ..workspace import ROOT


def test_a_saved_pipeline_loads_is_small_and_names_no_place(tmp_path):
    pocket = EMBEDDED["pocket"]
    build_vae(pocket, 0).save_pretrained(tmp_path / "vae")
    vae = AutoencoderKL.from_pretrained(tmp_path / "vae")
    save_pipeline(tmp_path / "pipe", pocket, vae, build_unet(pocket, 0))
    files = [file for file in (tmp_path / "pipe").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 16e6
    assert not any(str(tmp_path) in file.read_text() for file in files if file.suffix == ".json")
    pipe = load_pipeline(tmp_path / "pipe")
    expected = build_unet(pocket, 0).half().float().state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in pipe.unet.state_dict().items())


def test_the_shipped_backbone_is_a_stable_diffusion_pipeline(pocket_pipe):
    assert type(pocket_pipe).__name__ == "StableDiffusionPipeline"
    assert 4e6 < pocket_pipe.unet.num_parameters() < 6e6
    assert pocket_pipe.scheduler.config.beta_schedule == "scaled_linear"
    assert pocket_pipe.scheduler.config.prediction_type == "epsilon"
    size = sum(file.stat().st_size for file in (ROOT / "models" / "pocket").rglob("*.safetensors"))
    assert size < 16e6
    assert encode_prompts(pocket_pipe, ["red apple", "sun"]).shape == (2, 24, 384)


def test_the_card_records_a_backbone_above_its_floor():
    """LiT R@10 of 200 training concepts at least 60 % of the real images' own."""
    folder = ROOT / "models" / "pocket"
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["n"] == 200 and scores["recall"] >= 0.6 * scores["real_recall"]
    card = (folder / "README.md").read_text()
    assert f"{scores['recall']:.1%}" in card and f"{scores['frechet_floor']:.1f} (floor)" in card


def test_the_shipped_vae_reconstructs_held_out_pictures(pocket_pipe):
    from fcr_core.data import load
    from fcr_core.data.pixels import to_pixels

    pixels = to_pixels([record.image() for record in load("twemoji", "test")[:40]])
    latents = encode_images(pocket_pipe.vae, pixels)
    assert latents.shape == (40, 4, 16, 16) and 0.7 < latents.std() < 1.3
    with torch.no_grad():
        decoded = pocket_pipe.vae.decode(latents / pocket_pipe.vae.config.scaling_factor).sample
    error = ((decoded.clamp(-1, 1) - pixels) / 2).square().mean((1, 2, 3))
    assert (-10 * error.log10()).mean() > 24  # dB
