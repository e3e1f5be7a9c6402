"""How many steps are decoded in one launch."""

from __future__ import annotations

from fcr_core.unet.split_unet import Features

# On a CPU, a launch reads at most this many bytes of features, so that they fit its caches. On any device, it decodes at most
# LAUNCH_STEPS steps. Measured by benchmarks/launch_size.py: up to 8 MB, more steps a launch were 1.0 to 2.8 times as fast; beyond
# 20 MB, 0.8 to 1.0 times.
LAUNCH_BYTES = 8_000_000
LAUNCH_STEPS = 16


def steps_a_launch(features: Features) -> int:
    """Return how many steps to decode in one launch.

    It depends only on the size and device of one step's features, so samples stay reproducible.
    """
    if features[0].device.type != "cpu":
        return LAUNCH_STEPS
    return max(1, min(LAUNCH_STEPS, LAUNCH_BYTES // byte_count(features)))


def byte_count(features: Features) -> int:
    """Return the bytes of all cached tensors, counting each storage once."""
    sizes = {x.untyped_storage()._cdata: x.untyped_storage().nbytes() for x in features}
    return sum(sizes.values())
