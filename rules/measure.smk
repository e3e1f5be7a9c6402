# Features of images, and everything that is measured on images, weights and samplers.


rule real_features:
    input:
        data=PATHS.data("{dataset}", "{size}"),
        weights=lambda wildcards: extractor_weights(wildcards.extractor),
    output:
        PATHS.real_features("{extractor}", "{dataset}", "{size}", "{split}"),
    log:
        "logs/real_features/{extractor}_{dataset}_{size}_{split}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("real_features"),
    params:
        code=extractor_code("extract_real_features"),
        versions=VERSIONS,
        data=subpath(input.data, parent=True),
        images=lambda wildcards: training_count(wildcards.dataset) if wildcards.split == "train" else [],
        extractor=extractor_arguments,
    message:
        "Features of the real images of {wildcards.dataset} ({wildcards.extractor}, {wildcards.split})"
    shell:
        "python -m fcr_core.jobs.client extract_real_features --data {params.data:q} --split {wildcards.split}"
        " {params.images} {params.extractor:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule train_lit:
    input:
        data=PATHS.data("{dataset}", "{size}"),
        features=PATHS.real_features("effnet", "{dataset}", "{size}", "train"),
    output:
        "results/lit/{dataset}/{size}.npz",
    log:
        "logs/train_lit/{dataset}_{size}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.mem_mb("train_lit"),
    params:
        code=script("train_lit"),
        versions=VERSIONS,
        data=subpath(input.data, parent=True),
        images=lambda wildcards: training_count(wildcards.dataset),
        steps=config["metrics"]["lit_steps"],
    message:
        "Train the projections of the LiT score on {wildcards.dataset}"
    shell:
        "python -m fcr_core.jobs.client train_lit --data {params.data:q} --features {input.features:q} {params.images}"
        " --steps {params.steps} --threads {threads} --out {output:q} &> {log:q}"


rule text_features:
    input:
        data=PATHS.data("{dataset}", "{size}"),
        weights=lambda wildcards: extractor_weights(wildcards.extractor),
    output:
        "results/features/{extractor}/texts/{dataset}/{size}.npz",
    log:
        "logs/text_features/{extractor}_{dataset}_{size}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("text_features"),
    params:
        code=extractor_code("extract_text_features"),
        versions=VERSIONS,
        extractor=extractor_arguments,
    message:
        "Features of the captions of {wildcards.dataset} ({wildcards.extractor})"
    shell:
        "python -m fcr_core.jobs.client extract_text_features --prompts {input.data:q} {params.extractor:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule sample_features:
    input:
        samples=lambda wildcards: PATHS.manifests(wildcards.cell, drawn(wildcards).seeds),
        images=lambda wildcards: images_in(wildcards.cell, drawn(wildcards).seeds),
        weights=lambda wildcards: extractor_weights(wildcards.extractor),
    output:
        PATHS.features("{extractor}", "{cell}"),
    log:
        "logs/sample_features/{extractor}/{cell}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("sample_features"),
    params:
        code=extractor_code("extract_features"),
        versions=VERSIONS,
        samples=lambda wildcards, input: folders_of(input.samples),
        seeds=lambda wildcards: drawn(wildcards).seeds,
        extractor=extractor_arguments,
    message:
        "Features of {wildcards.cell} ({wildcards.extractor})"
    shell:
        "python -m fcr_core.jobs.client extract_features --samples {params.samples:q} --seeds {params.seeds} {params.extractor:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


# All metrics of sets of images and the image-text score of a cell in one job, as each is seconds.
rule measure_quality:
    input:
        features=PATHS.features(EXTRACTOR, "{cell}"),
        reference=lambda wildcards: PATHS.real_features(EXTRACTOR, *place_of(drawn(wildcards).cell), "test"),
        image_text=PATHS.features(IMAGE_TEXT_EXTRACTOR, "{cell}"),
        image_text_reference=lambda wildcards: PATHS.real_features(
            IMAGE_TEXT_EXTRACTOR, *place_of(drawn(wildcards).cell), "test"
        ),
        twins=lambda wildcards: PATHS.features(IMAGE_TEXT_EXTRACTOR, ROWS[wildcards.cell].twin),
        space=lambda wildcards: space_file(*place_of(drawn(wildcards).cell)),
    output:
        sets=[PATHS.metric(metric, "{cell}") for metric in SET_METRICS],
        image_text=PATHS.metric("image_text", "{cell}"),
    log:
        "logs/measure_quality/{cell}.log",
    wildcard_constraints:
        cell=one_of(ROWS),
    conda:
        ENV
    # NumPy's: Snakemake tells its libraries the job's threads.
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.mem_mb("measure_quality"),
        runtime=RESOURCES.minutes("measure_quality"),
    params:
        code=script("measure_quality", *metric_files(SET_METRICS)),
        metrics=SET_METRICS,
        space=SPACE_ARGUMENT,
        seeds=lambda wildcards: drawn(wildcards).seeds,
    message:
        "Measure the quality of {wildcards.cell}"
    shell:
        "python -m fcr_core.jobs.client measure_quality --metrics {params.metrics} --features {input.features:q} --reference {input.reference:q}"
        " --image-text {input.image_text:q} --image-text-reference {input.image_text_reference:q} --twins {input.twins:q}"
        " {params.space} {input.space:q} --seeds {params.seeds} --sets {output.sets:q} --threads {threads}"
        " --out {output.image_text:q} &> {log:q}"


