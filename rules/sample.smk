# Images of one variation and seed; a twin is the same model sampled uncached. Where a row has a number of key steps instead of
# a stride, they are chosen first, for its way of sampling, on held-out concepts that are not evaluated.


rule search_key_steps:
    input:
        f"results/trajectories/{BACKBONE}/key_search.safetensors",
    output:
        f"results/key_steps/{BACKBONE}/{{sampler}}.json",
    log:
        "logs/search_key_steps/{sampler}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        code=script("search_key_steps"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        n_keys=lambda wildcards: KEYED[wildcards.sampler].keys,
        plan=lambda wildcards: rows.reuse_json(KEYED[wildcards.sampler]),
        device=config["device"],
    shell:
        "{RUN} search_key_steps --pipeline {params.pipeline:q} --trajectories {input:q} --count {params.n_keys}"
        " --plan {params.plan:q} --device {params.device} --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


rule sample:
    input:
        prompts=f"results/prompts/{EVAL}.parquet",
        unet=lambda wildcards: unets_of(SAMPLED[wildcards.variation].recipe, [wildcards.seed]),
        key_steps=lambda wildcards: keys_of(SAMPLED[wildcards.variation]),
        pictures=PICTURES,
    output:
        manifest=f"{SAMPLES}/manifest.parquet",
        images=IMAGES_KEPT(directory(f"{SAMPLES}/images")),
    log:
        "logs/sample/{variation}_seed{seed}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
        # No image depends on it: a change of a resource, unlike one of a parameter, reruns nothing.
        batch=config["sampling"]["batch"],
    params:
        code=script("sample"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        unet=lambda wildcards, input: weights_argument(SAMPLED[wildcards.variation].recipe, input.get("unet", [])),
        key_steps=lambda wildcards, input: [f"--keys={file}" for file in input.get("key_steps", [])],
        pictures=lambda wildcards, input: pictures_argument(input),
        start=0,
        n_prompts=lambda wildcards: prompts_drawn(wildcards.variation),
        sampler=lambda wildcards: rows.sampler_json(SAMPLED[wildcards.variation]),
        guidance=config["sampling"]["guidance"],
        device=config["device"],
        out=subpath(output[0], parent=True),
    shell:
        "{RUN} sample --pipeline {params.pipeline:q} {params.unet:q} {params.pictures:q}"
        " --prompts {input.prompts:q} --start {params.start} --count {params.n_prompts}"
        " --sampler {params.sampler:q} {params.key_steps:q} --guidance {params.guidance} --seed {wildcards.seed} --batch {resources.batch} --device {params.device}"
        " --code {params.code} --threads {threads} --out {params.out:q} &> {log:q}"


# With config key sampling.shard a job draws so many prompts, and the folder that others read is put together from them.
if SHARD:

    ruleorder: merge_samples > sample

    use rule sample as sample_shard with:
        output:
            # The images get a second name in the merged folder, so what is removed here is latents and manifest.
            temp(directory(f"results/sample_shards/{{variation}}/{EVAL}/clean/seed{{seed}}/{{start}}")),
        log:
            "logs/sample_shard/{variation}_seed{seed}_{start}.log",
        params:
            start=lambda wildcards: wildcards.start,
            n_prompts=lambda wildcards: min(SHARD, prompts_drawn(wildcards.variation) - int(wildcards.start)),
            out=lambda wildcards, output: output[0],

    rule merge_samples:
        input:
            lambda wildcards: expand(
                rules.sample_shard.output,
                start=range(0, prompts_drawn(wildcards.variation), SHARD),
                allow_missing=True,
            ),
        output:
            manifest=f"{SAMPLES}/manifest.parquet",
            images=IMAGES_KEPT(directory(f"{SAMPLES}/images")),
        log:
            "logs/merge_samples/{variation}_seed{seed}.log",
        conda:
            ENV
        params:
            code=script("merge_samples"),
            out=subpath(output[0], parent=True),
        shell:
            "{RUN} merge_samples --shards {input:q} --threads {threads} --out {params.out:q} &> {log:q}"
