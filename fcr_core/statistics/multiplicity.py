"""P-values of many exploratory comparisons, adjusted within each family (docs/statistics.md says which need it)."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from statsmodels.stats.multitest import multipletests

METHODS = {"holm": "holm", "benjamini-hochberg": "fdr_bh"}


def adjusted(
    table: pd.DataFrame, family: list[str], method: Literal["holm", "benjamini-hochberg"] = "holm", level: float = 0.05
) -> pd.DataFrame:
    """Add `p_adjusted` and `rejected` to `table`, which has a column `p`. Rows that agree in the columns `family` are one family.

    Holm keeps the chance of any false rejection in a family below `level`. Benjamini-Hochberg keeps the expected share of false
    ones among the rejections below it. A row whose p is NaN (nothing differed) is in no family and is not rejected.
    """
    parts = []
    for _, rows in table.dropna(subset="p").groupby(family, sort=False):
        rejected, p_adjusted, *_ = multipletests(rows["p"], alpha=level, method=METHODS[method])
        parts.append(pd.DataFrame({"p_adjusted": p_adjusted, "rejected": rejected}, index=rows.index))
    judged = pd.concat(parts) if parts else pd.DataFrame({"p_adjusted": [], "rejected": []})
    result = table.join(judged)
    return result.assign(rejected=result["rejected"].eq(True))
