"""Check the values that intervals and tests are made of."""

from __future__ import annotations

import numpy as np


def check_values(least: int, *arms: np.ndarray) -> None:
    """Raise `ValueError` unless all arms have one shape, `least` values or more along the last axis, and no NaN or infinity."""
    shapes = {arm.shape for arm in arms}
    if len(shapes) > 1:
        raise ValueError(f"paired arms must have the same shape, not {sorted(shapes)}: one value each for the same prompts")
    for arm in arms:
        if not arm.ndim or arm.shape[-1] < least:
            raise ValueError(
                f"needs at least {least} values, not {arm.shape[-1] if arm.ndim else 1}: measure more prompts or seeds"
            )
        if not np.isfinite(arm).all():
            raise ValueError(f"NaN or infinity in {(~np.isfinite(arm)).sum()} of {arm.size} values")
