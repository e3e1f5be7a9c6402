# A fine-tune to share: a folder for the hub, with the numbers of the first table that it has rows in.


rule export_model:
    input:
        unets=lambda wildcards: unets_of(wildcards.recipe, [wildcards.seed]),
        table=lambda wildcards: [f"results/{table}_table.csv" for table in export_rows(wildcards.recipe)][:1],
        real=lambda wildcards: ["results/metrics/real.parquet"] if export_rows(wildcards.recipe) else [],
    output:
        "results/export/{recipe}/seed{seed}/README.md",
    log:
        "logs/export_model/{recipe}_seed{seed}.log",
    conda:
        ENV
    params:
        code=script("export_model"),
        fine_tune=lambda wildcards, input: Path(input.unets[0]).parent.parent,
        recipe=lambda wildcards: json.dumps(FINE_TUNES[wildcards.recipe].recipe),
        pipeline=PIPELINE,
        licence=BACKBONES[BACKBONE].licence,
        task=BACKBONES[BACKBONE].task,
        data=TRAIN,
        numbers=lambda wildcards, input: [f"--table={file}" for file in input.get("table", [])]
        + [f"--real={file}" for file in input.get("real", [])],
        names=lambda wildcards: next(iter(export_rows(wildcards.recipe).values()), []),
        out=subpath(output[0], parent=True),
    shell:
        "{RUN} export_model --fine-tune {params.fine_tune:q} --recipe {params.recipe:q} --pipeline {params.pipeline:q}"
        " --licence {params.licence:q} --task {params.task} --data {params.data} --name {wildcards.recipe:q}-seed{wildcards.seed}"
        " {params.numbers:q} --rows {params.names:q} --threads {threads} --out {params.out:q} &> {log:q}"
