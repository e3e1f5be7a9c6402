# From measurements to an experiment's tables, verdicts and figures. No torch here: editing statistics reruns seconds.

SIZES = json.dumps({name: backbone.size for name, backbone in BACKBONES_USED.items()})
SIZE_OF = json.loads(SIZES)


# A checkpoint: what fails to keep the goal's quality is left out of figures, and of experiments that follow.
checkpoint table:
    input:
        measurements=lambda wildcards: measurements_of(of_experiment(wildcards)),
        real=lambda wildcards: PATHS.reals(of_experiment(wildcards), SIZE_OF),
        cost=lambda wildcards: PATHS.costs(of_experiment(wildcards)),
        decoders=lambda wildcards: list(PATHS.decoders(of_experiment(wildcards)).values()),
    output:
        table=report(
            PATHS.table("{experiment}"),
            caption="captions/table.rst",
            category="Tables",
            labels={"results": "{experiment}", "shows": "quality and cost"},
        ),
        measurements=PATHS.table("{experiment}", "measurements.csv"),
        criteria=report(
            PATHS.table("{experiment}", "criteria.csv"),
            caption="captions/criteria.rst",
            category="Verdicts",
            labels={"results": "{experiment}", "shows": "verdicts"},
        ),
        readable=PATHS.table("{experiment}", "table.md"),
    log:
        "logs/table/{experiment}.log",
    conda:
        ENV
    params:
        code=script("table"),
        experiment=json_of,
        results=root_of,
        sets=SET_METRICS,
        sizes=SIZES,
    message:
        "Make the tables and verdicts of {wildcards.experiment}"
    shell:
        "python -m fcr_core.jobs.client table --experiment {params.experiment:q} --results {params.results:q} --sets {params.sets} --sizes {params.sizes:q}"
        " --out {output.table:q} --measurements {output.measurements:q} --criteria {output.criteria:q}"
        " --readable {output.readable:q} &> {log:q}"


rule mechanism_tables:
    input:
        measurements=PATHS.table("{experiment}", "measurements.csv"),
        blocks=lambda wildcards: PATHS.blocks(of_experiment(wildcards)),
    output:
        table=PATHS.table("{experiment}", MECHANISM),
        fit=report(
            PATHS.table("{experiment}", FIT),
            caption="captions/mechanism_fit.rst",
            category="Tables",
            labels={"results": "{experiment}", "shows": "does feature variance predict the quality lost"},
        ),
    log:
        "logs/mechanism_tables/{experiment}.log",
    wildcard_constraints:
        experiment=one_of(name for name, experiment in EXPERIMENTS.items() if experiment.mechanism),
    conda:
        ENV
    params:
        code=script("mechanism_tables"),
        experiment=json_of,
        results=lambda wildcards, input: results_root(input.blocks[0], PATHS.blocks(of_experiment(wildcards))[0]),
    message:
        "Ask if feature variance predicts the quality lost in {wildcards.experiment}"
    shell:
        "python -m fcr_core.jobs.client mechanism_tables --experiment {params.experiment:q} --results {params.results:q}"
        " --measurements {input.measurements:q} --fit {output.fit:q} --out {output.table:q} &> {log:q}"


rule cost_table:
    input:
        lambda wildcards: [
            PATHS.cost(backbone, wildcards.experiment, wildcards.size)
            for backbone in of_experiment(wildcards).backbones
        ],
    output:
        report(
            PATHS.cost_table("{experiment}", "{size}"),
            caption="captions/cost_table.rst",
            category="Tables",
            labels={"results": "{experiment}", "shows": "cost at {size} px"},
        ),
    log:
        "logs/cost_table/{experiment}_{size}px.log",
    conda:
        ENV
    params:
        code=script("cost_table"),
        experiment=json_of,
        results=lambda wildcards, input: results_root(
            input[0], PATHS.cost(of_experiment(wildcards).backbones[0], wildcards.experiment, wildcards.size)
        ),
    message:
        "Make the table of costs of {wildcards.experiment} at {wildcards.size} px"
    shell:
        "python -m fcr_core.jobs.client cost_table --experiment {params.experiment:q} --results {params.results:q} --size {wildcards.size}"
        " --out {output:q} &> {log:q}"


rule explain_columns:
    input:
        tables=[PATHS.table(name) for name in config["run"]],
        measurements=[PATHS.table(name, "measurements.csv") for name in config["run"]],
    output:
        PATHS.readme,
    log:
        "logs/explain_columns.log",
    conda:
        ENV
    params:
        code=script("explain_columns"),
    message:
        "Explain the columns of the tables"
    shell:
        "python -m fcr_core.jobs.client explain_columns --tables {input.tables:q} --measurements {input.measurements:q} --out {output:q} &> {log:q}"


rule plot_figure:
    input:
        lambda wildcards: tables_of(of_experiment(wildcards)),
    output:
        report(
            PATHS.figure("{experiment}", "{figure}"),
            caption="captions/figure.rst",
            category="Figures",
            labels=labels_of_figure,
        ),
    log:
        "logs/plot_figure/{experiment}_{figure}.log",
    wildcard_constraints:
        figure=one_of(name for name in FIGURES if name not in SAMPLE_FIGURES),
    conda:
        ENV
    params:
        code=lambda wildcards: script("plot_figure", f"fcr_core/figures/{wildcards.figure}.py"),
        experiment=json_of,
        results=lambda wildcards, input: results_root(input[0], tables_of(of_experiment(wildcards))[0]),
    message:
        "Draw {wildcards.figure} of {wildcards.experiment}"
    shell:
        "python -m fcr_core.jobs.client plot_figure --figure {wildcards.figure} --experiment {params.experiment:q} --results {params.results:q}"
        " --out {output:q} &> {log:q}"


rule plot_samples:
    input:
        samples=pictured,
        images=lambda wildcards: [
            folder
            for row in pictured_rows(wildcards)
            for folder in images_in(row.cell, of_experiment(wildcards).seeds[:1])
        ],
        data=lambda wildcards: list(dict.fromkeys(data_of(row.cell) for row in of_experiment(wildcards).rows)),
        criteria=PATHS.table("{experiment}", "criteria.csv"),
    output:
        report(
            PATHS.figure("{experiment}", "{figure}"),
            caption="captions/samples.rst",
            category="Figures",
            labels=labels_of_figure,
        ),
    log:
        "logs/plot_samples/{experiment}_{figure}.log",
    wildcard_constraints:
        figure=one_of(SAMPLE_FIGURES),
    conda:
        ENV
    params:
        code=script("plot_samples"),
        experiment=json_of,
        results=lambda wildcards, input: results_root(input.data[0], data_of(of_experiment(wildcards).rows[0].cell)),
        preserving=lambda wildcards: ["--preserving"] if wildcards.figure == "preserving_samples" else [],
        sizes=SIZES,
    message:
        "Draw {wildcards.figure} of {wildcards.experiment}"
    shell:
        "python -m fcr_core.jobs.client plot_samples {params.preserving} --experiment {params.experiment:q} --results {params.results:q}"
        " --sizes {params.sizes:q} --out {output:q} &> {log:q}"
