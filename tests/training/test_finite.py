import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fcr_core.training.finite import largest, not_finite, spoilt_parts

BROKEN = [math.nan, math.inf, -math.inf]


@given(st.lists(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=5), min_size=1, max_size=5))
def test_the_largest_is_that_of_all_values(values):
    assert largest(map(torch.tensor, values)).item() == max(abs(value) for part in values for value in part)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", BROKEN)
def test_one_broken_value_among_many_is_seen_in_every_type(value, dtype):
    many = torch.full((1000,), 60_000.0, dtype=dtype)
    assert largest([torch.ones(3), many]).isfinite()  # its 2-norm would overflow float16
    many[777] = value
    assert not largest([torch.ones(3), many, torch.ones(2)]).isfinite()


def test_integers_and_empty_tensors_hold_nothing_to_see():
    assert largest([]).item() == largest([torch.tensor([1, 2]), torch.zeros(0)]).item() == 0


def test_the_first_value_that_is_not_finite_is_named():
    assert not_finite({"a": 1.0, "b": 2.0}) == ""
    assert not_finite({"a": 1.0, "b": math.inf, "c": math.nan}) == "b is inf"


def test_broken_parts_of_a_checkpoint_are_named():
    sound, broken = torch.ones(2), torch.tensor([1.0, math.nan])
    state = {"model": {"w": sound}, "optimizer": {"state": {0: {"m": [sound, broken]}}}, "ema": {"shadow": (broken,)}, "step": 3}
    assert spoilt_parts(state) == ["optimizer", "ema"]
