import numpy as np
import pytest

from fcr_core.metrics.frechet import of_set as frechet_distance
from fcr_core.statistics.frechet_influence import linearised_frechet
from fcr_core.statistics.intervals import Jackknifed

RNG = np.random.default_rng(0)
SEEDS, PROMPTS, WIDTH = 2, 300, 6
REFERENCE = RNG.normal(size=(500, WIDTH)) * np.linspace(0.5, 2, WIDTH)
MOMENTS = REFERENCE.mean(0), np.cov(REFERENCE, rowvar=False)


def arms() -> tuple[np.ndarray, np.ndarray]:
    """Two arms (seeds, prompts, d) that share prompts and most of the noise; the second is further from the reference."""
    shared = 0.6 * RNG.normal(size=(1, PROMPTS, WIDTH)) + 0.8 * RNG.normal(size=(SEEDS, PROMPTS, WIDTH))
    first, second = (0.97 * shared + 0.2 * RNG.normal(size=shared.shape) for _ in range(2))
    return 1.3 * first + 0.3, 1.4 * second + 0.35


def jackknifed(features: np.ndarray, groups: int = 100) -> Jackknifed:
    """All seeds together, a group of prompts left out in turn."""
    kept = [np.arange(PROMPTS) % groups != group for group in range(groups)]
    distances = [frechet_distance(features[:, k].reshape(-1, WIDTH), REFERENCE) for k in (slice(None), *kept)]
    return Jackknifed(distances[0], np.array(distances[1:]))


def test_the_value_is_the_distance_of_all_seeds_together():
    features, _ = arms()
    assert linearised_frechet(features, *MOMENTS).value == pytest.approx(frechet_distance(features.reshape(-1, WIDTH), REFERENCE))


def distance_of_weighted(rows: np.ndarray, weights: np.ndarray) -> float:
    """The distance's definition for a weighted sample: by the eigenvalues of Σ Σ_r, which are those of R Σ R."""
    mean = weights @ rows
    covariance = (rows - mean).T * weights @ (rows - mean)
    cross = np.sqrt(np.linalg.eigvals(covariance @ MOMENTS[1]).real).sum()
    return ((mean - MOMENTS[0]) ** 2).sum() + np.trace(covariance) + np.trace(MOMENTS[1]) - 2 * cross


def test_the_influence_is_the_derivative_of_the_distance_when_one_image_gains_mass():
    features, _ = arms()
    rows, step = features[:1].reshape(-1, WIDTH), 1e-6
    influence = linearised_frechet(features[:1], *MOMENTS).influence
    even = np.full(PROMPTS, 1 / PROMPTS)
    for i in (0, 7, 101):
        more, less = ((1 - e) * even + e * (np.arange(PROMPTS) == i) for e in (step, -step))
        slope = (distance_of_weighted(rows, more) - distance_of_weighted(rows, less)) / (2 * step)
        # The covariance has n − 1 in its denominator here and n there.
        assert influence[i] == pytest.approx(slope, rel=0.02, abs=0.02)


def test_seeds_are_averaged_within_a_prompt():
    features, _ = arms()
    twice = linearised_frechet(np.concatenate([features, features]), *MOMENTS)
    once = linearised_frechet(features, *MOMENTS)
    assert twice.influence == pytest.approx(once.influence, rel=0.02, abs=0.01)
    assert twice.interval().high - twice.value == pytest.approx(once.interval().high - once.value, rel=0.02)


@pytest.mark.parametrize("compare", ["difference", "relative_change"])
def test_the_error_of_paired_arms_is_that_of_the_jackknife(compare):
    worse, better = reversed(arms())
    by_influence = getattr(linearised_frechet(worse, *MOMENTS), compare)(linearised_frechet(better, *MOMENTS))
    by_jackknife = getattr(jackknifed(worse), compare)(jackknifed(better))
    assert by_influence.value == pytest.approx(by_jackknife.value)
    width, expected = by_influence.high - by_influence.low, by_jackknife.high - by_jackknife.low
    assert width == pytest.approx(expected, rel=0.1)


def test_pairing_cancels_what_both_arms_share():
    worse, better = (linearised_frechet(features, *MOMENTS) for features in reversed(arms()))
    gap = worse.difference(better)
    assert gap.high - gap.low < 0.5 * (worse.interval().high - worse.interval().low)


def test_no_more_images_than_dimensions_is_an_error():
    with pytest.raises(ValueError, match="needs more images than dimensions"):
        linearised_frechet(RNG.normal(size=(1, WIDTH, WIDTH)), *MOMENTS)


def test_a_reference_that_does_not_span_all_dimensions_is_fine():
    flat = REFERENCE * (np.arange(WIDTH) > 0)
    features, _ = arms()
    linearised = linearised_frechet(features, flat.mean(0), np.cov(flat, rowvar=False))
    assert linearised.value == pytest.approx(frechet_distance(features.reshape(-1, WIDTH), flat), rel=1e-6)
    assert np.isfinite(linearised.influence).all()
