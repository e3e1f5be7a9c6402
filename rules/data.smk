# Data sets in one form, the prompts that are evaluated, and the encoded training split.


# Needs the network, which a cluster's compute nodes often lack.
localrules:
    download_illustrations,
    download_laion,


# Links rot, so fetching them again makes another data set: neither newer metadata nor other code runs this anew, only settings.
rule download_laion:
    input:
        ancient(lambda wildcards: config["datasets"]["laion"]["source"]),
    output:
        "results/laion/stats.json",
    log:
        "logs/download_laion.log",
    conda:
        ENV
    resources:
        mem_mb=RESOURCES.mem_mb("download_laion"),
        # How fast, not what: a change of a resource, unlike one of a parameter, reruns nothing.
        workers=lambda wildcards: config["datasets"]["laion"]["download"].get("workers", 32),
    params:
        out=subpath(output[0], parent=True),
        settings=lambda wildcards: [
            f"--{key.replace('_', '-')}={value}"
            for key, value in config["datasets"]["laion"]["download"].items()
            if key != "workers"
        ],
    message:
        "Download the images of LAION that the configuration asks for"
    shell:
        "python -m fcr_core.jobs.client download_laion --metadata {input:q} {params.settings:q} --workers {resources.workers}"
        " --out {params.out:q} &> {log:q}"


# Six tarballs, which lie beside the list: what is there with the right checksum is not fetched again.
rule download_illustrations:
    output:
        "results/illustrations/packages.json",
    log:
        "logs/download_illustrations.log",
    conda:
        ENV
    resources:
        mem_mb=RESOURCES.mem_mb("download_illustrations"),
    params:
        files=[style.sha256 for style in STYLES],
        out=subpath(output[0], parent=True),
    message:
        "Download the six packages of illustrations"
    shell:
        "python -m fcr_core.jobs.client download_illustrations --out {params.out:q} &> {log:q}"


rule prepare_data:
    input:
        lambda wildcards: source_of(wildcards.dataset),
    output:
        PATHS.data("{dataset}", "{size}"),
    log:
        "logs/prepare_data/{dataset}_{size}.log",
    conda:
        ENV
    params:
        code=lambda wildcards: script("prepare_data", f"{DATASETS[wildcards.dataset].module.replace('.', '/')}.py"),
        token=lambda wildcards: content_token(wildcards.dataset, wildcards.size),
        source=lambda wildcards, input: [
            f"--source={path}" for path in (folders_of(input) if is_downloaded(wildcards.dataset) else input)
        ],
        out=subpath(output[0], parent=True),
    message:
        "Prepare {wildcards.dataset} at {wildcards.size} px"
    shell:
        "python -m fcr_core.jobs.client prepare_data --dataset {wildcards.dataset} {params.source:q} {params.token:q}"
        " --size {wildcards.size} --out {params.out:q} &> {log:q}"


rule select_prompts:
    input:
        PATHS.data("{dataset}", "{size}"),
    output:
        PATHS.prompts("{dataset}", "{size}"),
    log:
        "logs/select_prompts/{dataset}_{size}.log",
    conda:
        ENV
    params:
        code=script("select_prompts"),
        data=subpath(input[0], parent=True),
        n_prompts=lambda wildcards: config["datasets"][wildcards.dataset]["prompts"],
        evaluated=0,
        key=lambda wildcards: f"datasets.{wildcards.dataset}.prompts",
    message:
        "Choose the prompts of {wildcards.dataset} that are evaluated"
    shell:
        "python -m fcr_core.jobs.client select_prompts --data {params.data:q} --count {params.n_prompts} --evaluated {params.evaluated}"
        " --key {params.key} --out {output:q} &> {log:q}"


# Held-out concepts that are not evaluated: key steps are chosen on them. The last, so that more evaluation prompts change nothing.
use rule select_prompts as select_search_prompts with:
    output:
        "results/prompts/{dataset}/{size}/key_search.parquet",
    log:
        "logs/select_search_prompts/{dataset}_{size}.log",
    params:
        code=script("select_prompts"),
        data=subpath(input[0], parent=True),
        n_prompts=config["key_search"]["prompts"],
        evaluated=lambda wildcards: config["datasets"].get(wildcards.dataset, {}).get("prompts", 0),
        key="key_search.prompts",
    message:
        "Choose the prompts of {wildcards.dataset} on which key steps are searched for"


rule encode_data:
    input:
        lambda wildcards: PATHS.data(wildcards.dataset, backbone_of(wildcards).size),
    output:
        "results/train_set/{backbone}/{dataset}.safetensors",
    log:
        "logs/encode_data/{backbone}_{dataset}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("encode_data"),
    params:
        code=script("encode_data"),
        versions=VERSIONS,
        weights=weights,
        pipeline=pipeline,
        data=subpath(input[0], parent=True),
        images=lambda wildcards: training_images(wildcards.dataset),
        device=config["device"],
    message:
        "Encode the training split of {wildcards.dataset} with {wildcards.backbone}"
    shell:
        "python -m fcr_core.jobs.client encode_data --pipeline {params.pipeline:q} --data {params.data:q} {params.images}"
        " --device {params.device} --code {params.code} --threads {threads} --out {output:q} &> {log:q}"
