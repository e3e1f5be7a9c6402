# The pages that people look at: Experiment 1's, and the recipes' with the ablation grid.


rule build_report:
    input:
        table=lambda wildcards: f"results/{TABLE_OF_PAGE[wildcards.page]}_table.csv",
        criteria=lambda wildcards: list(VERDICTS[wildcards.page].values()),
        efficiency=lambda wildcards: f"results/metrics/efficiency/{TABLE_OF_PAGE[wildcards.page]}.parquet",
        real="results/metrics/real.parquet",
        measurements=lambda wildcards: sorted(
            {file for name in rows_of_page(wildcards.page) for file in measurements_of(ROWS[name])}
        ),
        samples=lambda wildcards: samples_of_page(wildcards.page),
        images=lambda wildcards: images_in(*sampled_of_page(wildcards.page)),
        weights=lambda wildcards: sorted(
            {file for row in rows_of_page(wildcards.page).values() for file in unets_of(row.recipe)}
        ),
        data=f"results/data/{EVAL}/prompts.parquet",
        ablations=lambda wildcards: list(ablations_of(wildcards.page).values()),
    output:
        "results/{page}.html",
    log:
        "logs/build_report/{page}.log",
    conda:
        ENV
    params:
        code=script("build_report"),
        templates=content_hash("fcr_core/report/templates", "*.*"),
        rows=lambda wildcards, input: report_rows(wildcards.page, input),
        models=lambda wildcards: json.dumps({name: model_of(row) for name, row in rows_of_page(wildcards.page).items()}),
        title=lambda wildcards: TITLES[TABLE_OF_PAGE[wildcards.page]],
        criteria=lambda wildcards, input: json.dumps(
            {heading: copy_of(file, input.criteria) for heading, file in VERDICTS[wildcards.page].items()}
        ),
        data=subpath(input.data, parent=True),
        goal=GOAL,
        uncached=UNCACHED,
        more="snakemake --cores all results/recipe_report.html",
        ablations=lambda wildcards, input: [
            f"--{name}={copy_of(file, input.ablations)}" for name, file in ablations_of(wildcards.page).items()
        ],
        cells=lambda wildcards: json.dumps(CELLS_OF if ablations_of(wildcards.page) else {}),
    shell:
        "{RUN} build_report --rows {params.rows:q} --models {params.models:q} --title {params.title:q}"
        " --goal {params.goal} --uncached {params.uncached} --table {input.table:q} --criteria {params.criteria:q}"
        " --efficiency {input.efficiency:q} --real {input.real:q} --data {params.data:q} --more {params.more:q}"
        " --cells {params.cells:q} {params.ablations:q} --out {output:q} &> {log:q}"
