"""Where each number comes from: how many images, prompts and seeds, the files, and the runs that made them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.report.numbers import plural
from fcr_core.report.results import Results


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

    def __init__(self, results: Results) -> None:
        self.results = results
        self.sources: dict[tuple[str, str], Source] = {}
        of_rows = {row.variation: (row.n_images, row.n_prompts, row.n_seeds) for row in results.table.itertuples()}
        for row in results.rows:
            name = row["variation"]["name"]
            for file in row["files"]:
                for metric, values in pd.read_parquet(file).groupby("metric"):
                    images, prompts, seeds = counted(values) or of_rows[name]
                    seen = "real held-out images" if metric.startswith("feature_variance") else folders(row["samples"])
                    self.sources[name, metric] = Source(images, prompts, seeds, file, seen)

    def of(self, variation: str, metric: str) -> str:
        return str(self.sources[variation, metric])

    def of_cost(self, variation: str, batch: int) -> str:
        sampler = self.results.variations[variation].sampler
        efficiency = self.results.efficiency
        repeats = ((efficiency["sampler"] == sampler) & (efficiency["batch"] == batch)).sum()
        calls = f"{plural(repeats, 'interleaved call')} of {sampler} with {plural(batch, 'image')} each"
        return f"{calls}, one measurement for all rows so sampled\n{self.file}"

    def of_counting(self, variation: str) -> str:
        return f"counted once for {self.results.variations[variation].sampler}\n{self.file}"

    @property
    def file(self) -> str:
        return self.results.files["efficiency"]

    def of_criterion(self, variation: str, criterion: str, metric: str, rival: str) -> str:
        """Both arms of a comparison; a criterion without a metric is about cost."""
        if not metric:
            return f"{variation}: {self.of_cost(variation, batch_of(criterion, self.results.batches))}"
        arms = [f"{arm}: {self.of(arm, metric)}" for arm in (variation, rival) if (arm, metric) in self.sources]
        return "\n".join(arms)


def counted(values: pd.DataFrame) -> tuple[int, int, int] | None:
    """Images, prompts and seeds of a metric of single images; None for one of whole sets."""
    if (values["prompt_id"] == "").any():
        return None
    return len(values), values["prompt_id"].nunique(), values["seed"].nunique()


def folders(manifests: list[str]) -> str:
    return ", ".join(str(Path(file).parent) for file in manifests)


def batch_of(criterion: str, batches: list[int]) -> int:
    """`speed-up at batch 20` -> 20; without a number the smallest."""
    return next((batch for batch in batches[::-1] if f"at batch {batch}" in criterion), batches[0])


def runs_of(results: Results) -> list[dict[str, Any]]:
    """`run.json` of every run of samples and fine-tunes behind the page, with its folder under `folder`; each once."""
    files = [file for row in results.rows for kind in ("samples", "twins") for file in row[kind]]
    found = [Path(file).parent for file in files]
    found += [Path(file).parent.parent for row in results.rows for file in row["weights"]]
    return [{"folder": str(folder)} | json.loads((folder / "run.json").read_text()) for folder in dict.fromkeys(found)]


def environment_of(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What all runs were made on, as (term, text)."""
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
