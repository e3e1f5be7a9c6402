# What rules/report.smk asks of the cells and experiments.


def sampled_in(experiment):
    """Everything that is drawn for an experiment: its rows and their uncached twins."""
    return list(dict.fromkeys(cell for row in experiment.rows for cell in (row.cell, row.twin)))
