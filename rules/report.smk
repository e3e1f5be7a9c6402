# The page that people look at, one an experiment.


rule build_report:
    input:
        tables=lambda wildcards: tables_of(of_experiment(wildcards)),
        measurements=lambda wildcards: measurements_of(of_experiment(wildcards)),
        real=lambda wildcards: PATHS.reals(of_experiment(wildcards), SIZE_OF),
        cost=lambda wildcards: PATHS.costs(of_experiment(wildcards)),
        samples=lambda wildcards: [
            file
            for cell in sampled_in(of_experiment(wildcards))
            for file in PATHS.manifests(cell, of_experiment(wildcards).seeds)
        ],
        images=lambda wildcards: [
            folder
            for cell in sampled_in(of_experiment(wildcards))
            for folder in images_in(cell, of_experiment(wildcards).seeds)
        ],
        weights=lambda wildcards: [
            file
            for model in of_experiment(wildcards).models
            for file in PATHS.weights(model, of_experiment(wildcards).seeds)
        ],
        data=lambda wildcards: list(dict.fromkeys(data_of(row.cell) for row in of_experiment(wildcards).rows)),
    output:
        PATHS.page("{experiment}"),
    log:
        "logs/build_report/{experiment}.log",
    conda:
        ENV
    params:
        code=script("build_report"),
        templates=content_hash("fcr_core/report/templates", "*.*"),
        experiment=json_of,
        results=root_of,
        sets=SET_METRICS,
        sizes=SIZES,
    message:
        "Build the page of {wildcards.experiment}"
    shell:
        "python -m fcr_core.jobs.client build_report --experiment {params.experiment:q} --results {params.results:q} --sets {params.sets}"
        " --sizes {params.sizes:q} --out {output:q} &> {log:q}"
