import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from fcr_core.statistics.multiplicity import adjusted

TABLE = pd.DataFrame({"metric": ["a"] * 4 + ["b"], "p": [0.01, 0.04, 0.03, 0.005, 0.04]}, index=[9, 8, 7, 6, 5])


def test_holm_within_a_family_is_the_textbook_one():
    result = adjusted(TABLE, ["metric"])
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, and never falling.
    assert result["p_adjusted"].tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02, 0.04])
    assert result["rejected"].tolist() == [True, False, False, True, True]


def test_benjamini_hochberg_is_that_of_scipy():
    result = adjusted(TABLE, ["metric"], "benjamini-hochberg")
    assert result["p_adjusted"][:4].tolist() == pytest.approx(false_discovery_control(TABLE["p"][:4]).tolist())


def test_a_row_without_a_p_value_counts_for_no_family():
    holed = pd.concat([TABLE, pd.DataFrame({"metric": ["b"], "p": [np.nan]}, index=[4])])
    result = adjusted(holed, ["metric"])
    assert result["p_adjusted"][:5].tolist() == adjusted(TABLE, ["metric"])["p_adjusted"].tolist()
    assert np.isnan(result.loc[4, "p_adjusted"]) and not result.loc[4, "rejected"]
