"""The source of each number: how many images, prompts and seeds, the files, and the runs that made them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.experiment.row import Row
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import plural
from fcr_core.tables.measurements import VARIANCE


@dataclass(frozen=True)
class Source:
    """A count of images and the file with their values; `seen`: which images."""

    images: int
    prompts: int
    seeds: int
    file: str
    seen: str

    def __str__(self) -> str:
        return f"{sizes(self.images, self.prompts, self.seeds)}\n{self.file}\nof {self.seen}"


def sizes(images: int, prompts: int, seeds: int) -> str:
    """`300 images: 100 prompts x 3 seeds`."""
    return f"{plural(images, 'image')}: {plural(prompts, 'prompt')} x {plural(seeds, 'seed')}"


class Provenance:
    """Sources by variation and metric."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.by_name = evidence, evidence.experiment.by_name
        self.sources: dict[tuple[str, str], Source] = {}
        sized = evidence.values[["n_images", "n_prompts", "n_seeds"]].astype(int).itertuples()
        of_rows = {row.Index: (row.n_images, row.n_prompts, row.n_seeds) for row in sized}
        for row in evidence.experiment.rows:
            arm, folders = evidence.measured.arms[row.name], ", ".join(map(str, evidence.folders(row)))
            for metric, file in self.files_of(row).items():
                seen = "real held-out images" if metric.startswith(VARIANCE) else folders
                images, prompts, seeds = counted(arm.by_metric[metric]) or of_rows[row.name]
                self.sources[row.name, metric] = Source(images, prompts, seeds, file, seen)

    def files_of(self, row: Row) -> dict[str, str]:
        """The file of each metric of a row."""
        evidence = self.evidence
        files = evidence.paths.measurements(row, evidence.experiment.measures, evidence.sets)
        return {metric: file for file in files for metric in pd.read_parquet(file, columns=["metric"])["metric"].unique()}

    def of(self, variation: str, metric: str) -> str:
        return str(self.sources[variation, metric])

    def of_cost(self, variation: str, batch: int) -> str:
        row = self.by_name[variation]
        sampler, cost = row.cell.sampler.name, self.evidence.measured.costs[row.cell.model.backbone]
        calls = f"{plural(len(cost.at(sampler, batch)), 'interleaved call')} of {sampler} with {plural(batch, 'image')} each"
        return f"{calls} on {cost.machine}, one measurement for all rows so sampled\n{self.file(row)}"

    def of_counting(self, variation: str) -> str:
        row = self.by_name[variation]
        return f"counted once for {row.cell.sampler.name}\n{self.file(row)}"

    def file(self, row: Row) -> str:
        return self.evidence.paths.cost(row.cell.model.backbone, self.evidence.experiment.name)

    def of_criterion(self, verdict: dict[str, Any]) -> str:
        """Both arms of a comparison; a verdict without a metric is about cost."""
        name, metric, rival = verdict["variation"], verdict["metric"], verdict["against"]
        if not metric:
            return f"{name}: {self.of_cost(name, int(verdict['batch']))}"
        arms = [f"{arm}: {self.of(arm, metric)}" for arm in (name, rival) if (arm, metric) in self.sources]
        return "\n".join(arms)


def counted(values: pd.DataFrame) -> tuple[int, int, int] | None:
    """Images, prompts and seeds of a metric of single images; None for one of whole sets."""
    if (values["prompt_id"] == "").any():
        return None
    return len(values), values["prompt_id"].nunique(), values["seed"].nunique()


def runs_of(evidence: Evidence) -> list[dict[str, Any]]:
    """`run.json` of every run of samples and fine-tunes behind the page, with its folder under `folder`; each once."""
    experiment = evidence.experiment
    found = [folder for row in experiment.rows for folder in (*evidence.folders(row), *evidence.twins(row))]
    tuned = [model for model in experiment.models if model.recipe]
    found += [Path(evidence.paths.fine_tune(model, seed)) for model in tuned for seed in experiment.seeds]
    return [{"folder": str(folder)} | json.loads((folder / "run.json").read_text()) for folder in dict.fromkeys(found)]


def environment_of(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Name the machines and versions of all runs, as (term, text)."""
    packages = {f"{name} {version}" for run in runs for name, version in run["packages"].items()}
    return [
        (
            "runs",
            f"{len(runs)} of samples and fine-tunes, {sum(run['wall_seconds'] for run in runs) / 60:.1f} minutes of wall time",
        ),
        ("commit", ", ".join(sorted({run["commit"] for run in runs}))),
        ("device", ", ".join(sorted({run["device"] for run in runs}))),
        ("machine", ", ".join(sorted({run["machine"] for run in runs}))),
        ("versions", ", ".join(sorted({f"Python {run['python']}" for run in runs} | packages, key=str.lower))),
    ]
