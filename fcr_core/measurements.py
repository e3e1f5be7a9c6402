"""The long table every measurement is written to, and the groups of prompts that the jackknife leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fcr_core.files import replacing

# `group`: the group of prompts that was left out, -1 = none. `prompt_id`: "" for a value of a whole set.
COLUMNS = ["metric", "seed", "prompt_id", "group", "value"]
GROUPS = 20


def group_of(count: int) -> np.ndarray:
    """The group of each of `count` prompts: row number modulo 20, the same for every variation, which pairs them."""
    return np.arange(count) % min(GROUPS, count)


def leave_one_group_out(count: int) -> Iterator[tuple[int, np.ndarray]]:
    """(-1, all rows), then (g, the rows outside group g)."""
    groups = group_of(count)
    yield -1, np.ones(count, bool)
    for group in range(groups.max() + 1):
        yield group, groups != group


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows in long form; each names its metric, seed and value."""
    table = pd.DataFrame(rows)
    defaults = {"prompt_id": "", "group": -1}
    table = table.assign(**{key: value for key, value in defaults.items() if key not in table})
    with replacing(path) as draft:
        table[COLUMNS].to_parquet(draft, index=False)
