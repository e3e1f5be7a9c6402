"""Do calmer features keep quality? σ²_Δ of every model by block, against the control's, and how well it predicts distances."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from fcr_core.experiment.cell import Model
from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row
from fcr_core.statistics.correlation import fit
from fcr_core.statistics.intervals import Jackknifed, jackknifed_mean
from fcr_core.statistics.prompt_groups import group_of
from fcr_core.tables.places import Place, by_place, model_label

# Columns of the files of `Paths.block_variance`, by their name in tables.
FEATURES = {"variance": "mse", "relative": "relative", "norm": "norm"}
# `statistics.correlation.fit` needs as many.
FEWEST_MODELS = 4

# By (block, Δ), one line a prompt, averaged over seeds, with a column a measure.
Blocks = dict[tuple[str, int], pd.DataFrame]


def models_of(experiment: Experiment) -> dict[tuple[str, str], dict[str, Model]]:
    """By backbone and data set the models whose features are compared, by label.

    A reuse decoder has the features of the published weights: it is no model here.
    """
    found: dict[tuple[str, str], dict[str, Model]] = {}
    for row in experiment.rows:
        if not row.cell.model.own_decoder:
            place = row.cell.model.backbone, row.cell.setting.dataset
            found.setdefault(place, {})[model_label(row)] = row.cell.model
    return found


def controls_of(experiment: Experiment) -> dict[Model, Model]:
    """The control of each model; that of the published weights is the first on their backbone."""
    found: dict[Model, Model] = {}
    for row in experiment.rows:
        if row.control:
            control = experiment.by_name[row.control].cell.model
            found |= {row.cell.model: control}
            found.setdefault(control.base, control)
    return found


def read_blocks(file: str, seeds: Iterable[int], model: Model) -> Blocks:
    """Return the measurements of a model's features, and their mean over blocks as block `all`."""
    table = pd.read_parquet(file)
    if model.recipe is not None:
        table = table[table["seed"].isin(list(seeds))]
    columns = list(FEATURES.values())
    blocks: Blocks = {}
    for (delta, block), rows in table.groupby(["delta", "block"], sort=False):
        blocks[str(block), int(delta)] = rows.groupby("prompt_id", sort=False)[columns].mean()
    for delta in dict.fromkeys(delta for _, delta in blocks):
        parts = [rows for (_, other), rows in blocks.items() if other == delta]
        blocks["all", delta] = sum(parts[1:], parts[0]) / len(parts)
    return blocks


def mechanism_table(experiment: Experiment, paths: Paths) -> pd.DataFrame:
    """One line a (backbone, data set, model, block, Δ): σ²_Δ raw and relative, the norm, and their change against the control.

    Changes are ratios of means − 1 with 95 % intervals by a jackknife over groups of prompts. Block `all` is the mean over
    blocks, as in the loss.
    """
    controls, lines = controls_of(experiment), []
    for (backbone, dataset), models in models_of(experiment).items():
        blocks = {m: read_blocks(paths.block_variance(m, dataset), experiment.seeds, m) for m in models.values()}
        for label, model in models.items():
            place = {"backbone": backbone, "dataset": dataset, "recipe": label}
            rival = blocks.get(controls[model]) if model in controls else None
            for (block, delta), rows in blocks[model].items():
                counts = {"block": block, "delta": delta, "n_images": len(rows)}
                lines.append(place | counts | features_against(rows, rival[block, delta] if rival else None))
    return pd.DataFrame(lines)


def features_against(rows: pd.DataFrame, control: pd.DataFrame | None) -> dict[str, float]:
    """Means of a block's measures, and their change against the control where there is one."""
    found: dict[str, float] = {}
    for name, column in FEATURES.items():
        found[name] = rows[column].mean()
        ends = dict.fromkeys(("value", "low", "high"), float("nan"))
        if control is not None:
            change = jackknifed(rows[column]).relative_change(jackknifed(control[column]))
            ends = {"value": change.value, "low": change.low, "high": change.high}
        found |= {f"{name}_change": ends["value"], f"{name}_change_low": ends["low"], f"{name}_change_high": ends["high"]}
    return found


def jackknifed(values: pd.Series) -> Jackknifed:
    return jackknifed_mean(values.to_numpy(), group_of(len(values)))


def compared_rows(experiment: Experiment) -> dict[Place, list[Row]]:
    """Place by place, the rows of all models sampled by the mechanism's sampler."""
    assert experiment.mechanism is not None
    sampler = experiment.mechanism.sampler
    return {
        place: [row for row in rows if row.cell.sampler.name == sampler and not row.cell.model.own_decoder]
        for place, rows in by_place(experiment.rows).items()
    }


def distances_at(experiment: Experiment, rows: pd.DataFrame) -> dict[Place, pd.DataFrame]:
    """Place by place, the distances of `compared_rows` to uncached outputs: a line a model, a column a metric."""
    values = rows.set_index("variation")
    metrics = [column for column in values if column.endswith(("_own", "_base"))]
    found = {}
    for place, same in compared_rows(experiment).items():
        table = values.loc[[row.name for row in same], metrics]
        found[place] = table.set_axis([model_label(row) for row in same]).dropna(axis="columns")
    return found


def fit_table(experiment: Experiment, mechanism: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Does σ²_Δ predict the quality lost? One line a (place, measure of variance, Δ, metric), over all models.

    `rows`: from `fcr_core.tables.measurement_table.wide`.
    """
    assert experiment.mechanism is not None
    lines = []
    for place, lost in distances_at(experiment, rows).items():
        here = (mechanism["backbone"] == place.backbone) & (mechanism["dataset"] == place.dataset)
        for delta, at_delta in mechanism[here & (mechanism["block"] == "all")].groupby("delta"):
            joined = at_delta.set_index("recipe").join(lost, how="inner")
            if len(joined) < FEWEST_MODELS:
                continue
            for measure in ("variance", "relative"):
                for metric in lost.columns:
                    found = fit(joined[measure].to_numpy(), joined[metric].to_numpy())
                    what = {"delta": delta, "measure": measure, "sampler": experiment.mechanism.sampler, "metric": metric}
                    lines.append(place._asdict() | what | found)
    columns = [*Place._fields, "delta", "measure", "sampler", "metric"]
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=columns)
