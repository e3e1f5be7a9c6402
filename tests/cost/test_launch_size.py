import time
from types import SimpleNamespace

import torch

from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.launch_size import fastest_max_parallel

from ..caching.test_encoder_cache import make_pipe, run


def test_the_fastest_is_found_and_the_pipeline_left_as_it_was():
    """Launches cost 4 ms, those of more than eight rows 100 ms: two steps of four rows a launch are best."""
    pipe = make_pipe()
    block = pipe.unet.up_blocks[0]

    class SlowWhenLarge(type(block)):
        def forward(self, *args, **kwargs):
            time.sleep(0.004 if len(kwargs["temb"]) <= 8 else 0.1)
            return super().forward(*args, **kwargs)

    block.__class__ = SlowWhenLarge
    best = fastest_max_parallel(pipe, Plan(KeySteps.uniform(6)), lambda: run(pipe), candidates=(1, 2, 4), repeats=2)
    assert best == 2
    assert "forward" not in vars(pipe.unet) and isinstance(pipe, SimpleNamespace)
    assert torch.isfinite(run(pipe)).all()
