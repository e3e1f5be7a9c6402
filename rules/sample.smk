# Images of one variation and seed. `{model}` is `base` or `FCR(λ)`; a twin is the same model sampled uncached.


def unets_of(lam, seeds=SEEDS):
    """The fine-tuned weights behind a variation, one a seed; none for the base model."""
    if lam is None:
        return []
    unet = f"results/finetune/{BACKBONE}/lambda{lam}/seed{{seed}}/unet/diffusion_pytorch_model.safetensors"
    return expand(unet, seed=seeds)


def samples_of(variation, seeds=SEEDS):
    return [
        f"results/samples/{variation}/{EVAL}/clean/seed{seed}/manifest.parquet"
        for seed in seeds
    ]


def twin_of(variation):
    """The uncached row of the same weights."""
    return UNCACHED if variation.lam is None else f"FCR({variation.lam})-{UNCACHED}"


# What is sampled beside the rows of the table: each fine-tuned model uncached, on fewer prompts.
TWINS = {
    twin_of(row): rows.Variation(
        twin_of(row), row.lam, UNCACHED, "ddim", config["sampling"]["steps"], 1
    )
    for row in VARIATIONS.values()
    if row.lam is not None
}
SAMPLED = VARIATIONS | TWINS


rule sample:
    input:
        prompts=f"results/prompts/{EVAL}.parquet",
        unet=lambda wildcards: unets_of(
            SAMPLED[wildcards.variation].lam, [wildcards.seed]
        ),
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
        unet=lambda wildcards, input: [
            f"--unet={folder}" for folder in folders_of(input.get("unet", []))
        ],
        n_prompts=lambda wildcards: (
            config["sampling"]["twin_prompts"]
            if wildcards.variation in TWINS
            else config["data"]["prompts"]
        ),
        row=lambda wildcards: SAMPLED[wildcards.variation],
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
        out=subpath(output[0], parent=True),
    shell:
        "python -m workflow_scripts.sample --pipeline {params.pipeline:q} {params.unet:q}"
        " --prompts {input.prompts:q} --count {params.n_prompts}"
        " --scheduler {params.row.scheduler} --steps {params.row.steps} --stride {params.row.stride}"
        " --guidance {params.guidance} --seed {wildcards.seed} --batch {params.batch} --device {config[device]}"
        " --code {params.code} --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"
