import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean

from fcr_core.figures.plane import PANELS, plane_figure
from fcr_core.tables.plane import Point, better_ways, plane_table, points_of


def test_the_plane_is_every_combination_beside_the_solvers():
    plane = {"strides": [5, 10], "cuts": [0, 2], "nodes": ["all", 2], "reuse": ["hold", "linear"], "ddim": [10, 20], "dpm++": [5]}
    points = points_of(plane, 50)
    names = [point.name for point in points]
    assert len(set(names)) == len(names) == 1 + 3 + 2 * 2 * 2 * 2 + 2
    chosen = points[names.index("FD-10 cut 2 nodes 2 linear")]
    assert chosen == Point(chosen.name, "FD cut 2", "ddim", 50, 10, 2, "linear", 2)
    assert points[names.index("DeepCache-5 cut 2")].live


def table() -> pd.DataFrame:
    """FD-5; one twice as fast and as close; two faster yet, 20 % further and as noisy as far; one close and not fast enough."""
    rng = np.random.default_rng(0)
    goal = pd.Series(rng.uniform(1, 2, 40))
    noisy = goal * rng.uniform(0, 2.2, 40)
    columns = {"FD-5": goal, "close": goal * 1.01, "far": goal * 1.2, "noisy": noisy, "slower": goal}
    distances = {name: pd.DataFrame(dict.fromkeys(PANELS, column)) for name, column in columns.items()}
    seconds = {"FD-5": 0.2, "close": 0.09, "far": 0.09, "noisy": 0.09, "slower": 0.11}
    latency = pd.DataFrame(
        [(n, r, s + 0.001 * r) for n, s in seconds.items() for r in range(3)], columns=["sampler", "repeat", "seconds_per_image"]
    )
    points = [Point(name, "uncached" if name == "FD-5" else "FD cut 0", "ddim", 50, 5) for name in columns]
    counted = {name: {"encoder_passes": 10, "decoder_passes": 50, "flop_limit": 1.35} for name in columns}
    return plane_table(points, distances, latency, counted, "FD-5").set_index("name")


def test_a_row_is_no_worse_only_if_its_bound_is_inside_the_margin():
    rows = table()
    verdicts = rows["latent_mse_no_worse_than_FD-5"].to_dict()
    assert verdicts == {"FD-5": "met", "close": "met", "far": "not met", "noisy": "inconclusive", "slower": "met"}
    rounds = np.array([0.2, 0.201, 0.202]) / np.array([0.09, 0.091, 0.092])
    assert rows.loc["close", "speedup_over_FD-5"] == pytest.approx(gmean(rounds))
    assert rows.loc["close", "latent_mse_low"] < rows.loc["close", "latent_mse"] < rows.loc["close", "latent_mse_high"]
    assert (rows["n_images"] == 40).all()


def test_better_is_twice_as_fast_and_as_close():
    rows = table().reset_index()
    assert rows.set_index("name")["twice_as_fast_as_FD-5"].to_dict() == {
        "FD-5": "not met", "close": "met", "far": "met", "noisy": "met", "slower": "not met"
    }  # fmt: skip
    assert better_ways(rows, "FD-5")["name"].tolist() == ["close"]


def test_the_figure_names_every_family_and_the_goal():
    figure = plane_figure(table().reset_index(), "FD-5")
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"FD cut 0", "front", "FD-5"} <= labels
