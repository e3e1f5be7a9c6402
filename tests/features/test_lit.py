import numpy as np
import pytest

from fcr_core.features import lit


def arrays(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(count, 1280)).astype(np.float32), generator.normal(size=(count, 384)).astype(np.float32)


def test_projections_are_finite_and_learn_to_match():
    images, texts = arrays()
    made = lit.train(images, texts, list("abcdef"), steps=30, seed=0)
    a, b = images @ made["image"], texts @ made["text"]
    assert all(np.isfinite(part).all() for part in made.values())
    assert ((a @ b.T).argmax(1) == range(6)).all()


@pytest.mark.parametrize("broken", ["a value", "all the same"])
def test_features_that_would_spoil_the_projections_are_refused_at_the_first_step(broken):
    images, texts = arrays()
    if broken == "a value":
        images[2, 5] = np.nan
    else:
        images[:] = 1
    with pytest.raises(FloatingPointError, match="LiT: the loss is nan at step 1: look for features") as raised:
        lit.train(images, texts, list("abcdef"), steps=3, seed=0)
    assert "\n" not in str(raised.value)
