import pytest
import torch
from diffusers import PNDMScheduler

from fcr_core.caching.run_state import position


def test_an_element_of_the_timesteps_is_found_by_its_place_others_by_value():
    """PNDM visits its second timestep twice; only the place tells the two apart."""
    scheduler = PNDMScheduler(skip_prk_steps=True)
    scheduler.set_timesteps(10)
    times = scheduler.timesteps
    assert times[1] == times[2]
    assert [position(times, t) for t in times] == list(range(11))
    assert [position(times, t) for t in times[2:]] == list(range(2, 11))
    assert position(times, times[3].clone()) == 3
    with pytest.raises(ValueError, match="none of the scheduler's"):
        position(times, torch.tensor(5))
