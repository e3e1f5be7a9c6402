import pytest

from fcr_core.experiment.recipe import Recipe


def test_the_default_is_the_control():
    assert Recipe() == Recipe(denoise=1.0, lam=0.0, preserve=0.0, decoding=0.0)
    assert not Recipe().needs_trajectories


def test_trajectories_are_needed_for_decoding_and_for_pairs_from_rollouts():
    assert Recipe(decoding=1.0).needs_trajectories
    assert Recipe(lam=0.1, source="rollout").needs_trajectories
    assert not Recipe(source="rollout").needs_trajectories


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"distance": "l1"}, r"recipe key distance = 'l1': must be one of \['mse', 'relative', 'cosine'\]"),
        ({"denoise": 0.0}, "trains nothing"),
        ({"trains": "decoder", "decoding": 1.0}, "set denoise, lam and preserve to 0"),
        ({"trains": "decoder"}, "learns from the term decoding alone"),
        ({"decoding": 1.0, "nodes": 1}, "nothing to train"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Recipe.from_config(wrong)
