# The ablation grid: one cell a recipe and seed. make ablations

CELL = "results/ablations/{recipe}/seed{seed}.parquet"
BASE_CELL = expand(CELL, recipe="base", seed=0)[0]
BASE_UNCACHED = "results/ablations/base/uncached.npz"
CELLS_OF = {"base": [BASE_CELL]} | {
    recipe: expand(CELL, recipe=recipe, seed=config["ablations"]["seeds"]) for recipe in rows.ablated_recipes(config)
}


rule measure_base:
    input:
        data=f"results/data/{EVAL}/prompts.parquet",
        prompts=f"results/prompts/{EVAL}.parquet",
    output:
        cell=BASE_CELL,
        uncached=BASE_UNCACHED,
    log:
        "logs/measure_base.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=script("measure_cell"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        data=subpath(input.data, parent=True),
        plans=rows.plans_json(config),
        deltas=config["ablations"]["deltas"],
        n_prompts=config["ablations"]["prompts"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        device=config["device"],
    shell:
        "{RUN} measure_cell --pipeline {params.pipeline:q} --data {params.data:q} --prompts {input.prompts:q}"
        " --keep-uncached {output.uncached:q} --count {params.n_prompts} --plans {params.plans:q} --deltas {params.deltas}"
        " --steps {params.steps} --guidance {params.guidance} --device {params.device}"
        " --code {params.code} --threads {threads} --out {output.cell:q} &> {log:q}"


rule measure_cell:
    input:
        unet=lambda wildcards: unets_of(wildcards.recipe, [wildcards.seed]),
        base=BASE_UNCACHED,
        data=f"results/data/{EVAL}/prompts.parquet",
        prompts=f"results/prompts/{EVAL}.parquet",
    output:
        CELL,
    log:
        "logs/measure_cell/{recipe}_seed{seed}.log",
    wildcard_constraints:
        recipe=one_of(config["recipes"]),
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=script("measure_cell"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        unet=lambda wildcards, input: weights_argument(wildcards.recipe, input.unet),
        data=subpath(input.data, parent=True),
        plans=lambda wildcards: rows.plans_json(config, wildcards.recipe),
        deltas=config["ablations"]["deltas"],
        n_prompts=config["ablations"]["prompts"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        device=config["device"],
    shell:
        "{RUN} measure_cell --pipeline {params.pipeline:q} {params.unet:q} --base {input.base:q}"
        " --data {params.data:q} --prompts {input.prompts:q} --count {params.n_prompts} --plans {params.plans:q}"
        " --deltas {params.deltas} --steps {params.steps} --guidance {params.guidance} --device {params.device}"
        " --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


rule ablation_tables:
    input:
        [file for files in CELLS_OF.values() for file in files],
    output:
        table=report(
            "results/ablations.csv",
            caption="captions/ablations.rst",
            category="Tables",
            labels={"results": "ablations", "shows": "distances of each recipe"},
        ),
        mechanism="results/mechanism.csv",
        fit=report(
            "results/mechanism_fit.csv",
            caption="captions/mechanism_fit.rst",
            category="Tables",
            labels={"results": "ablations", "shows": "does feature variance predict the quality lost"},
        ),
    log:
        "logs/ablation_tables.log",
    conda:
        ENV
    params:
        code=script("ablation_tables"),
        cells=lambda wildcards, input: json.dumps(
            {recipe: copies_of(cells, input) for recipe, cells in CELLS_OF.items()}
        ),
        plan=rows.ablation_goal(config),
    shell:
        "{RUN} ablation_tables --cells {params.cells:q} --plan {params.plan}"
        " --mechanism {output.mechanism:q} --fit {output.fit:q} --out {output.table:q} &> {log:q}"


rule plot_ablations:
    input:
        table="results/ablations.csv",
        mechanism="results/mechanism.csv",
        fit="results/mechanism_fit.csv",
    output:
        grid=report(
            "results/figures/ablation_grid.png",
            caption="captions/ablations.rst",
            category="Figures",
            labels={"results": "ablations", "shows": "distances of each recipe"},
        ),
        mechanism=report(
            "results/figures/ablation_mechanism.png",
            caption="captions/mechanism_fit.rst",
            category="Figures",
            labels={"results": "ablations", "shows": "does feature variance predict the quality lost"},
        ),
    log:
        "logs/plot_ablations.log",
    conda:
        ENV
    params:
        code=script("plot_ablations"),
        plan=rows.ablation_goal(config),
        delta=max(config["ablations"]["deltas"]),
    shell:
        "{RUN} plot_ablations --ablations {input.table:q} --mechanism {input.mechanism:q} --fit {input.fit:q}"
        " --plan {params.plan} --delta {params.delta} --mechanism-figure {output.mechanism:q} --out {output.grid:q}"
        " &> {log:q}"
