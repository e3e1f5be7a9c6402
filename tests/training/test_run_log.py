import torch

from fcr_core.training.loop import TrainingRun
from fcr_core.training.run_log import training_cost

from ..unets import built


def test_the_cost_counts_cores(tmp_path):
    run = TrainingRun(built("UNet2DCondition"), tmp_path, lr=1e-3, seed=7)
    run.step, run.history = 100, [{"seconds": seconds} for seconds in (36.0, 36.0, 3600.0)]
    assert training_cost(run) == {"steps": 100, "hours": 1.0, "cpu_core_hours": torch.get_num_threads()}
    for row in run.history[:2]:
        row["validation_seconds"] = 1800.0
    assert training_cost(run)["hours"] == 2.0
