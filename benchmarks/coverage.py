"""How often each interval contains the truth, and how often each one-sided bound lies on its wrong side, in simulations.

A nominal 95 % interval has to cover 92 to 98 %; a one-sided bound may be wrong in 6 % (that is the rate at which a claim is "met"
with the truth exactly at its margin). docs/statistics.md holds a run's table.

OMP_NUM_THREADS=1 python benchmarks/coverage.py --repeats 1000 --seed 0 --out coverage.md
"""

from __future__ import annotations

import argparse
import platform
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from set_metrics import KidLeftOut, bootstrapped_frechet, check, frechet_left_out
from simulated_arms import DistanceArms, FeatureArms, LatencyArms
from tqdm import tqdm

from fcr_core.jobs.files import replacing
from fcr_core.statistics.correlation import fit
from fcr_core.statistics.equivalence import ratio_of_means
from fcr_core.statistics.frechet_influence import Linearised, linearised_frechet
from fcr_core.statistics.intervals import (
    Interval,
    Jackknifed,
    jackknifed_mean,
    mean_interval,
    ratio_of_medians,
    skewed_mean_interval,
)
from fcr_core.statistics.paired_tests import BetweenSeeds, between_seeds
from fcr_core.statistics.prompt_groups import group_of

Measured = Interval | BetweenSeeds
TRUTH_REPEATS = 1000
BOOTSTRAPS = 999
# SDs and correlation of the log of latent MSE to the uncached output, pocket backbone, 120 held-out prompts, one seed: FD-5 and
# FD-10; FD-5-cut2-linear and DDIM-15; FD-5 and FD-5-cut2-linear. Between two seeds the logs correlate by 0.47 to 0.76.
TAILS = [((0.65, 0.65), 0.8), ((1.15, 1.0), 0.84), ((0.65, 1.15), 0.62)]


@dataclass(frozen=True)
class Study:
    """A population: the true value of each target, and a draw of all intervals as (interval's name, target, interval)."""

    name: str
    truth: dict[str, float]
    intervals: Callable[[np.random.Generator], Iterator[tuple[str, str, Measured]]]


def percentiles(value: float, resampled: np.ndarray) -> Interval:
    """The percentile bootstrap's interval, which the library does not use."""
    return Interval(value, *np.quantile(resampled, [0.025, 0.975, 0.05, 0.95]))


def set_study(arms: FeatureArms, rng: np.random.Generator) -> Study:
    """Metrics of whole sets. Their targets are expectations at this number of images, from draws of their own."""
    reference, groups = arms.reference, group_of(arms.prompts)
    moments, kid = (reference.mean(0), np.cov(reference, rowvar=False)), KidLeftOut(reference[:200])

    def replicates(features: np.ndarray, groups: np.ndarray) -> dict[str, np.ndarray]:
        """Each (seeds or 1, G + 1)."""
        by_seed = [features[[seed]] for seed in range(len(features))]
        return {
            "FD, mean over seeds": np.array([frechet_left_out(one, groups, *moments) for one in by_seed]),
            "FD, seeds together": frechet_left_out(features, groups, *moments)[None],
            "KID, mean over seeds": np.array([kid(one[0], groups) for one in by_seed]),
        }

    def intervals(rng: np.random.Generator) -> Iterator[tuple[str, str, Measured]]:
        first, second = arms.draw(rng)
        of_first, of_second = replicates(first, groups), replicates(second, groups)
        for metric in of_first:
            a, b = (Jackknifed(mean[0], mean[1:]) for mean in (of_first[metric].mean(0), of_second[metric].mean(0)))
            yield from compared("jackknife", metric, a, b)
        a, b = linearised_frechet(first, *moments), linearised_frechet(second, *moments)
        yield from compared("influence function", "FD, seeds together", a, b)
        seeds = [table["FD, mean over seeds"][:, 0] for table in (of_first, of_second)]
        yield "between seeds", "FD, mean over seeds: level", between_seeds(seeds[0])
        yield "between seeds", "FD, mean over seeds: difference", between_seeds(seeds[1] - seeds[0])
        resampled = bootstrapped_frechet(first, *moments, rng, 200)
        yield "percentile bootstrap", "FD, seeds together: level", percentiles(a.value, resampled)

    name = f"{arms.prompts} prompts, d = {arms.width}"
    means: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for _ in tqdm(range(TRUTH_REPEATS), desc=f"truth, {name}", unit="draw"):
        for arm, features in enumerate(arms.draw(rng)):
            for metric, values in replicates(features, np.full(arms.prompts, -1)).items():
                means[metric][arm] += values.mean() / TRUTH_REPEATS
    truth = {}
    for metric, (a, b) in means.items():
        truth |= {f"{metric}: level": a, f"{metric}: difference": b - a, f"{metric}: relative change": b / a - 1}
    return Study(name, truth, intervals)


def compared(
    name: str, metric: str, a: Jackknifed | Linearised, b: Jackknifed | Linearised
) -> Iterator[tuple[str, str, Measured]]:
    """The intervals of a's level, of b − a and of b / a − 1."""
    yield name, f"{metric}: level", a.interval()
    yield name, f"{metric}: difference", b.difference(a)
    yield name, f"{metric}: relative change", b.relative_change(a)


