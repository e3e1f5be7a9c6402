"""A folder of the user's pictures in the real DAG: what it holds decides what runs again, and nothing else does."""

import os

import pytest

from fcr_core.data import load

from ..workspace import Workspace

pytestmark = pytest.mark.slow

PROMPTS = "results/data/image_folder/64/prompts.parquet"
ENCODED = "results/train_set/pocket/image_folder.safetensors"


def run(workspace: Workspace, target: str) -> None:
    ran = workspace.bash(f"snakemake --cores 1 {target}")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]


def test_a_corrected_caption_is_noticed_and_a_stray_file_is_not(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    pictures = workspace.folder / "my pictures" / "train"
    pictures.mkdir(parents=True)
    for record in load("twemoji", "train")[:6]:
        record.image().save(pictures / f"{record.prompt_id}.png")
        (pictures / f"{record.prompt_id}.txt").write_text(record.prompt)
    config = workspace.read_config()
    config["datasets"]["image_folder"] = {"source": "my pictures", "train_images": 4}
    config["backbones"]["pocket"] = {"train": "image_folder", "search": "twemoji"}
    workspace.write_config(config)
    both = {"prepare_data": 1, "encode_data": 1}
    assert workspace.planned(ENCODED) == both
    run(workspace, ENCODED)
    assert workspace.planned(ENCODED) == {}

    (pictures / ".DS_Store").write_text("x")
    (pictures / ".ipynb_checkpoints").mkdir()
    for file in pictures.iterdir():
        os.utime(file)
    assert workspace.planned(ENCODED) == {}

    captions = sorted(pictures.glob("*.txt"))
    before = captions[0].read_text()
    captions[0].write_text("Corrected")
    assert workspace.planned(ENCODED) == both
    captions[0].write_text(before)
    assert workspace.planned(ENCODED) == {}

    # Only a picture changes, and the run is stopped before all that follows from it has run.
    captions[0].with_suffix(".png").write_bytes(captions[1].with_suffix(".png").read_bytes())
    run(workspace, PROMPTS)
    assert workspace.planned(ENCODED) == {"encode_data": 1}

    captions[0].with_suffix(".png").unlink()
    captions[0].with_suffix(".png").symlink_to("gone.png")
    refused = workspace.bash(f"snakemake --cores 1 {PROMPTS}")
    assert (
        refused.returncode != 0
        and f"error: my pictures/train/{captions[0].stem}.png: not a file" in refused.stdout + refused.stderr
    )
