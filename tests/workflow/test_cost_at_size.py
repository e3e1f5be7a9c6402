"""The cost of sampling at another size of images than the backbone's own, by the real DAG."""

import pandas as pd
import pytest

from fcr_core.backbones.loading import load_unet
from fcr_core.cost.flops import count_unet_flops

from ..workspace import ROOT, Workspace

pytestmark = pytest.mark.slow


def test_cost_is_measured_at_every_size_asked_for_in_a_table_of_its_own(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    config = workspace.read_config()
    exp1 = config["experiments"]["exp1"]
    exp1["rows"] = ["uncached", {"stride": 2}]
    exp1["cost"] |= {"batches": [1, 2], "sizes": [128]}
    workspace.write_config(config)
    assert workspace.planned()["cost_table"] == 1 and workspace.planned()["measure_cost"] == 2
    ran = workspace.bash("snakemake --cores 2 results/exp1_cost_128px.csv")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    table = pd.read_csv(workspace.folder / "results" / "exp1_cost_128px.csv", index_col="sampler")
    assert list(table.index) == ["uncached-6", "FD-2"] and (table["rounds"] == 2).all()
    unet = load_unet(ROOT / "models" / "pocket")
    flops = count_unet_flops(unet, tokens=24, size=(2 * unet.config.sample_size,) * 2)
    assert table.loc["uncached-6", "unet_gflops"] * 1e9 == pytest.approx(6 * 2 * flops.full)
    assert (table["peak_tensor_mb_b2"] > table["peak_tensor_mb_b1"]).all()
    assert table.loc["FD-2", ["speedup_b1", "speedup_b2"]].tolist() == [1, 1]
