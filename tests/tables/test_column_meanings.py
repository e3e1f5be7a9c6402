import pytest

from fcr_core.tables.column_meanings import ENDINGS, at_batches, page


def test_a_column_and_its_endings_are_explained_once():
    text = page(["variation", "kid_effnet", "kid_effnet_low", "kid_effnet_delta", "feature_variance_d10"])
    assert "| `kid_effnet` | KID (EfficientNet-lite0): lower is better; Binkowski" in text
    assert "`kid_effnet_low`" not in text and f"| `_low` | {ENDINGS['_low']} |" in text and "`_q25`" not in text
    assert "Δ = 10 training timesteps" in text


def test_costs_are_explained_at_the_batches_of_all_tables():
    columns = at_batches(["variation", "st_lpips_alex_base", "latency_ms_b1", "latency_ms_b1_q25", "latency_ms_b8"], [1, 8, 20])
    assert len(columns) == 2 + 2 * 3
    text = page(columns)
    for batch in (1, 8, 20):
        assert text.count(f"| `latency_ms_b{batch}` | median milliseconds an image at batch {batch}, ") == 1


def test_a_column_that_nothing_explains_is_named():
    with pytest.raises(ValueError, match="column mystery_low of the table is not explained"):
        page(["variation", "mystery_low"])
