"""How long the largest DAG takes to build: every recipe in the recipe table and in the grid, all experiments, ten seeds each.

python benchmarks/dag_time.py config/paper.yaml
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.dag import build_dag
from workflow_scripts.plan import EXPERIMENTS

SEEDS = list(range(10))


def largest(config: dict[str, Any]) -> dict[str, Any]:
    """The table's rows and every recipe by the sampler that it is made for; the grid has every recipe by all of its plans."""
    own = [
        {"stride": 10, "recipe": name} | {key: recipe[key] for key in ("stride", "cut", "reuse", "nodes") if key in recipe}
        for name, recipe in config["recipes"].items()
    ]
    rows = [*config["recipe_table"]["rows"], *own]
    return {"seeds": SEEDS, "ablations": {"recipes": "all", "seeds": SEEDS}, "recipe_table": {"rows": rows}}


def main(configs: list[str]) -> None:
    config = yaml.safe_load(Path("config.yaml").read_text())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "largest.yaml"
        file.write_text(yaml.safe_dump(largest(config)))
        wall, cpu = time.perf_counter(), time.process_time()
        dag = build_dag(set(EXPERIMENTS.values()), [*configs, str(file)])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{len(dag.jobs)} jobs in {wall:.1f} s, {cpu:.1f} s of them on the CPU")


if __name__ == "__main__":
    main(sys.argv[1:])
