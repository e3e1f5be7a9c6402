import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from fcr_core.statistics.correlation import fit, left_out_r2

RNG = np.random.default_rng(0)
X = RNG.normal(size=24)
Y = 2 * X + RNG.normal(size=24)


def test_r_and_its_interval_are_scipys():
    found, expected = fit(X, Y), stats.linregress(X, Y)
    assert found["r"] == pytest.approx(expected.rvalue) and found["r2"] == pytest.approx(expected.rvalue**2)
    z, error = np.arctanh(found["r"]), 1.959964 / np.sqrt(24 - 3)
    assert (found["r_low"], found["r_high"]) == pytest.approx((np.tanh(z - error), np.tanh(z + error)), rel=1e-5)
    assert found["r2_low"] < found["r2"] < found["r2_high"] and found["n_models"] == 24
    assert found["spearman"] == pytest.approx(stats.spearmanr(X, Y).statistic)


def test_the_left_out_r2_is_that_of_predictions_of_models_not_seen():
    predicted = cross_val_predict(LinearRegression(), X[:, None], Y, cv=LeaveOneOut())
    assert left_out_r2(X, Y) == pytest.approx(1 - ((Y - predicted) ** 2).sum() / ((Y - Y.mean()) ** 2).sum())


def test_noise_predicts_worse_than_the_mean():
    assert left_out_r2(X, RNG.normal(size=24)) < 0.1