def prompt_study(arms: DistanceArms) -> Study:
    """Metrics of single images with heavy tails."""
    a, b = arms.means
    truth = {"mean": b, "difference": b - a, "b − 1.05 a": b - 1.05 * a, "relative change": b / a - 1}

    def intervals(rng: np.random.Generator) -> Iterator[tuple[str, str, Measured]]:
        first, second = arms.draw(rng)
        mine, theirs, groups = second.mean(0), first.mean(0), group_of(arms.prompts)
        for target, values in {"mean": mine, "difference": mine - theirs, "b − 1.05 a": mine - 1.05 * theirs}.items():
            yield "skewed t over prompts", target, skewed_mean_interval(values)
            yield "Student's t over prompts", target, mean_interval(values)
        yield "Fieller", "relative change", ratio_of_means(mine, theirs)
        change = jackknifed_mean(mine, groups).relative_change(jackknifed_mean(theirs, groups))
        yield "jackknife", "relative change", change
        yield "between seeds", "mean", between_seeds(second.mean(1))
        yield "between seeds", "difference", between_seeds((second - first).mean(1))

    return Study(f"distances, log SD {arms.sds[0]} and {arms.sds[1]}, {arms.prompts} prompts", truth, intervals)


def resampled_ratio(slow: np.ndarray, fast: np.ndarray, rng: np.random.Generator) -> Interval:
    """Percentile bootstrap of median(slow) / median(fast) over units: rounds, or the medians of launches."""
    slow, fast = (np.median(x.reshape(len(x), -1), axis=1) for x in (slow, fast))
    drawn = rng.integers(0, len(slow), size=(BOOTSTRAPS, len(slow)))
    ratios = np.median(slow[drawn], axis=1) / np.median(fast[drawn], axis=1)
    return percentiles(float(np.median(slow) / np.median(fast)), ratios)


def latency_study(arms: LatencyArms) -> Study:
    """Rounds of one launch, whose own ratio is the target; or several launches, with the ratio of launches in general."""
    several = arms.launches > 1

    def intervals(rng: np.random.Generator) -> Iterator[tuple[str, str, Measured]]:
        slow, fast = arms.draw(rng)
        units = (slow, fast) if several else (slow[0], fast[0])
        yield "t on log ratios", "ratio", ratio_of_medians(*units)
        yield "percentile bootstrap", "ratio", resampled_ratio(*units, rng)
        if several:
            yield "t on log ratios, one launch's rounds", "ratio", ratio_of_medians(slow[0], fast[0])

    name = f"{arms.launches} launches of {arms.rounds} rounds" if several else f"{arms.rounds} rounds of one launch"
    return Study(name, {"ratio": arms.truth}, intervals)


def correlation_study(models: int, r: float) -> Study:
    def intervals(rng: np.random.Generator) -> Iterator[tuple[str, str, Measured]]:
        x, noise = rng.normal(size=(2, models))
        fitted = fit(x, r * x + np.sqrt(1 - r**2) * noise)
        for target in ("r", "r2"):
            value, low, high = (fitted[target + end] for end in ("", "_low", "_high"))
            yield "as in `correlation.fit`", target, Interval(value, low, high, np.nan, np.nan)

    return Study(f"{models} models, r = {r}", {"r": r, "r2": r**2}, intervals)


def studies() -> list[Callable[[np.random.Generator], Study]]:
    chosen = [partial(set_study, FeatureArms(prompts, width)) for prompts, width in ((400, 32), (100, 64))]
    ready = [prompt_study(DistanceArms(prompts, *tails)) for prompts in (100, 300, 1000) for tails in TAILS]
    ready += [latency_study(LatencyArms(1, rounds, 0.0)) for rounds in (3, 4, 7, 11, 20)]
    ready += [latency_study(LatencyArms(launches, 7, 0.02)) for launches in (5, 10)]
    ready += [correlation_study(32, r) for r in (0.3, 0.8)]
    return chosen + [lambda rng, study=study: study for study in ready]


def measured_coverage(index: int, repeats: int, seed: int) -> pd.DataFrame:
    """One row an interval: coverage with its Monte-Carlo error, how often each one-sided bound is wrong, median width."""
    rng = np.random.default_rng([seed, index])
    study = studies()[index](rng)
    draws = []
    for _ in tqdm(range(repeats), desc=study.name, unit="repeat"):
        for name, target, interval in study.intervals(rng):
            truth = study.truth[target]
            row = {"target": target, "interval": name, "covers": interval.low <= truth <= interval.high}
            bounds = [getattr(interval, bound, np.nan) for bound in ("lower_bound", "upper_bound")]
            row |= {"lower bound wrong": bounds[0] > truth, "upper bound wrong": bounds[1] < truth}
            row |= {"width": interval.high - interval.low, "one-sided": np.isfinite(bounds[0])}
            draws.append(row)
    drawn = pd.DataFrame(draws).groupby(["target", "interval"], sort=False)
    table = drawn.mean().assign(width=drawn["width"].median()).reset_index()
    wrong = ["lower bound wrong", "upper bound wrong"]
    table[wrong] = table[wrong].where(table.pop("one-sided") == 1)
    table.insert(3, "±", np.sqrt(table["covers"] * (1 - table["covers"]) / repeats))
    table.insert(0, "population", study.name)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/coverage.md"))
    args = parser.parse_args()
    check()
    table = pd.concat([measured_coverage(index, args.repeats, args.seed) for index in range(len(studies()))])
    where = f"{args.repeats} repeats, seed {args.seed}, {platform.machine()} {platform.system()}, {date.today()}"
    page = f"{where}\n\n{table.round(3).to_markdown(index=False)}\n"
    print(page)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(args.out) as draft:
        draft.write_text(page)


if __name__ == "__main__":
    main()
