"""The page itself: everything that is shown, put into the templates."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from fcr_core.report import interactive_ablations
from fcr_core.report.cells import Table
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import plural
from fcr_core.report.page_ablation_tables import page_fits_table, page_mechanism_table
from fcr_core.report.provenance import Provenance, environment_of, runs_of
from fcr_core.report.samples import ImagePool, all_extremes, sample_blocks, shown_rows
from fcr_core.report.tables import cost_table, quality_table, runs_table
from fcr_core.report.tradeoff import interactive_tradeoff
from fcr_core.report.variance import variance
from fcr_core.report.verdicts import VERDICTS, verdict_grid
from fcr_core.report.views import Figure
from fcr_core.tables.markdown import sizes

ROLES = {
    "plain": "the base model with a plain solver",
    "cached": "cached sampling of the base model",
    "control": "control: fine-tuned without the FCR term",
    "fcr": "fine-tuned with it",
    "reference": "for reference",
}


class Tips:
    """The notes that hovering and focus show, each text once: templates put the index into the cell."""

    def __init__(self) -> None:
        self.indices: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.indices.setdefault(text, len(self.indices))


def render(evidence: Evidence) -> str:
    """One HTML document; nothing of it is fetched. What was not measured has no section."""
    loader = PackageLoader("fcr_core.report")
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    experiment, provenance, pool, tips = evidence.experiment, Provenance(evidence), ImagePool(), Tips()
    grid = verdict_grid(evidence, provenance) if len(evidence.results.criteria) else None
    content: dict[str, Any] = {
        "experiment": experiment,
        "headline": grid.headline if grid else f"{experiment.title}: {plural(len(experiment.rows), 'row')}, no verdicts.",
        "sizes": sizes(evidence.rows),
        "about": evidence.about,
        "environment": environment_of(runs_of(evidence)),
        "symbols": VERDICTS,
        "grid": grid,
        "roles": [(role, ROLES[role]) for role in ROLES if role in set(evidence.rows["role"])],
        "tradeoff": interactive_tradeoff(evidence, provenance) if experiment.cost else None,
        "variance": variance(evidence, provenance) if evidence.variances else None,
        "blocks": sample_blocks(evidence, pool),
        "shown": len(shown_rows(evidence)),
        "extremes": all_extremes(evidence, pool),
        "tables": tables(evidence, provenance),
        "ablations": ablations(evidence, provenance),
        "files": evidence.files,
        "plotly": packed(get_plotlyjs()),
        "tip": tips,
    }
    body = templates.get_template("body.html").render(content)
    return templates.get_template("page.html").render(content, body=body, pool=pool.uris, tips=list(tips.indices))


def packed(text: str) -> str:
    """gzip, base64; without a time, so that equal pages have equal bytes."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def tables(evidence: Evidence, provenance: Provenance) -> list[tuple[str, Table]]:
    """All full tables by heading."""
    found = {"Quality": quality_table(evidence, provenance, evidence.metrics)} if evidence.metrics else {}
    if evidence.experiment.cost:
        found["Cost"] = cost_table(evidence, provenance)
    if evidence.variances:
        found["Feature variance"] = quality_table(evidence, provenance, evidence.variances)
    if evidence.experiment.mechanism:
        found["Features by recipe"] = page_mechanism_table(evidence)
        found["Does σ²_Δ predict the quality lost?"] = page_fits_table(evidence)
    found["Runs"] = runs_table(runs_of(evidence))
    return list(found.items())


def ablations(evidence: Evidence, provenance: Provenance) -> list[Figure]:
    """The figures of an experiment with a mechanism."""
    if evidence.experiment.mechanism is None:
        return []
    figures = [interactive_ablations.grid(evidence, provenance), interactive_ablations.mechanism(evidence, provenance)]
    return [figure for figure in figures if figure.views]
