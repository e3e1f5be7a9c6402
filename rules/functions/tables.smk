# What rules/tables.smk asks of the cells and experiments.


def of_experiment(wildcards):
    return EXPERIMENTS[wildcards.experiment]


def measurements_of(experiment):
    """Every file with measurements of an experiment, each once."""
    files = [file for row in experiment.rows for file in PATHS.measurements(row, experiment.measures, SET_METRICS)]
    return list(dict.fromkeys(files))


def root_of(wildcards, input):
    """The folder of results that a job's measurements lie in."""
    return results_root(input.measurements[0], measurements_of(of_experiment(wildcards))[0])


def json_of(wildcards):
    return experiment_file(of_experiment(wildcards))


def tables_of(experiment):
    """List the files that figures and pages are drawn from."""
    kinds = ["measurements.csv", "criteria.csv", *([MECHANISM, FIT] if experiment.mechanism else [])]
    return [PATHS.table(experiment, kind) for kind in kinds]


def files_of(experiment):
    """Everything that an experiment makes for people."""
    return [
        PATHS.table(experiment),
        *tables_of(experiment),
        *(PATHS.figure(experiment, figure) for figure in experiment.figures),
        PATHS.page(experiment),
        *(PATHS.cost_table(experiment, size) for size in (experiment.cost.sizes if experiment.cost else ())),
    ]


def labels_of_figure(wildcards):
    """What Snakemake's own report says of a figure."""
    return {"results": wildcards.experiment, "shows": FIGURES[wildcards.figure].shows}


def pictured_rows(wildcards):
    """All rows of an experiment, or those that its stopping rule keeps, which is known once they are judged."""
    experiment = of_experiment(wildcards)
    if wildcards.figure != "preserving_samples":
        return experiment.rows
    from fcr_core.tables.results import read_criteria
    from fcr_core.tables.verdicts import preserving_rows

    judged = checkpoints.table.get(experiment=experiment.name).output.criteria
    return preserving_rows(experiment, read_criteria(Path(judged)))


def pictured(wildcards):
    """The manifests of their first seed."""
    seeds = of_experiment(wildcards).seeds[:1]
    return [PATHS.manifests(row.cell, seeds)[0] for row in pictured_rows(wildcards)]
