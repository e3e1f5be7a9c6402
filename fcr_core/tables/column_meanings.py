"""Meanings of the columns of tables and of the statistics of measurements, a line each: results/README.md."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from fcr_core.tables.metric_columns import describe, key_of, label

COUNTS = {
    "variation": "name of the row: weights and sampler",
    "backbone": "the networks that drew it, by their name in the configuration",
    "dataset": "whose prompts were drawn",
    "scenario": "the stress that was applied while drawing; clean = none",
    "role": "plain solver, cached run of the published weights, control, fcr (fine-tuned with a term under test) or reference",
    "machine": "where cost was measured",
    "n_images": "images that the row was judged on",
    "n_prompts": "prompts among them; the unit of every interval but those between seeds",
    "n_seeds": "seeds of noise (and, for fine-tuned rows, of training)",
    "n_twin_images": "images for which the same weights were also sampled uncached",
    "encoder_passes": "key steps of one image",
    "decoder_passes": "decoders that run for one image",
    "unet_gflops": "UNet GFLOP of one guided image, counted",
    "flop_limit_vs_goal": "speed-up over the quality goal that FLOPs alone allow",
    "flop_limit_vs_uncached": "the same over the uncached row",
}
# A pattern of the whole name, and what its match means.
PATTERNS = {
    r"feature_variance_d(\d+)": "σ²_Δ at Δ = {0} training timesteps, mean over blocks and images; lower = features change less",
    r"feature_variance_relative_d(\d+)": "the same over the features' mean square, Δ = {0}",
    r"latency_ms_b(\d+)": "median milliseconds an image at batch {0}, interleaved rounds; text encoder included, VAE not",
    r"speedup_b(\d+)": "over the quality goal at batch {0}: geometric mean of the ratios of rounds",
    r"peak_tensor_mb_b(\d+)": "peak MB of tensors of a call at batch {0}, prompts to pixels, without weights",
}
ENDINGS = {
    "_low": "lower end of the 95 % interval over prompts",
    "_high": "upper end of the 95 % interval over prompts",
    "_q25": "lower quartile",
    "_q75": "upper quartile",
    "_median": "median over prompts",
    "_seed_sd": "standard deviation of the mean between seeds",
    "_between_seeds_low": "lower end of Student's 95 % interval over seeds alone: ignores the choice of prompts, decides nothing",
    "_between_seeds_high": "its upper end",
    "_delta": "paired difference from the quality goal",
    "_delta_low": "lower end of its 95 % interval",
    "_delta_high": "upper end of its 95 % interval",
    "_delta_p": "p of the paired t-test of that difference, two-sided (metrics with one value a prompt)",
    "_delta_p_holm": "the same, adjusted by Holm over the rows of the table",
    "_wilcoxon_p": "p of Wilcoxon's signed-rank test, reported beside: it tests symmetry, not the mean",
    "_from_control": "paired difference from the same fine-tune without the term under test, sampled alike",
    "_from_control_low": "lower end of its 95 % interval",
    "_from_control_high": "upper end of its 95 % interval",
    "_real": "what real images score: the floor of a distance (one half of the reference to the other), the value of a score",
}
HEAD = """# What stands in the tables

`{experiment}_table.csv` has one row a variation and at most 40 columns. `{experiment}_measurements.csv` has everything, a line a
variation, `metric` and `statistic`: `latent_mse_own` with the statistic `low` is what the table calls `latent_mse_own_low`.

| column or metric | meaning |
|---|---|
"""
ENDINGS_HEAD = """
Endings (statistics of the measurements), on every metric and measure above:

| ending | meaning |
|---|---|
"""
BETTER = {"lower": "lower is better", "higher": "higher is better"}


def meaning(column: str) -> str | None:
    """Explain a column that is not made of another by an ending; None for one that is.

    >>> meaning("latency_ms_b8")
    'median milliseconds an image at batch 8, interleaved rounds; text encoder included, VAE not'
    >>> meaning("kid_effnet_low") is None
    True
    """
    if column in COUNTS:
        return COUNTS[column]
    if key_of(column):
        metric = describe(column)
        unit = f"; {metric.unit}" if metric.unit else ""
        return f"{label(column)}: {BETTER[metric.direction]}{unit}; {metric.source}"
    for pattern, text in PATTERNS.items():
        if found := re.fullmatch(pattern, column):
            return text.format(*found.groups())
    return None


def columns_of(table: Iterable[str], measurements: pd.DataFrame) -> list[str]:
    """The columns of an experiment's table, and its measurements by the same names: metric, then the statistic as an ending."""
    pairs = measurements[["metric", "statistic"]].drop_duplicates().itertuples(index=False)
    named = [pair.metric if pair.statistic == "value" else f"{pair.metric}_{pair.statistic}" for pair in pairs]
    return list(dict.fromkeys([*table, *named]))


def page(columns: Iterable[str]) -> str:
    """Markdown: one line a column, then the endings. Raises `ValueError` for a column that nothing explains."""
    columns = list(columns)
    lines = []
    for column in columns:
        explained = meaning(column)
        if explained:
            lines.append(f"| `{column}` | {explained} |")
        elif not any(column.endswith(ending) and meaning(column.removesuffix(ending)) for ending in ENDINGS):
            raise ValueError(f"column {column} of the table is not explained in fcr_core/tables/column_meanings.py")
    used = [ending for ending in ENDINGS if any(column.endswith(ending) for column in columns)]
    endings = [f"| `{ending}` | {ENDINGS[ending]} |" for ending in used]
    return f"{HEAD}{chr(10).join(lines)}\n{ENDINGS_HEAD}{chr(10).join(endings)}\n"
