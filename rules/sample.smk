# Images of a cell. Where a sampler has a number of key steps instead of a stride, they are chosen first, for its way of sampling, on
# held-out concepts that are not evaluated.

SHARD = config["sampling"].get("shard")
SAMPLES = PATHS.samples("{cell}", "{seed}")
# Drawn in shards, with all seeds in one job, or a job a seed.
SHARDED = [path for path, drawing in DRAWINGS.items() if SHARD and drawing.prompts > SHARD]
TOGETHER = [
    path
    for path, drawing in DRAWINGS.items()
    if config["sampling"]["seeds_together"] and path not in SHARDED and list(drawing.seeds) == SEEDS
]
APART = DRAWINGS.keys() - {*SHARDED, *TOGETHER}


rule search_key_steps:
    input:
        lambda wildcards: trajectories(wildcards.backbone, backbone_of(wildcards).search, "key_search"),
    output:
        "results/key_steps/{backbone}/{sampler}.json",
    log:
        "logs/search_key_steps/{backbone}_{sampler}.log",
    wildcard_constraints:
        sampler=one_of(sampler for _, sampler in SEARCHED),
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("search_key_steps"),
        runtime=RESOURCES.minutes("search_key_steps"),
    params:
        code=script("search_key_steps"),
        versions=VERSIONS,
        weights=weights,
        pipeline=pipeline,
        plan=lambda wildcards: json.dumps(SEARCHED[wildcards.backbone, wildcards.sampler].plan.fields),
        device=config["device"],
    message:
        "Search for the key steps of {wildcards.sampler} on {wildcards.backbone}"
    shell:
        "python -m fcr_core.jobs.client search_key_steps --pipeline {params.pipeline:q} --trajectories {input:q} --plan {params.plan:q}"
        " --device {params.device} --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


rule sample:
    input:
        unpack(sampling_inputs),
    output:
        manifests=expand(f"{SAMPLES}/manifest.parquet", seed=SEEDS, allow_missing=True),
        images=[
            IMAGES_KEPT(directory(folder)) for folder in expand(f"{SAMPLES}/images", seed=SEEDS, allow_missing=True)
        ],
    log:
        "logs/sample/{cell}.log",
    wildcard_constraints:
        cell=one_of(TOGETHER),
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("sample"),
        runtime=RESOURCES.minutes("sample"),
        # No image depends on it: a change of a resource, unlike one of a parameter, reruns nothing.
        batch=config["sampling"]["batch"],
    params:
        code=script("sample"),
        versions=VERSIONS,
        weights=weights,
        arguments=sampling_arguments,
        files=sampling_files,
        device=config["device"],
        out=subpath(output[0], ancestor=2),
    message:
        "Sample {wildcards.cell}"
    shell:
        "python -m fcr_core.jobs.client sample --prompts {input.prompts:q} {params.arguments:q} {params.files:q} --batch {resources.batch}"
        " --device {params.device} --code {params.code} --threads {threads} --out {params.out:q} &> {log:q}"


use rule sample as sample_seed with:
    output:
        manifest=f"{SAMPLES}/manifest.parquet",
        images=IMAGES_KEPT(directory(f"{SAMPLES}/images")),
    log:
        "logs/sample/{cell}/seed{seed}.log",
    wildcard_constraints:
        cell=one_of(APART),
    message:
        "Sample {wildcards.cell}, seed {wildcards.seed}"


# With config key sampling.shard a job draws so many prompts, and the folder that others read is put together from them.
if SHARD:

    use rule sample as sample_shard with:
        output:
            # The images get a second name in the merged folder, so what is removed here is latents and manifest.
            temp(directory("results/sample_shards/{cell}/{start}/seed{seed}")),
        log:
            "logs/sample_shard/{cell}/seed{seed}_{start}.log",
        wildcard_constraints:
            cell=one_of(SHARDED),
        params:
            out=subpath(output[0], parent=True),
        message:
            "Sample {wildcards.cell}, seed {wildcards.seed}, from prompt {wildcards.start} on"

    rule merge_samples:
        input:
            lambda wildcards: expand(
                rules.sample_shard.output, start=range(0, drawn(wildcards).prompts, SHARD), allow_missing=True
            ),
        output:
            manifest=f"{SAMPLES}/manifest.parquet",
            images=IMAGES_KEPT(directory(f"{SAMPLES}/images")),
        log:
            "logs/merge_samples/{cell}/seed{seed}.log",
        wildcard_constraints:
            cell=one_of(SHARDED),
        conda:
            ENV
        params:
            code=script("merge_samples"),
            out=subpath(output[0], parent=True),
        message:
            "Put the shards of {wildcards.cell}, seed {wildcards.seed}, together"
        shell:
            "python -m fcr_core.jobs.client merge_samples --shards {input:q} --threads {threads} --out {params.out:q} &> {log:q}"
