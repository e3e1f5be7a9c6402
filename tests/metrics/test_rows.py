"""No metric gives a number where there is none: rows that are NaN, too few, or do not fit one another are refused by its name."""

import numpy as np
import pytest

from fcr_core.metrics import (
    class_score,
    clip_score,
    cmmd,
    embedding_drift,
    frechet,
    frechet_infinity,
    frechet_pca,
    inception_score,
    joint_precision_recall,
    kid,
    latent_mse,
    lit_score,
    precision_recall,
    prompt_precision_recall,
    psnr,
    ssim,
)
from fcr_core.metrics.left_out import replicates
from fcr_core.metrics.metric import errors_named
from fcr_core.metrics.registry import SETS
from fcr_core.metrics.rows import unit_rows

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 6)), RNG.normal(size=(50, 6))
AGAINST_REAL = [kid, cmmd, frechet, frechet_pca, frechet_infinity, precision_recall, joint_precision_recall]
OF_LOGITS = [class_score, inception_score]
OF_EMBEDDINGS = [clip_score, lit_score, embedding_drift]
IMAGES = RNG.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def name_of(module) -> str:
    return module.__name__.split(".")[-1]


def with_one(value: float, rows: np.ndarray) -> np.ndarray:
    changed = rows.copy()
    changed[(5 % len(rows), *[0] * (rows.ndim - 1))] = value
    return changed


def refusal(function, *arguments) -> str:
    with pytest.raises(ValueError) as raised:
        function(*arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_every_metric_of_sets_is_among_those_tested():
    assert {*AGAINST_REAL, *OF_LOGITS, prompt_precision_recall} == set(SETS.values())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("metric", AGAINST_REAL, ids=name_of)
def test_features_that_are_not_finite_are_refused(metric, value):
    for sampled, real in ((with_one(value, X), Y), (X, with_one(value, Y))):
        text = refusal(metric.of_set, sampled, real)
        assert "NaN or infinite" in text and "the first is row 5" in text
        if metric is not joint_precision_recall:  # the plain formulas, in another space
            assert text.startswith(name_of(metric))


@pytest.mark.parametrize("metric", AGAINST_REAL, ids=name_of)
def test_too_few_rows_are_refused_with_how_many_are_needed(metric):
    least = {frechet_infinity: 20, precision_recall: 6, joint_precision_recall: 6}.get(metric, 2)
    for count in (1, least - 1):
        assert f"at least {least} images, not {count}" in refusal(metric.of_set, X[:count], Y)
    assert "not 0" in refusal(metric.of_set, X[:0], Y)


@pytest.mark.parametrize("metric", [kid, cmmd, frechet, frechet_pca, precision_recall], ids=name_of)
def test_so_are_too_few_real_ones(metric):
    assert "at least" in refusal(metric.of_set, X, Y[:1]) and "not 1" in refusal(metric.of_set, X, Y[:1])


@pytest.mark.parametrize("metric", AGAINST_REAL, ids=name_of)
def test_rows_of_another_network_are_refused(metric):
    assert "rows of several widths" in refusal(metric.of_set, X, Y[:, :4])


@pytest.mark.parametrize("metric", OF_LOGITS, ids=name_of)
def test_logits_that_are_not_finite_or_not_there_are_refused(metric):
    assert "NaN or infinite" in refusal(metric.of_set, with_one(np.nan, X))
    assert "not 0" in refusal(metric.of_set, X[:0]) or "0 images" in refusal(metric.of_set, X[:0])
    assert np.isfinite(class_score.of_set(X[:1]))


def test_a_prompts_metric_needs_a_real_image_for_each_prompt():
    sampled = np.stack([X, X + 0.1])
    assert "50 real images, one is needed for each of 40 prompts" in refusal(prompt_precision_recall.per_prompt, sampled, Y)
    assert "at least 6 images, not 4" in refusal(prompt_precision_recall.per_prompt, sampled[:, :4], Y[:4])
    assert "NaN or infinite" in refusal(prompt_precision_recall.per_prompt, with_one(np.nan, sampled), Y[:40])


@pytest.mark.parametrize("metric", [*OF_EMBEDDINGS, latent_mse], ids=name_of)
def test_each_image_has_its_own_finite_twin(metric):
    name = name_of(metric)
    for images, others in ((X, X[:1]), (X[:1], X), (X, X[:, :3])):
        assert refusal(metric.per_image, images, others).startswith(f"{name}: images")
    assert refusal(metric.per_image, with_one(np.nan, X), X).startswith(f"{name}: NaN or infinite images in 1 of 40 rows")
    assert refusal(metric.per_image, X[:0], X[:0]) == f"{name} needs at least 1 image, not 0"


@pytest.mark.parametrize("metric", [psnr, ssim], ids=name_of)
def test_pictures_are_of_bytes_and_of_one_size(metric):
    assert np.isfinite(metric.per_image(IMAGES, IMAGES)).all()
    assert "pixels must be uint8 (0 to 255), not float64" in refusal(metric.per_image, IMAGES / 255, IMAGES)
    assert "needs a twin of its own shape" in refusal(metric.per_image, IMAGES, IMAGES[:, :8])
    assert "at least 1 image, not 0" in refusal(metric.per_image, IMAGES[:0], IMAGES[:0])


def test_pictures_smaller_than_ssims_window_are_refused():
    assert refusal(ssim.per_image, IMAGES[:, :8], IMAGES[:, :8]) == "ssim needs images of at least 11 x 11 pixels, not 8 x 16"


def test_a_row_without_a_direction_is_refused():
    assert "row 1 of 2 has length 0" in refusal(unit_rows, np.array([[1.0, 0], [0, 0]]))


@pytest.mark.parametrize("metric", [kid, frechet, precision_recall], ids=name_of)
def test_a_jackknife_needs_groups_that_leave_enough(metric):
    assert "needs at least 2 prompts, not 1" in refusal(lambda: list(replicates(metric, X[None, :1], Y)))
    assert "at least" in refusal(lambda: list(replicates(metric, X[None, :2], Y)))


def test_what_is_refused_names_the_metric_and_the_network():
    with (
        pytest.raises(ValueError, match=r"^kid of inception features: kid needs at least 2 images, not 1"),
        errors_named(kid, "inception"),
    ):
        kid.of_set(X[:1], Y)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("width", [1, 3, 64, 300])
def test_a_frechet_distance_is_never_negative(width, scale):
    for count in (2, 5, 200):
        rows = scale * RNG.normal(size=(count, width))
        for other in (rows, rows[::-1], rows * (1 + 1e-15), np.ones_like(rows)):
            assert frechet.of_set(rows, other) >= 0
        assert frechet.of_set(rows, rows) <= 1e-6 * scale**2 * width
        assert min(frechet.left_out(rows, rows, np.arange(count) % min(count, 20))) >= 0 if count > 2 else True


def test_moments_of_no_set_of_rows_are_refused():
    sound = frechet.Moments.of(X)
    broken = frechet.Moments(sound.count, sound.mean, -2 * sound.scatter)
    assert "a distance of -" in refusal(frechet.frechet_distance, broken, sound)
