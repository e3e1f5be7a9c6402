"""Which tests run before every commit (`make test`), and which in `make test-slow` only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def rest_slow(cases: Iterable[Any], quick: int = 1) -> list[Any]:
    """The parameters of a test, of which all but the first `quick` are slow: these show the same on further networks."""
    first, rest = list(cases)[:quick], list(cases)[quick:]
    return first + [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in rest]
