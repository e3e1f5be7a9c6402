import pandas as pd
import pytest

from fcr_core.tables.column_meanings import ENDINGS, columns_of, page
from fcr_core.tables.results_table import COUNTED, COUNTS, DISTANCES, NAMES


def test_a_column_and_its_endings_are_explained_once():
    text = page(["variation", "kid_effnet", "kid_effnet_low", "kid_effnet_delta", "feature_variance_d10"])
    assert "| `kid_effnet` | KID (EfficientNet-lite0): lower is better; Binkowski" in text
    assert "`kid_effnet_low`" not in text and f"| `_low` | {ENDINGS['_low']} |" in text and "`_q25`" not in text
    assert "Δ = 10 training timesteps" in text


def test_statistics_of_the_measurements_are_explained_as_the_columns_that_they_would_be():
    lines = [("latency_ms_b1", "value"), ("latency_ms_b1", "q25"), ("latency_ms_b8", "value"), ("kid_effnet", "from_control")]
    columns = columns_of(["variation", "kid_effnet"], pd.DataFrame(lines, columns=["metric", "statistic"]))
    assert columns == [
        "variation",
        "kid_effnet",
        "latency_ms_b1",
        "latency_ms_b1_q25",
        "latency_ms_b8",
        "kid_effnet_from_control",
    ]
    text = page(columns)
    for batch in (1, 8):
        assert text.count(f"| `latency_ms_b{batch}` | median milliseconds an image at batch {batch}, ") == 1
    assert "`_from_control`" in text and "`_q25`" in text


def test_every_column_of_a_table_is_explained():
    """Takes the names of all that tables are made of from the code."""
    page(
        [
            *NAMES,
            *COUNTS,
            *COUNTED,
            "machine",
            "n_twin_images",
            "speedup_b1",
            "peak_tensor_mb_b1",
            *DISTANCES,
            "latent_mse_own_median",
        ]
    )


def test_a_column_that_nothing_explains_is_named():
    with pytest.raises(ValueError, match="column mystery_low of the table is not explained"):
        page(["variation", "mystery_low"])
