"""The page itself: everything that is shown, put into the templates."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from fcr_core.report import interactive_ablations
from fcr_core.report.cells import Table
from fcr_core.report.numbers import VARIANCE
from fcr_core.report.page_ablation_tables import page_fits_table, page_mechanism_table
from fcr_core.report.provenance import Provenance, environment_of, runs_of, sizes
from fcr_core.report.results import Results
from fcr_core.report.samples import ImagePool, all_extremes, sample_strips
from fcr_core.report.tables import cost_table, metrics_of, quality_table, runs_table
from fcr_core.report.tradeoff import interactive_tradeoff
from fcr_core.report.variance import variance
from fcr_core.report.verdicts import VERDICTS, verdict_grid
from fcr_core.report.views import Figure


class Tips:
    """What hovering and focus show, each text once: templates put the index into the cell."""

    def __init__(self) -> None:
        self.indices: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.indices.setdefault(text, len(self.indices))


def render(results: Results) -> str:
    """One HTML document; nothing of it is fetched."""
    loader = PackageLoader("fcr_core.report")
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    provenance, pool, tips = Provenance(results), ImagePool(), Tips()
    prompts, strips = sample_strips(results, pool)
    content: dict[str, Any] = {
        "results": results,
        "sizes": sizes(*results.table.iloc[0][["n_images", "n_prompts", "n_seeds"]]),
        "environment": environment_of(runs_of(results)),
        "symbols": VERDICTS,
        "grids": [verdict_grid(title, results, provenance) for title in results.criteria],
        "tradeoff": interactive_tradeoff(results, provenance),
        "variance": variance(results, provenance),
        "prompts": prompts,
        "strips": strips,
        "extremes": all_extremes(results, pool),
        "tables": tables(results, provenance),
        "ablated": ablated(results),
        "plotly": packed(get_plotlyjs()),
        "tip": tips,
    }
    body = templates.get_template("body.html").render(content)
    return templates.get_template("page.html").render(content, body=body, pool=pool.uris, tips=list(tips.indices))


def packed(text: str) -> str:
    """gzip, base64; without a time, so that equal pages have equal bytes."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def tables(results: Results, provenance: Provenance) -> list[tuple[str, Table]]:
    """All full tables by heading."""
    metrics = metrics_of(results.table)
    variances = [metric for metric in metrics if VARIANCE.fullmatch(metric)]
    found = {
        "Quality": quality_table(results, provenance, [metric for metric in metrics if metric not in variances]),
        "Cost": cost_table(results, provenance),
        "Feature variance": quality_table(results, provenance, variances),
    }
    if results.ablations:
        found["Features of the ablation grid"] = page_mechanism_table(results.ablations)
        found["Does σ²_Δ predict the quality lost?"] = page_fits_table(results.ablations)
    found["Runs"] = runs_table(runs_of(results))
    return list(found.items())


def ablated(results: Results) -> list[Figure]:
    """The figures of the ablation grid, if it was run."""
    if results.ablations is None:
        return []
    return [interactive_ablations.grid(results.ablations), interactive_ablations.mechanism(results.ablations)]
