"""KID and CMMD against torch-fidelity and their definitions."""

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from fcr_core.metrics import cmmd, kid, rows

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(90, 12)), RNG.normal(0.3, 1.2, size=(90, 12))
GROUPS = np.arange(len(X)) % 20


def torch_fidelity(x: np.ndarray, y: np.ndarray, **more) -> float:
    """On one subset, which is all rows."""
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    result = kid_features_to_metric(*tensors, kid_subsets=1, kid_subset_size=len(x), verbose=False, **more)
    return result["kernel_inception_distance_mean"]


def test_kid_equals_torch_fidelity_on_one_subset_of_all_rows():
    assert kid.of_set(X, Y) == pytest.approx(torch_fidelity(X, Y), rel=1e-9)


def test_kid_of_sets_of_different_sizes_is_its_formula():
    kernel = [[(a @ b.T / 12 + 1) ** 3 for b in (X, Y[:50])] for a in (X, Y[:50])]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel[0][0], kernel[1][1])]
    assert kid.of_set(X, Y[:50]) == pytest.approx(sum(within) - 2 * kernel[0][1].mean(), rel=1e-9)


def test_kid_is_unbiased_the_mean_over_samples_of_one_law_is_zero():
    values = [kid.of_set(RNG.normal(size=(20, 4)), RNG.normal(size=(30, 4))) for _ in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)


def test_float32_features_lose_nothing_but_their_own_rounding():
    x, y = X.astype(np.float32), Y.astype(np.float32)
    assert kid.of_set(x, y) == pytest.approx(kid.of_set(x.astype(float), y.astype(float)), rel=1e-12)


@pytest.mark.parametrize("block", [1, 7, 89])
def test_blocks_and_the_order_of_rows_change_nothing(monkeypatch, block):
    expected = kid.of_set(X, Y), cmmd.of_set(X, Y)
    monkeypatch.setattr(rows, "BLOCK", block)
    x, y = RNG.permutation(X), RNG.permutation(Y)
    assert kid.of_set(x, y) == pytest.approx(expected[0], rel=1e-9)
    assert cmmd.of_set(x, y) == pytest.approx(expected[1], rel=1e-9)


def test_leaving_groups_out_equals_measuring_the_others_anew():
    for metric in (kid, cmmd):
        expected = [metric.of_set(X, Y), *(metric.of_set(X[group != GROUPS], Y) for group in range(20))]
        values = list(metric.left_out(X, Y, GROUPS))
        assert len(values) == len(expected) == 21
        for value, other in zip(values, expected, strict=True):
            assert value == pytest.approx(other, rel=1e-9)


def test_both_cmmd_statistics_are_those_of_the_papers_kernel():
    x, y = rows.unit_rows(X), rows.unit_rows(Y)
    unbiased = torch_fidelity(x, y, kid_kernel="rbf", kid_kernel_rbf_sigma=10)
    kernel = [[np.exp(-((a[:, None] - b) ** 2).sum(2) / 200).mean() for b in (x, y)] for a in (x, y)]
    expected = {"cmmd_u": 1000 * unbiased, "cmmd_v": 1000 * (kernel[0][0] + kernel[1][1] - 2 * kernel[0][1])}
    assert cmmd.of_set(5 * X, Y) == pytest.approx(expected, rel=1e-9)
