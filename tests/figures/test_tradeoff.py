import pandas as pd

from fcr_core.figures.tradeoff import colour_of, tradeoff


def test_every_row_is_drawn_however_many_there_are():
    """More rows than there are markers."""
    names = [f"DDIM-{i}" for i in range(14)]
    table = pd.DataFrame({"variation": names, "flop_limit_vs_uncached": 1.0, "n_prompts": 3, "n_seeds": 1})
    for column in ("frechet_pca64_effnet", "latent_mse_base", "latency_ms_b8"):
        ends = ("_q25", "_q75") if column.startswith("latency") else ("_low", "_high")
        table = table.assign(**{column: range(1, 15), **{column + end: range(1, 15) for end in ends}})
    figure = tradeoff(table, pd.DataFrame({"metric": [], "value": []}), "DDIM-3", batch=8)
    assert set(names) <= {text.get_text() for text in figure.legends[0].get_texts()}


def test_kinds_of_rows_have_their_own_colours():
    names = ["DDIM-10", "FD-5", "FCR(0)-FD-10", "FCR(0.10)-FD-10"]
    assert len({colour_of(name) for name in names}) == 4
    assert colour_of("control-FD-5") == colour_of("FCR(0)-FD-10") and colour_of("mine-FD-5") == colour_of("FCR(0.10)-FD-10")
