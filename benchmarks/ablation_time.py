"""How many cells the ablation grid has, and how long they will take: from cells that have run, or else from those measured here.

`make ablations` prints it first.
"""

from __future__ import annotations

import os
from pathlib import Path
from statistics import mean

import pandas as pd
import yaml

from fcr_core.experiment.rows import ablated_recipes

FOLDER = Path("results/benchmarks")
# Seconds a job on one core of a 2-core Xeon with AVX-512, the default grid, two jobs side by side.
MEASURED = {"finetune": 75.0, "measure_cell": 110.0}


def seconds_of(rule: str, recipes: list[str]) -> float:
    """Mean of the jobs that have run, or the time measured here."""
    files = [file for recipe in recipes for file in (FOLDER / rule).glob(f"{recipe}_seed*.tsv")]
    return mean(pd.read_csv(file, sep="\t")["s"].iloc[-1] for file in files) if files else MEASURED[rule]


def main() -> None:
    config = yaml.safe_load(Path("config.yaml").read_text())
    recipes, seeds = ablated_recipes(config), config["ablations"]["seeds"]
    cells = [Path(f"results/ablations/{recipe}/seed{seed}.parquet") for recipe in recipes for seed in seeds]
    left = sum(not cell.exists() for cell in cells)
    minutes = left * sum(seconds_of(rule, recipes) for rule in MEASURED) / 60
    cores = os.cpu_count() or 1
    there = len(cells) - left
    print(f"{len(cells)} cells (recipes x seeds), {there} of them there: about {minutes / cores:.0f} minutes on {cores} cores")


if __name__ == "__main__":
    main()
