import pandas as pd
import pytest
from matplotlib.colors import to_hex

from fcr_core.experiment.row import ROLES
from fcr_core.figures.colours import COLOURS
from fcr_core.figures.registry import FIGURES
from fcr_core.figures.tradeoff import figure
from fcr_core.tables.places import place_of
from fcr_core.tables.results import Results

from ..experiments import experiment_of

METRICS = ("frechet_pca64_effnet", "latent_mse_base")
COST = {"batches": [8], "repeats": 4}


def drawn(rows: list, **fields):
    """The figure of rows whose numbers are their places in the table."""
    experiment = experiment_of(rows, cost=COST, **fields)
    names = [{"variation": row.name, "role": row.role, **place_of(row)._asdict()} for row in experiment.rows]
    table = pd.DataFrame(names).assign(flop_limit_vs_uncached=1.0, n_prompts=3, n_seeds=1)
    numbers = [float(i + 1) for i in range(len(table))]
    for column in (*METRICS, "latency_ms_b8"):
        ends = ("_q25", "_q75") if column.startswith("latency") else ("_low", "_high")
        table = table.assign(**{column: numbers, **{column + end: numbers for end in ends}})
    return experiment, figure(Results(experiment, table, pd.DataFrame({"asked": []})))


def legend_of(axis) -> dict[str, str]:
    """Colour by name."""
    handles, names = axis.get_legend_handles_labels()
    return {name: to_hex(handle[0].get_color()) for name, handle in zip(names, handles, strict=True) if hasattr(handle, "lines")}


def test_every_row_is_drawn_however_many_there_are():
    """More rows than there are markers."""
    experiment, shown = drawn([{"scheduler": "ddim", "steps": [*range(2, 16)]}])
    assert {row.name for row in experiment.rows} <= set(legend_of(shown.axes[0]))


def test_rows_have_the_colour_of_their_role_whatever_their_name():
    rows = ["uncached", {"scheduler": "dpm++", "steps": 20, "role": "reference"}, {"stride": 5}, {"stride": 10, "lam": [0, 0.1]}]
    experiment, shown = drawn([*rows, {"stride": 7, "name": "FCR(0)-not", "role": "cached"}])
    colours = legend_of(shown.axes[0])
    assert len(set(COLOURS.values())) == len(ROLES) and set(COLOURS) == set(ROLES)
    assert {row.name: COLOURS[row.role].lower() for row in experiment.rows} == {name: c.lower() for name, c in colours.items()}


def test_each_place_has_panels_of_its_own():
    _, shown = drawn([{"stride": [5, 10]}], datasets=["twemoji", "noto"])
    titles = [axis.get_title() for axis in shown.axes]
    assert len(titles) == 4 and titles[0].startswith("pocket on twemoji, clean: ") and "noto" in titles[2]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_says_what_an_experiment_lacks_for_it(name):
    nothing = experiment_of(["uncached"], goal=None, measures=["sets"])
    assert nothing.lacks(FIGURES[name].needs) == list(FIGURES[name].needs)
    whole = experiment_of(["uncached"], cost=COST, criteria="plan", mechanism={"sampler": "FD-10", "delta": 10})
    assert whole.lacks(FIGURES[name].needs) == []
