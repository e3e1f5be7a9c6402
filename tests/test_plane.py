import numpy as np
import pandas as pd

from fcr_core.plane import Point, plane_table, points_of
from fcr_core.plane_figure import PANELS, plane_figure


def test_the_plane_is_every_combination_beside_the_solvers():
    plane = {"strides": [5, 10], "cuts": [0, 2], "nodes": ["all", 2], "reuse": ["hold", "linear"], "ddim": [10, 20], "dpm++": [5]}
    points = points_of(plane, 50)
    names = [point.name for point in points]
    assert len(set(names)) == len(names) == 1 + 3 + 2 * 2 * 2 * 2 + 2
    chosen = points[names.index("FD-10 cut 2 nodes 2 linear")]
    assert chosen == Point(chosen.name, "FD cut 2", "ddim", 50, 10, 2, "linear", 2)
    assert points[names.index("DeepCache-5 cut 2")].live


def table() -> pd.DataFrame:
    """FD-5; one twice as fast and as close; one twice as fast and 20 % further; one as noisy as its distance."""
    rng = np.random.default_rng(0)
    goal = pd.Series(rng.uniform(1, 2, 40))
    noisy = goal * rng.uniform(0, 2.2, 40)
    columns = {"FD-5": goal, "close": goal * 1.01, "far": goal * 1.2, "noisy": noisy}
    distances = {name: pd.DataFrame(dict.fromkeys(PANELS, column)) for name, column in columns.items()}
    seconds = {"FD-5": 0.2, "close": 0.1, "far": 0.1, "noisy": 0.1}
    latency = pd.DataFrame(
        [(n, r, s + 0.001 * r) for n, s in seconds.items() for r in range(3)], columns=["sampler", "repeat", "seconds_per_image"]
    )
    points = [Point(name, "uncached" if name == "FD-5" else "FD cut 0", "ddim", 50) for name in columns]
    counted = {name: {"encoder_passes": 10, "decoder_passes": 50, "flop_limit": 1.35} for name in columns}
    return plane_table(points, distances, latency, counted, "FD-5").set_index("name")


def test_a_row_is_no_worse_only_if_its_bound_is_inside_the_margin():
    rows = table()
    verdicts = rows["latent_mse_no_worse_than_FD-5"].to_dict()
    assert verdicts == {"FD-5": "met", "close": "met", "far": "not met", "noisy": "inconclusive"}
    assert rows.loc["close", "speedup_over_FD-5"] == np.median([0.2, 0.201, 0.202]) / np.median([0.1, 0.101, 0.102])
    assert rows.loc["close", "latent_mse_low"] < rows.loc["close", "latent_mse"] < rows.loc["close", "latent_mse_high"]
    assert (rows["n_images"] == 40).all()


def test_the_figure_names_every_family_and_the_goal():
    figure = plane_figure(table().reset_index(), "FD-5")
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"FD cut 0", "front", "FD-5"} <= labels
