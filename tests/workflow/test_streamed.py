"""A fine-tune by the real DAG that reads images from webdataset shards as it draws them, beside one on a set encoded before."""

import io

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from webdataset import TarWriter

from fcr_core.data import load

from ..workspace import Workspace

pytestmark = pytest.mark.slow

FINE_TUNE = "results/finetune/pocket/webdataset/lambda0.10/seed0"
WEIGHTS = f"{FINE_TUNE}/unet/diffusion_pytorch_model.safetensors"


def png(image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def trained(workspace: Workspace) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    ran = workspace.bash(f"snakemake --cores 1 {WEIGHTS}")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return load_file(workspace.folder / WEIGHTS), pd.read_csv(workspace.folder / FINE_TUNE / "log.csv")


def test_images_are_streamed_from_their_shards_without_encoding_the_set(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    shards = workspace.folder / "shards"
    shards.mkdir()
    for number, part in enumerate((load("twemoji", "train")[:9], load("twemoji", "train")[9:18])):
        with TarWriter(str(shards / f"{number:05d}.tar")) as tar:
            for record in part:
                tar.write({"__key__": record.prompt_id, "png": png(record.image()), "txt": record.prompt})
    config = workspace.read_config()
    config["datasets"]["webdataset"] = {"source": "shards"}
    config["backbones"]["pocket"] = {"train": "webdataset", "search": "twemoji"}
    config["finetune"]["mirror"] = True
    workspace.write_config(config)
    assert workspace.planned(WEIGHTS) == {"prepare_data": 1, "encode_data": 1, "finetune": 1}
    encoded, before = trained(workspace)

    config["finetune"]["cache_latents"] = False
    workspace.write_config(config)
    assert workspace.planned(WEIGHTS) == {"finetune": 1}
    streamed, log = trained(workspace)
    # The VAE rounds by the number of images at once, here 4 and there 8.
    assert log["loss"].tolist() == pytest.approx(before["loss"].tolist(), rel=1e-3) and len(log) == 4
    assert all(torch.allclose(streamed[name], encoded[name], atol=1e-4) for name in encoded)
