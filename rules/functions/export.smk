# What rules/export.smk asks of the cells and experiments.


def shown_in(wildcards):
    """The experiment whose table shows a fine-tune, if there is one."""
    model = (wildcards.backbone, wildcards.recipe, wildcards.train)
    for experiment in EXPERIMENTS.values():
        models = {(m.backbone, m.recipe, m.train) for m in experiment.models}
        if model in models and "sets" in experiment.measures:
            return [experiment]
    return []


def shown_rows(wildcards):
    """The rows that a card shows: the published weights uncached and at the goal, and those of the fine-tune."""
    for experiment in shown_in(wildcards):
        rows = [row for row in experiment.rows if row.cell.model.recipe == wildcards.recipe]
        names = {other.cell: other.name for other in experiment.rows}
        return [names[rows[0].base], rows[0].goal, *(row.name for row in rows)]
    return []
