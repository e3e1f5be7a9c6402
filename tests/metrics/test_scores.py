"""Scores that need no reference set, and distances to the uncached twin: against torch-fidelity or their formula."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch_fidelity.metric_isc import isc_features_to_metric

from fcr_core.metrics import class_score, clip_score, embedding_drift, inception_score, latent_mse, lit_score, psnr, ssim

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, size=(53, 7))
IMAGES = RNG.integers(0, 256, size=(3, 24, 20, 3), dtype=np.uint8)
TWINS = np.clip(IMAGES + RNG.integers(-40, 40, size=IMAGES.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("splits", [1, 10])
def test_the_inception_score_equals_torch_fidelity(splits):
    expected = isc_features_to_metric(torch.from_numpy(LOGITS), splits=splits, shuffle=False)
    measured = inception_score.of_set(LOGITS, splits=splits)
    assert measured["inception_score"] == pytest.approx(expected["inception_score_mean"], rel=1e-9)
    assert measured["inception_score_sd"] == pytest.approx(expected["inception_score_std"], rel=1e-9)


def test_the_inception_score_has_ten_splits():
    assert inception_score.of_set(LOGITS) == inception_score.of_set(LOGITS, splits=10)
    with pytest.raises(ValueError, match="9 images are too few for 10 splits"):
        inception_score.of_set(LOGITS[:9])


def test_the_class_score_is_the_inception_score_of_one_split():
    assert class_score.of_set(LOGITS) == inception_score.of_set(LOGITS, splits=1)["inception_score"]
    assert class_score.of_set(np.tile(LOGITS[:1], (9, 1))) == pytest.approx(1)
    assert class_score.of_set(100 * np.eye(7)) == pytest.approx(7)


def test_the_clip_score_is_100_times_the_cosine_and_never_negative():
    images, texts = np.array([[1.0, 0], [0, 2], [1, 0]]), np.array([[3.0, 0], [1, 1], [-1, 0]])
    assert clip_score.per_image(images, texts) == pytest.approx([100, 100 / np.sqrt(2), 0])


def test_the_lit_score_is_100_times_the_cosine():
    images, texts = np.array([[1.0, 0, 0], [0, 2, 0]]), np.array([[3.0, 0, 0], [0, 1, 1]])
    assert lit_score.per_image(images, texts) == pytest.approx([100, 100 / np.sqrt(2)])


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
    clips = [np.stack([latents] * 3, axis=2) for latents in (a, b)]
    np.testing.assert_allclose(latent_mse.per_image(*clips), latent_mse.per_image(a, b))


def test_the_drift_of_a_set_is_the_root_of_the_mean_square_of_its_images():
    a, b = np.zeros((2, 4)), np.array([[1.0, 1, 1, 1], [3, 3, 3, 3]])
    assert embedding_drift.per_image(a, b).tolist() == [1, 3]


def test_psnr_is_its_formula_and_finite_for_equal_images():
    errors = ((IMAGES.astype(float) - TWINS) ** 2).mean((1, 2, 3))
    assert psnr.per_image(IMAGES, TWINS) == pytest.approx(10 * np.log10(255**2 / errors), rel=1e-9)
    off_by_one = IMAGES.copy()
    off_by_one[:, 0, 0, 0] ^= 1
    assert (psnr.per_image(IMAGES, IMAGES) == psnr.per_image(IMAGES, off_by_one)).all()


def test_ssim_is_wangs_formula():
    measured = ssim.per_image(IMAGES, TWINS)
    for image, twin, value in zip(IMAGES.astype(float), TWINS.astype(float), measured, strict=True):
        assert value == pytest.approx(np.mean([wang(image[..., c], twin[..., c]) for c in range(3)]), rel=1e-9)
    assert ssim.per_image(IMAGES, IMAGES) == pytest.approx(1)


def wang(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 13 of Wang et al. (2004), σ = 1.5, 11 x 11 pixels, over the windows that lie inside the image."""

    def mean(z):
        return gaussian_filter(z, 1.5, radius=5)[5:-5, 5:-5]

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y, cov = mean(x * x) - mu_x**2, mean(y * y) - mu_y**2, mean(x * y) - mu_x * mu_y
    return ((2 * mu_x * mu_y + c1) * (2 * cov + c2) / ((mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2))).mean()
