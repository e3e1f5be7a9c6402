"""Does a recipe do what it should? Each cached row against the goal and against plain solvers of its latency."""

from __future__ import annotations

from collections.abc import Iterator

from fcr_core.experiment.row import Row
from fcr_core.experiment.sampler import SOLVERS
from fcr_core.tables.comparisons import memory_change, relative_change, speedup
from fcr_core.tables.cost import Cost
from fcr_core.tables.criteria import SPEEDUP, Compared, Criterion
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import difference
from fcr_core.tables.metric_columns import label
from fcr_core.tables.metric_roles import FRECHET, IMAGE_TEXT, KID
from fcr_core.tables.places import place_of

DISTANCES = {"st_lpips_alex": "ST-LPIPS", "latent_mse": "latent MSE"}
TWINS = {"own": "model's own", "base": "base model's"}
NO_MORE = Criterion("{}, difference", "at most", 0.0, "quality", "difference")
# To the uncached output of the model, less a solver's.
CLOSER = Criterion("{}", "at most", 0.0, "solvers", "difference")


def is_judged(row: Row) -> bool:
    """Only cached rows, but not the goal."""
    return row.cached and row.name != row.goal


def verdicts(row: Row, goal: Row, measured: Measured) -> Iterator[Compared]:
    """All that a recipe has to meet, then what is reported beside.

    What a user needs memory for is a call, from prompts to pixels: that is asked, the sampling loop alone is not. Nor is the
    distance to the base model's output: a fine-tuned model is far from it whatever it does well.
    """
    batches = measured.costs[row.cell.model.backbone].batches
    yield relative_change(row, goal, measured, FRECHET)
    yield relative_change(row, goal, measured, IMAGE_TEXT)
    yield kid_difference(row, goal, measured)
    yield st_lpips(row, goal, measured, "own")
    yield from (speedup(row, goal, measured, batch, SPEEDUP) for batch in batches)
    yield from (memory_change(row, goal, measured, batch) for batch in batches)
    yield from against_solvers(row, measured, "own")
    yield from (one._replace(asked=False) for one in against_solvers(row, measured, "base"))
    yield from (memory_change(row, goal, measured, batch, "loop_tensor_bytes") for batch in batches)
    yield st_lpips(row, goal, measured, "base")._replace(asked=False)


def kid_difference(row: Row, goal: Row, measured: Measured) -> Compared:
    mine, goals = measured.arms[row.name], measured.arms[goal.name]
    metric = KID.column(mine.by_metric)
    return Compared(NO_MORE.of(label(metric)), difference(mine, goals, metric), goal.name, metric)


def st_lpips(row: Row, goal: Row, measured: Measured, twin: str) -> Compared:
    metric, mine, goals = f"st_lpips_alex_{twin}", measured.arms[row.name], measured.arms[goal.name]
    criterion = NO_MORE.of(f"ST-LPIPS to the {TWINS[twin]} uncached output")
    return Compared(criterion, difference(mine, goals, metric), goal.name, metric)


def against_solvers(row: Row, measured: Measured, twin: str) -> Iterator[Compared]:
    """Distance to the uncached output of the same weights (`twin` "own") or of the base model, less the solver's."""
    cost, solvers = measured.costs[row.cell.model.backbone], plain_solvers(row, measured)
    for scheduler in SOLVERS:
        if not (rivals := [other for other in solvers if other.cell.sampler.scheduler == scheduler]):
            continue
        rival = rival_of(row, rivals, cost)
        for distance, name in DISTANCES.items():
            metric = f"{distance}_{twin}"
            claim = f"{name} to the {TWINS[twin]} uncached output, less {SOLVERS[scheduler].title}'s"
            gap = difference(measured.arms[row.name], measured.arms[rival.name], metric)
            yield Compared(CLOSER.of(claim), gap, rival.name, metric)


def plain_solvers(row: Row, measured: Measured) -> list[Row]:
    """Rows of the published weights that a plain solver draws where the row is drawn, but for the uncached one."""
    rows = [other for other in measured.experiment.rows if place_of(other) == place_of(row)]
    return [other for other in rows if not other.cached and other.cell.model == row.base.model and other.cell != row.base]


def rival_of(row: Row, solvers: list[Row], cost: Cost) -> Row:
    """The solver with the fewest steps that takes no less time than the row at the largest batch; else the slowest."""
    seconds = {r.name: cost.at(r.cell.sampler.name, cost.batches[-1])["seconds"].median() for r in (row, *solvers)}
    ordered = sorted(solvers, key=lambda other: seconds[other.name])
    return next((other for other in ordered if seconds[other.name] >= seconds[row.name]), ordered[-1])
