# Images of one variation and seed; a twin is the same model sampled uncached.


rule sample:
    input:
        prompts=f"results/prompts/{EVAL}.parquet",
        unet=lambda wildcards: unets_of(SAMPLED[wildcards.variation].recipe, [wildcards.seed]),
    output:
        f"results/samples/{{variation}}/{EVAL}/clean/seed{{seed}}/manifest.parquet",
    log:
        "logs/sample/{variation}_seed{seed}.log",
    benchmark:
        "results/benchmarks/sample/{variation}_seed{seed}.tsv"
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=4000,
    params:
        code=script("sample"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        unet=lambda wildcards, input: weights_argument(SAMPLED[wildcards.variation].recipe, input.get("unet", [])),
        n_prompts=lambda wildcards: (
            config["sampling"]["twin_prompts"] if wildcards.variation in TWINS else config["data"]["prompts"]
        ),
        sampler=lambda wildcards: rows.sampler_json(SAMPLED[wildcards.variation]),
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
        device=config["device"],
        out=subpath(output[0], parent=True),
    shell:
        "python -m workflow_scripts.sample --pipeline {params.pipeline:q} {params.unet:q}"
        " --prompts {input.prompts:q} --count {params.n_prompts}"
        " --sampler {params.sampler:q} --guidance {params.guidance} --seed {wildcards.seed} --batch {params.batch} --device {params.device}"
        " --code {params.code} --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"
