"""How long the largest DAG takes to build: all experiments, every recipe in table and grid, ten seeds each but in the plane.

python -m benchmarks.dag_time config/paper.yaml
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.dag import build_dag, configuration

SEEDS = list(range(10))
EVERY_RECIPE = [{"recipe": "all", "stride": 10}, {"recipe": "all", "sampler": "own"}]


def experiments_in(config: dict[str, Any]) -> set[str]:
    return {name for name, given in config["experiments"].items() if given}


def largest(config: dict[str, Any]) -> dict[str, Any]:
    """What differs: in the recipe table also every recipe, at stride 10 or by the sampler that it is made for."""
    experiments: dict[str, Any] = {name: {"seeds": SEEDS} for name in experiments_in(config) if name != "plane"}
    experiments["recipes"]["rows"] = [*config["experiments"]["recipes"]["rows"], *EVERY_RECIPE]
    return {"seeds": SEEDS, "experiments": experiments}


def main(configs: list[str]) -> None:
    config = configuration(configs)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "largest.yaml"
        file.write_text(yaml.safe_dump(largest(config)))
        wall, cpu = time.perf_counter(), time.process_time()
        dag = build_dag(experiments_in(config), [*configs, str(file)])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        asked = time.process_time()
        for job in dag.jobs:
            job.resources.get("mem_mb")
        asked = time.process_time() - asked
    print(f"{len(dag.jobs)} jobs in {wall:.1f} s, {cpu:.1f} s of them on the CPU; their resources {asked:.1f} s more")


if __name__ == "__main__":
    main(sys.argv[1:])
