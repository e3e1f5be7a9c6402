"""The long table every measurement is written to, in long form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.jobs.files import replacing

# `group`: the group of prompts that was left out, -1 = none. `prompt_id`: "" for a value of a whole set.
COLUMNS = ["metric", "seed", "prompt_id", "group", "value"]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows in long form; each names its metric, seed and value."""
    table = pd.DataFrame(rows)
    defaults = {"prompt_id": "", "group": -1}
    table = table.assign(**{key: value for key, value in defaults.items() if key not in table})
    with replacing(path) as draft:
        table[COLUMNS].to_parquet(draft, index=False)
