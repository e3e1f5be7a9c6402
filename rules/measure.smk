# Features of images, and everything that is measured on images, weights and samplers.


rule real_features:
    input:
        data="results/data/{dataset}/prompts.parquet",
        weights=lambda wildcards: extractor_weights(wildcards.extractor),
    output:
        "results/features/{extractor}/real/{dataset}/{split}.npz",
    log:
        "logs/real_features/{extractor}_{dataset}_{split}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
    params:
        code=lambda wildcards: script("extract_real_features", f"fcr_core/features/{wildcards.extractor}.py"),
        versions=VERSIONS,
        data=subpath(input.data, parent=True),
        extractor=lambda wildcards: extractor_arguments(wildcards.extractor),
    shell:
        "{RUN} extract_real_features --data {params.data:q} --split {wildcards.split}"
        " {params.extractor:q} --threads {threads} --out {output:q} &> {log:q}"


rule train_lit:
    input:
        data="results/data/{dataset}/prompts.parquet",
        features="results/features/effnet/real/{dataset}/train.npz",
    output:
        "results/lit/{dataset}.npz",
    log:
        "logs/train_lit/{dataset}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
    params:
        code=script("train_lit"),
        versions=VERSIONS,
        data=subpath(input.data, parent=True),
        steps=config["metrics"]["lit_steps"],
    shell:
        "{RUN} train_lit --data {params.data:q} --features {input.features:q} --steps {params.steps}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule sample_features:
    input:
        samples=lambda wildcards: samples_of(wildcards.variation),
        images=lambda wildcards: images_in(wildcards.variation),
        weights=lambda wildcards: extractor_weights(wildcards.extractor),
    output:
        "results/features/{extractor}/samples/{variation}.npz",
    log:
        "logs/sample_features/{extractor}_{variation}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
    params:
        code=lambda wildcards: script("extract_features", f"fcr_core/features/{wildcards.extractor}.py"),
        versions=VERSIONS,
        samples=lambda wildcards, input: folders_of(input.samples),
        seeds=SEEDS,
        extractor=lambda wildcards: extractor_arguments(wildcards.extractor),
    shell:
        "{RUN} extract_features --samples {params.samples:q} --seeds {params.seeds}"
        " {params.extractor:q} --threads {threads} --out {output:q} &> {log:q}"


rule measure_set:
    input:
        features=lambda wildcards: f"results/features/{set_extractor(wildcards.metric)}/samples/{wildcards.variation}.npz",
        reference=lambda wildcards: f"results/features/{set_extractor(wildcards.metric)}/real/{EVAL}/test.npz",
        space=lambda wildcards: [IMAGE_TEXT_SPACE] if wildcards.metric in IN_IMAGE_TEXT_SPACE else [],
    output:
        "results/metrics/{metric}/{variation}.parquet",
    log:
        "logs/measure_set/{metric}_{variation}.log",
    wildcard_constraints:
        metric="|".join(SET_METRICS),
    conda:
        ENV
    # NumPy's: Snakemake tells its libraries the job's threads.
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=lambda wildcards: script("measure_set", f"fcr_core/metrics/{wildcards.metric}.py"),
        seeds=SEEDS,
        space=lambda wildcards, input: [f"{SPACE_ARGUMENT}={file}" for file in input.get("space", [])],
    shell:
        "{RUN} measure_set --metric {wildcards.metric} --features {input.features:q}"
        " --reference {input.reference:q} {params.space:q} --seeds {params.seeds} --out {output:q} &> {log:q}"


rule text_features:
    input:
        data="results/data/{dataset}/prompts.parquet",
        weights=lambda wildcards: extractor_weights(wildcards.extractor),
    output:
        "results/features/{extractor}/texts/{dataset}.npz",
    log:
        "logs/text_features/{extractor}_{dataset}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
    params:
        code=lambda wildcards: script("extract_text_features", f"fcr_core/features/{wildcards.extractor}.py"),
        versions=VERSIONS,
        extractor=lambda wildcards: extractor_arguments(wildcards.extractor),
    shell:
        "{RUN} extract_text_features --prompts {input.data:q} {params.extractor:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule measure_image_text:
    input:
        features=f"results/features/{IMAGE_TEXT_EXTRACTOR}/samples/{{variation}}.npz",
        twins=lambda wildcards: f"results/features/{IMAGE_TEXT_EXTRACTOR}/samples/{twin_of(ROWS[wildcards.variation])}.npz",
        space=IMAGE_TEXT_SPACE,
    output:
        "results/metrics/image_text/{variation}.parquet",
    log:
        "logs/measure_image_text/{variation}.log",
    conda:
        ENV
    params:
        code=script("measure_image_text"),
        space=SPACE_ARGUMENT,
        seeds=SEEDS,
    shell:
        "{RUN} measure_image_text --features {input.features:q} --twins {input.twins:q}"
        " {params.space} {input.space:q} --seeds {params.seeds} --out {output:q} &> {log:q}"


