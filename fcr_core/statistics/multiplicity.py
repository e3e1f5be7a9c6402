"""Many exploratory comparisons at once: p-values adjusted within each family (docs/statistics.md says which need it)."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from statsmodels.stats.multitest import multipletests

METHODS = {"holm": "holm", "benjamini-hochberg": "fdr_bh"}


def adjusted(
    table: pd.DataFrame, family: list[str], method: Literal["holm", "benjamini-hochberg"] = "holm", level: float = 0.05
) -> pd.DataFrame:
    """`table` with `p_adjusted` and `rejected` beside its column `p`; rows that agree in the columns `family` are one family.

    Holm bounds the chance of any false rejection in a family by `level`, Benjamini-Hochberg the expected share of false ones
    among the rejected. A row whose p is NaN (nothing differed) counts for no family and is not rejected.
    """
    parts = []
    for _, rows in table.dropna(subset="p").groupby(family, sort=False):
        rejected, p_adjusted, *_ = multipletests(rows["p"], alpha=level, method=METHODS[method])
        parts.append(pd.DataFrame({"p_adjusted": p_adjusted, "rejected": rejected}, index=rows.index))
    judged = pd.concat(parts) if parts else pd.DataFrame({"p_adjusted": [], "rejected": []})
    result = table.join(judged)
    return result.assign(rejected=result["rejected"].eq(True))
