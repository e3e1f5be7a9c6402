# From measurements to the table, its verdicts and its figures. No torch here: editing statistics reruns seconds.


rule table:
    input:
        measurements=lambda wildcards: sorted(
            {file for files in measurements_of_table(wildcards.table).values() for file in files}
        ),
        efficiency="results/metrics/efficiency/{table}.parquet",
        real="results/metrics/real.parquet",
    output:
        table=report(
            "results/{table}_table.csv",
            caption="captions/table.rst",
            category="Tables",
            labels={"results": "{table}", "shows": "quality and cost"},
        ),
        readable="results/{table}_table.md",
        criteria=report(
            "results/{table}_criteria.csv",
            caption="captions/plan_criteria.rst",
            category="Verdicts",
            labels={"results": "{table}", "shows": "the plan's criteria"},
        ),
    log:
        "logs/table/{table}.log",
    conda:
        ENV
    params:
        code=script("table"),
        rows=lambda wildcards, input: rows_of_table(wildcards.table, input.measurements),
        title=lambda wildcards: TITLES[wildcards.table],
        goal=GOAL,
        uncached=UNCACHED,
    shell:
        "{RUN} table --rows {params.rows:q} --efficiency {input.efficiency:q} --real {input.real:q}"
        " --title {params.title:q} --goal {params.goal} --uncached {params.uncached} --out {output.table:q}"
        " --readable {output.readable:q} --criteria {output.criteria:q} &> {log:q}"


rule cost_table:
    input:
        "results/metrics/efficiency/exp1_{size}px.parquet",
    output:
        report(
            "results/cost_{size}px.csv",
            caption="captions/cost_table.rst",
            category="Tables",
            labels={"results": "exp1", "shows": "cost at {size} px"},
        ),
    log:
        "logs/cost_table/{size}px.log",
    wildcard_constraints:
        size=r"\d+",
    conda:
        ENV
    params:
        code=script("cost_table"),
        goal=VARIATIONS[GOAL].sampler,
        uncached=VARIATIONS[UNCACHED].sampler,
    shell:
        "{RUN} cost_table --efficiency {input:q} --goal {params.goal} --uncached {params.uncached}"
        " --out {output:q} &> {log:q}"


rule explain_columns:
    input:
        "results/exp1_table.csv",
    output:
        "results/README.md",
    log:
        "logs/explain_columns.log",
    conda:
        ENV
    params:
        code=script("explain_columns"),
        batches=sorted({batch for clock in CLOCK.values() for batch in clock["batches"]}),
    shell:
        "{RUN} explain_columns --table {input:q} --batches {params.batches} --out {output:q} &> {log:q}"


# The stopping rule: what fails to preserve quality here is left out of what follows, by `preserving_rows`.
checkpoint recipe_criteria:
    input:
        measurements=sorted({file for files in measurements_of_table("recipe").values() for file in files}),
        efficiency="results/metrics/efficiency/recipe.parquet",
        decoders=[
            file
            for row in RECIPE_ROWS.values()
            if trains_decoder(row.recipe)
            for file in unets_of(row.recipe, SEEDS[:1])
        ],
    output:
        table=report(
            "results/criteria.csv",
            caption="captions/recipe_criteria.rst",
            category="Verdicts",
            labels={"results": "recipe", "shows": "what a recipe has to meet"},
        ),
        readable="results/criteria.md",
    log:
        "logs/recipe_criteria.log",
    conda:
        ENV
    params:
        code=script("recipe_criteria"),
        rows=lambda wildcards, input: rows_of_table("recipe", input.measurements),
        decoders=lambda wildcards, input: json.dumps(
            {
                row.name: copy_of(unets_of(row.recipe)[0], input.get("decoders"))
                for row in RECIPE_ROWS.values()
                if trains_decoder(row.recipe)
            }
        ),
        goal=GOAL,
    shell:
        "{RUN} recipe_criteria --rows {params.rows:q} --decoders {params.decoders:q}"
        " --efficiency {input.efficiency:q} --goal {params.goal} --readable {output.readable:q} --out {output.table:q}"
        " &> {log:q}"


rule plot_tradeoff:
    input:
        table="results/{table}_table.csv",
        real="results/metrics/real.parquet",
    output:
        report(
            "results/figures/{table}_tradeoff.png",
            caption="captions/tradeoff.rst",
            category="Figures",
            labels={"results": "{table}", "shows": "quality against latency"},
        ),
    log:
        "logs/plot_tradeoff/{table}.log",
    conda:
        ENV
    params:
        code=script("plot_tradeoff"),
        goal=GOAL,
        batch=lambda wildcards: DRAWN_BATCH[wildcards.table],
    shell:
        "{RUN} plot_tradeoff --table {input.table:q} --real {input.real:q} --goal {params.goal} --batch {params.batch}"
        " --out {output:q} &> {log:q}"


rule plot_samples:
    input:
        samples=lambda wildcards: [samples_of(name, SEEDS[:1])[0] for name in drawn_rows(wildcards)],
        images=lambda wildcards: images_in(*drawn_rows(wildcards), seeds=SEEDS[:1]),
        data=f"results/data/{EVAL}/prompts.parquet",
    output:
        report(
            "results/figures/{table}_samples.png",
            caption="captions/samples.rst",
            category="Figures",
            labels={"results": "{table}", "shows": "samples"},
        ),
    log:
        "logs/plot_samples/{table}.log",
    conda:
        ENV
    params:
        code=script("plot_samples"),
        samples=lambda wildcards, input: folders_of(input.samples),
        data=subpath(input.data, parent=True),
        names=lambda wildcards, input: variations_in(input.samples),
    shell:
        "{RUN} plot_samples --samples {params.samples:q} --names {params.names:q} --data {params.data:q}"
        " --out {output:q} &> {log:q}"
