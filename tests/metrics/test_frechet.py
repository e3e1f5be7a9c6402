"""Fréchet distances against clean-fid, torch-fidelity and closed forms."""

import numpy as np
import pytest
import torch
from cleanfid.fid import fid_from_feats
from scipy.stats import ortho_group
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from fcr_core.metrics import frechet, frechet_infinity, frechet_pca, rows
from fcr_core.metrics.frechet import Moments, frechet_distance

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(400, 24)), RNG.normal(0.3, 1.2, size=(500, 24))
GROUPS = np.arange(len(X)) % 20


def test_the_distance_equals_torch_fidelity():
    statistics = [fid_features_to_statistics(torch.from_numpy(z)) for z in (X, Y)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet.of_set(X, Y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # clean-fid calls sqrtm with `disp`
def test_the_distance_equals_clean_fid():
    assert frechet.of_set(X, Y) == pytest.approx(fid_from_feats(X, Y), rel=1e-9)


def test_the_distance_of_known_gaussians():
    # Commuting covariances: ‖μ‖² + Σ (σ_x − σ_y)² = 9 + 1 + 0 + 4.
    x = Moments(3, np.zeros(3), 2 * np.diag([1.0, 4, 9]))
    y = Moments(5, np.array([3.0, 0, 0]), 4 * np.diag([4.0, 4, 1]))
    assert frechet_distance(x, y) == pytest.approx(14, rel=1e-12)


def test_the_distance_is_symmetric_and_keeps_under_rotation():
    rotation = ortho_group.rvs(24, random_state=0)
    assert frechet.of_set(X @ rotation, Y @ rotation) == pytest.approx(frechet.of_set(X, Y), rel=1e-9)
    assert frechet.of_set(Y, X) == pytest.approx(frechet.of_set(X, Y), rel=1e-9)


def test_a_reference_with_fewer_rows_than_dimensions_is_measured_within_its_span():
    flat = np.pad(X[:, :3], ((0, 0), (0, 30))), np.pad(Y[:, :3], ((0, 0), (0, 30)))
    assert Moments.of(flat[1]).factor.shape == (33, 3)
    assert frechet.of_set(*flat) == pytest.approx(frechet.of_set(X[:, :3], Y[:, :3]), rel=1e-9)


def test_a_constant_reference_leaves_the_mean_gap_and_the_variance():
    expected = ((X - 1) ** 2).mean(0).sum() + X.var(0).sum() / (len(X) - 1)
    assert frechet.of_set(X, np.ones((9, 24))) == pytest.approx(expected, rel=1e-9)


def test_moments_of_shards_added_are_those_of_one_pass(monkeypatch):
    whole = Moments.of(X)
    merged = Moments.of(X[:1]) + Moments.of(X[1:150]) + Moments.of(X[150:])
    monkeypatch.setattr(rows, "BLOCK", 7)
    for moments in (merged, Moments.of(X), Moments.of(RNG.permutation(X))):
        assert moments.count == whole.count == 400
        np.testing.assert_allclose(moments.mean, X.mean(0), rtol=0, atol=1e-14)
        np.testing.assert_allclose(moments.covariance, np.cov(X, rowvar=False), rtol=0, atol=1e-13)


def test_moments_subtracted_are_those_of_the_other_rows():
    rest = Moments.of(X) - Moments.of(X[:20])
    assert rest.count == 380
    np.testing.assert_allclose(rest.mean, X[20:].mean(0), rtol=0, atol=1e-14)
    np.testing.assert_allclose(rest.covariance, np.cov(X[20:], rowvar=False), rtol=0, atol=1e-13)


def test_a_covariance_needs_two_rows():
    with pytest.raises(ValueError, match="at least 2 images, not 1"):
        frechet.of_set(X[:1], Y)


def test_principal_axes_keep_all_when_the_data_has_no_more():
    flat = np.pad(X[:, :3], ((0, 0), (0, 100))), np.pad(Y[:, :3], ((0, 0), (0, 100)))
    assert frechet_pca.of_set(*flat) == pytest.approx(frechet.of_set(X[:, :3], Y[:, :3]), rel=1e-9)


def test_principal_axes_are_the_64_of_most_variance():
    scales = np.r_[np.full(64, 3.0), np.full(16, 0.1)]
    x, y = RNG.normal(size=(300, 80)) * scales + 1, RNG.normal(size=(2000, 80)) * scales
    assert frechet_pca.of_set(x, y) == pytest.approx(frechet.of_set(x[:, :64], y[:, :64]), rel=0.01)


@pytest.mark.parametrize("metric", [frechet, frechet_pca])
def test_leaving_groups_out_equals_measuring_the_others_anew(metric):
    expected = [metric.of_set(X, Y), *(metric.of_set(X[group != GROUPS], Y) for group in range(20))]
    assert list(metric.left_out(X, Y, GROUPS)) == pytest.approx(expected, rel=1e-9)


def test_the_extrapolation_removes_the_bias_of_the_sample():
    x, y = RNG.normal(size=(2000, 40)), RNG.normal(size=(100_000, 40))
    assert frechet.of_set(x, y) > 0.2
    assert abs(frechet_infinity.of_set(x, y)) < 0.03


def test_the_extrapolation_is_repeatable_and_from_the_published_sizes():
    assert frechet_infinity.of_set(X, Y) == frechet_infinity.of_set(X, Y)
    assert frechet_infinity.sizes(100_000)[[0, -1]].tolist() == [5000, 100_000]
    assert frechet_infinity.sizes(1000)[[0, -1]].tolist() == [100, 1000]
    with pytest.raises(ValueError, match="at least 20 images, not 19"):
        frechet_infinity.of_set(X[:19], Y)