rule measure_pairs:
    input:
        samples=lambda wildcards: PATHS.manifests(wildcards.cell, drawn(wildcards).seeds),
        own=lambda wildcards: PATHS.manifests(ROWS[wildcards.cell].twin, drawn(wildcards).seeds),
        base=lambda wildcards: PATHS.manifests(ROWS[wildcards.cell].base, drawn(wildcards).seeds),
        images=lambda wildcards: [
            folder
            for cell in (wildcards.cell, ROWS[wildcards.cell].twin, ROWS[wildcards.cell].base)
            for folder in images_in(cell, drawn(wildcards).seeds)
        ],
    output:
        PATHS.metric("pairs", "{cell}"),
    log:
        "logs/measure_pairs/{cell}.log",
    wildcard_constraints:
        cell=one_of(ROWS),
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("measure_pairs"),
        runtime=RESOURCES.minutes("measure_pairs"),
    params:
        code=script("measure_pairs"),
        versions=VERSIONS,
        samples=lambda wildcards, input: folders_of(input.samples),
        own=lambda wildcards, input: folders_of(input.own),
        base=lambda wildcards, input: folders_of(input.base),
        seeds=lambda wildcards: drawn(wildcards).seeds,
        device=config["device"],
    message:
        "Compare {wildcards.cell} with its uncached twin"
    shell:
        "python -m fcr_core.jobs.client measure_pairs --samples {params.samples:q} --own {params.own:q} --base {params.base:q}"
        " --seeds {params.seeds} --device {params.device} --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


# The seeds of each model's fine-tune; the published weights have none of their own.
MODEL_SEEDS = {path: set() for path in MODELS}
for drawing in DRAWINGS.values():
    MODEL_SEEDS[drawing.cell.model.path].update(drawing.seeds)


rule measure_variance:
    input:
        unets=lambda wildcards: PATHS.weights(MODELS[wildcards.model], model_seeds(wildcards)),
        data=lambda wildcards: PATHS.data(wildcards.dataset, backbone_of(wildcards).size),
        prompts=lambda wildcards: PATHS.prompts(wildcards.dataset, backbone_of(wildcards).size),
    output:
        variance=PATHS.variance("{model}", "{dataset}"),
        blocks=PATHS.block_variance("{model}", "{dataset}"),
    log:
        "logs/measure_variance/{model}_{dataset}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("measure_variance"),
    params:
        code=script("measure_variance"),
        versions=VERSIONS,
        weights=weights,
        pipeline=pipeline,
        unets=lambda wildcards, input: folders_of(input.get("unets", [])),
        data=subpath(input.data, parent=True),
        n_images=config["metrics"]["variance_images"],
        deltas=config["metrics"]["deltas"],
        seeds=model_seeds,
        device=config["device"],
    message:
        "Measure the feature variance of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m fcr_core.jobs.client measure_variance --pipeline {params.pipeline:q} --unets {params.unets:q} --data {params.data:q}"
        " --prompts {input.prompts:q} --count {params.n_images} --deltas {params.deltas} --seeds {params.seeds}"
        " --device {params.device} --threads {threads} --blocks {output.blocks:q} --out {output.variance:q} &> {log:q}"


rule measure_real:
    input:
        reference=PATHS.real_features(EXTRACTOR, "{dataset}", "{size}", "test"),
        image_text_reference=PATHS.real_features(IMAGE_TEXT_EXTRACTOR, "{dataset}", "{size}", "test"),
        space=lambda wildcards: space_file(wildcards.dataset, wildcards.size),
    output:
        PATHS.real("{dataset}", "{size}"),
    log:
        "logs/measure_real/{dataset}_{size}.log",
    conda:
        ENV
    # NumPy's: Snakemake tells its libraries the job's threads.
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.mem_mb("measure_real"),
        runtime=RESOURCES.minutes("measure_real"),
    params:
        code=script("measure_real", *metric_files(SET_METRICS)),
        metrics=SET_METRICS,
        space=SPACE_ARGUMENT,
    message:
        "Measure what the real images of {wildcards.dataset} score"
    shell:
        "python -m fcr_core.jobs.client measure_real --metrics {params.metrics} --reference {input.reference:q}"
        " --image-text-reference {input.image_text_reference:q} {params.space} {input.space:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule measure_cost:
    input:
        prompts=lambda wildcards: prompts_of(timed_row(wildcards).cell),
        key_steps=lambda wildcards: [
            file
            for row in EXPERIMENTS[wildcards.experiment].of_backbone(wildcards.backbone)
            for file in key_steps_of(row.cell)
        ],
    output:
        "results/cost/{backbone}/{experiment}{at}.parquet",
    log:
        "logs/measure_cost/{backbone}_{experiment}{at}.log",
    wildcard_constraints:
        at=r"|_\d+px",
    conda:
        ENV
    # All cores: nothing may run beside a timing.
    threads: workflow.cores
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("measure_cost"),
        runtime=RESOURCES.minutes("measure_cost"),
    params:
        code=script("measure_cost"),
        versions=VERSIONS,
        weights=weights,
        pipeline=pipeline,
        samplers=lambda wildcards: json.dumps([sampler.json for sampler in timed_samplers(wildcards).values()]),
        key_steps=lambda wildcards, input: [f"--keys={file}" for file in dict.fromkeys(input.get("key_steps", []))],
        batches=lambda wildcards: EXPERIMENTS[wildcards.experiment].cost.batches,
        repeats=lambda wildcards: EXPERIMENTS[wildcards.experiment].cost.repeats,
        size=lambda wildcards: [f"--size={int(wildcards.at[1:-2])}"] if wildcards.at else [],
        device=config["device"],
    message:
        "Time the samplers of {wildcards.experiment} on {wildcards.backbone}, alone on the machine"
    shell:
        "python -m fcr_core.jobs.client measure_cost --pipeline {params.pipeline:q} --prompts {input.prompts:q} --samplers {params.samplers:q}"
        " {params.key_steps:q} --batches {params.batches} --repeats {params.repeats} {params.size}"
        " --device {params.device} --threads {threads} --out {output:q} &> {log:q}"
