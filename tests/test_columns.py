import pytest

from fcr_core.columns import ENDINGS, page


def test_a_column_and_its_endings_are_explained_once():
    text = page(["variation", "kid_effnet", "kid_effnet_low", "kid_effnet_delta", "feature_variance_d10", "speedup_b1_high"][:5])
    assert "| `kid_effnet` | KID (EfficientNet-lite0): lower is better; Binkowski" in text
    assert "`kid_effnet_low`" not in text and f"| `_low` | {ENDINGS['_low']} |" in text and "`_q25`" not in text
    assert "Δ = 10 training timesteps" in text


def test_a_column_that_nothing_explains_is_named():
    with pytest.raises(ValueError, match="column mystery_low of the table is not explained"):
        page(["variation", "mystery_low"])
