import pytest

from fcr_core import KeySteps


@pytest.mark.parametrize("steps, stride", [(50, 1), (50, 5), (50, 15), (50, 20), (7, 7)])
def test_groups_cover_all_steps_and_start_at_multiples_of_the_stride(steps, stride):
    groups = KeySteps.uniform(stride).groups(steps)
    assert [step for group in groups for step in group] == list(range(steps))
    assert [group.start for group in groups] == list(range(0, steps, stride))


def test_the_last_group_may_be_shorter():
    assert [len(group) for group in KeySteps.uniform(15).groups(50)] == [15, 15, 15, 5]


def test_explicit_key_steps():
    assert [len(g) for g in KeySteps.explicit([0, 1, 2, 3, 5, 10, 15, 25, 35]).groups(50)] == [1, 1, 1, 2, 5, 5, 10, 10, 15]


@pytest.mark.parametrize(
    "make", [lambda: KeySteps.uniform(0), lambda: KeySteps.explicit([1, 2]), lambda: KeySteps.explicit([0, 0])]
)
def test_impossible_key_steps_are_refused(make):
    with pytest.raises(ValueError, match=r"stride|key steps"):
        make()


def test_a_stride_beyond_the_steps_is_refused():
    with pytest.raises(ValueError, match="do not fit into 5"):
        KeySteps.uniform(6).groups(5)