rule measure_pairs:
    input:
        samples=lambda wildcards: samples_of(wildcards.variation),
        own=lambda wildcards: samples_of(twin_of(ROWS[wildcards.variation])),
        base=samples_of(UNCACHED),
        images=lambda wildcards: images_in(wildcards.variation, twin_of(ROWS[wildcards.variation]), UNCACHED),
    output:
        "results/metrics/pairs/{variation}.parquet",
    log:
        "logs/measure_pairs/{variation}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=script("measure_pairs"),
        versions=VERSIONS,
        samples=lambda wildcards, input: folders_of(input.samples),
        own=lambda wildcards, input: folders_of(input.own),
        base=lambda wildcards, input: folders_of(input.base),
        seeds=SEEDS,
        device=config["device"],
    shell:
        "{RUN} measure_pairs --samples {params.samples:q} --own {params.own:q} --base {params.base:q}"
        " --seeds {params.seeds} --device {params.device} --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


rule measure_variance:
    input:
        unets=lambda wildcards: replaced_unets(RECIPE_OF_MODEL[wildcards.model]),
        data=f"results/data/{EVAL}/prompts.parquet",
        prompts=f"results/prompts/{EVAL}.parquet",
    output:
        "results/metrics/feature_variance/{model}.parquet",
    log:
        "logs/measure_variance/{model}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
    params:
        code=script("measure_variance"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        unets=lambda wildcards, input: folders_of(input.get("unets", [])),
        data=subpath(input.data, parent=True),
        n_images=config["metrics"]["variance_images"],
        deltas=rows.deltas_of(config),
        seeds=SEEDS,
        device=config["device"],
    shell:
        "{RUN} measure_variance --pipeline {params.pipeline:q} --unets {params.unets:q}"
        " --data {params.data:q} --prompts {input.prompts:q} --count {params.n_images} --deltas {params.deltas}"
        " --seeds {params.seeds} --device {params.device} --threads {threads} --out {output:q} &> {log:q}"


rule measure_real:
    input:
        reference=f"results/features/{EXTRACTOR}/real/{EVAL}/test.npz",
        image_text_reference=f"results/features/{IMAGE_TEXT_EXTRACTOR}/real/{EVAL}/test.npz",
        space=IMAGE_TEXT_SPACE,
    output:
        "results/metrics/real.parquet",
    log:
        "logs/measure_real.log",
    conda:
        ENV
    # NumPy's: Snakemake tells its libraries the job's threads.
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        code=script("measure_real", *(f"fcr_core/metrics/{metric}.py" for metric in SET_METRICS)),
        metrics=SET_METRICS,
        space=SPACE_ARGUMENT,
    shell:
        "{RUN} measure_real --metrics {params.metrics} --reference {input.reference:q}"
        " --image-text-reference {input.image_text_reference:q} {params.space} {input.space:q} --out {output:q} &> {log:q}"


rule measure_efficiency:
    input:
        prompts=f"results/prompts/{EVAL}.parquet",
        key_steps=lambda wildcards: [file for row in TABLES[wildcards.table].values() for file in keys_of(row)],
    output:
        "results/metrics/efficiency/{table}{at}.parquet",
    log:
        "logs/measure_efficiency/{table}{at}.log",
    conda:
        ENV
    # All cores: nothing may run beside a timing.
    threads: workflow.cores
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=script("measure_efficiency"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        samplers=lambda wildcards: rows.samplers_json(TABLES[wildcards.table].values()),
        key_steps=lambda wildcards, input: json.dumps(
            {
                row.sampler: copy_of(name, input.get("key_steps"))
                for row in TABLES[wildcards.table].values()
                for name in keys_of(row)
            }
        ),
        guidance=config["sampling"]["guidance"],
        batches=lambda wildcards: CLOCK[wildcards.table]["batches"],
        repeats=lambda wildcards: CLOCK[wildcards.table]["repeats"],
        size=lambda wildcards: [f"--size={int(wildcards.at[1:-2])}"] if wildcards.at else [],
        device=config["device"],
    shell:
        "{RUN} measure_efficiency --pipeline {params.pipeline:q} --prompts {input.prompts:q}"
        " --samplers {params.samplers:q} --keys {params.key_steps:q} --guidance {params.guidance} --batches {params.batches} --repeats {params.repeats}"
        " {params.size} --device {params.device} --threads {threads} --out {output:q} &> {log:q}"
