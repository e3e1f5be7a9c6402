"""Each metric against torch-fidelity, scipy or a closed form."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import ortho_group
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from fcr_core.metrics import class_score, frechet_pca, kid, latent_mse, lit_score

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 12)), RNG.normal(0.3, 1.2, size=(40, 12))


def test_kid_equals_torch_fidelity_on_one_subset_of_all_rows():
    expected = kid_features_to_metric(torch.from_numpy(X), torch.from_numpy(Y), kid_subsets=1, kid_subset_size=40, verbose=False)[
        "kernel_inception_distance_mean"
    ]
    assert kid.of_set(X, Y) == pytest.approx(expected, rel=1e-9)


def test_kid_is_unbiased_the_mean_over_samples_of_one_law_is_zero():
    values = [kid.of_set(RNG.normal(size=(20, 4)), RNG.normal(size=(30, 4))) for _ in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)


def test_frechet_equals_the_formula_with_a_matrix_square_root():
    covariances = [np.cov(z, rowvar=False) for z in (X, Y)]
    gap = X.mean(0) - Y.mean(0)
    expected = gap @ gap + np.trace(sum(covariances) - 2 * sqrtm(covariances[0] @ covariances[1]).real)
    assert frechet_pca.frechet_distance(X, Y) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_known_gaussians_and_under_rotation():
    x = RNG.normal(size=(200_000, 3)) * [1, 2, 3]
    y = RNG.normal(size=(200_000, 3)) * [2, 2, 1] + [3, 0, 0]
    # Commuting covariances: ‖μ‖² + Σ (σ_x − σ_y)² = 9 + 1 + 0 + 4.
    assert frechet_pca.frechet_distance(x, y) == pytest.approx(14, rel=0.02)
    rotation = ortho_group.rvs(3, random_state=0)
    assert frechet_pca.frechet_distance(x @ rotation, y @ rotation) == pytest.approx(frechet_pca.frechet_distance(x, y))


def test_frechet_in_principal_axes_keeps_all_when_the_data_has_no_more():
    flat = np.pad(Y[:, :3], ((0, 0), (0, 100)))
    assert frechet_pca.of_set(np.pad(X[:, :3], ((0, 0), (0, 100))), flat) == pytest.approx(
        frechet_pca.frechet_distance(X[:, :3], Y[:, :3]), rel=1e-5
    )


def test_the_class_score_is_the_inception_score_formula():
    logits = RNG.normal(0, 3, size=(50, 7))
    expected = isc_features_to_metric(torch.from_numpy(logits), splits=1, shuffle=False)["inception_score_mean"]
    assert class_score.of_set(logits) == pytest.approx(expected, rel=1e-6)
    assert class_score.of_set(np.tile(logits[:1], (9, 1))) == pytest.approx(1)


def test_the_lit_score_is_100_times_the_cosine():
    projections = {"image": np.eye(3), "text": np.eye(3)}
    images, texts = np.array([[1.0, 0, 0], [0, 2, 0]]), np.array([[3.0, 0, 0], [0, 1, 1]])
    assert lit_score.per_image(images, texts, projections) == pytest.approx([100, 100 / np.sqrt(2)])


def test_recall_counts_images_whose_caption_is_near():
    projections = {"image": np.eye(3), "text": np.eye(3)}
    texts = np.eye(3)
    images = np.array([[1, 0, 0], [0.9, 0.5, 0], [0.5, 0.4, 0.1]])
    assert lit_score.recall_at(1, images, texts, projections) == pytest.approx(1 / 3)
    assert lit_score.recall_at(2, images, texts, projections) == pytest.approx(2 / 3)
    assert lit_score.recall_at(3, images, texts, projections) == 1


def test_latent_mse_is_per_image():
    a, b = RNG.normal(size=(3, 4, 2, 2)), RNG.normal(size=(3, 4, 2, 2))
    assert latent_mse.per_image(a, b)[1] == pytest.approx(((a[1] - b[1]) ** 2).sum() / 16)
