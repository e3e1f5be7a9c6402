import pytest

from fcr_core.training.optimizers import lr_factor


def test_the_learning_rate_warms_up_and_cools_down():
    factors = [lr_factor(step, 100, warmup=9, cooldown=0.2) for step in range(100)]
    assert factors[0] == 0.1 and factors[9] == factors[80] == 1.0
    assert factors[90] == pytest.approx(0.5) and factors[99] == pytest.approx(0.05)
    assert lr_factor(99, 100, warmup=0, cooldown=0.0) == 1.0
