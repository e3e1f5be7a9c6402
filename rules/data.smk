# Data sets in one form, the evaluation prompts, and the encoded training split.


# Needs the network, which a cluster's compute nodes often lack.
localrules:
    download_laion,


# Links rot, so fetching them again makes another data set: neither newer metadata nor other code runs this anew, only settings.
rule download_laion:
    input:
        ancient(lambda wildcards: config["data"]["sources"]["laion"]),
    output:
        "results/laion/stats.json",
    log:
        "logs/download_laion.log",
    conda:
        ENV
    resources:
        mem_mb=growing(8000),
        # How fast, not what: a change of a resource, unlike one of a parameter, reruns nothing.
        workers=lambda wildcards: config["data"]["laion"].get("workers", 32),
    params:
        out=subpath(output[0], parent=True),
        settings=lambda wildcards: [
            f"--{key.replace('_', '-')}={value}" for key, value in config["data"]["laion"].items() if key != "workers"
        ],
    shell:
        "{RUN} download_laion --metadata {input:q} {params.settings:q} --workers {resources.workers}"
        " --out {params.out:q} &> {log:q}"


rule prepare_data:
    input:
        lambda wildcards: source_of(wildcards.dataset),
    output:
        "results/data/{dataset}/prompts.parquet",
    log:
        "logs/prepare_data/{dataset}.log",
    conda:
        ENV
    params:
        code=lambda wildcards: script("prepare_data", f"{DATASETS[wildcards.dataset].replace('.', '/')}.py"),
        source=lambda wildcards, input: [
            f"--source={path}" for path in (folders_of(input) if wildcards.dataset == "laion" else input)
        ],
        size=[f"--size={config['data']['size']}"] if "size" in config["data"] else [],
        out=subpath(output[0], parent=True),
    shell:
        "{RUN} prepare_data --dataset {wildcards.dataset} {params.source:q} {params.size}"
        " --out {params.out:q} &> {log:q}"


rule select_prompts:
    input:
        "results/data/{dataset}/prompts.parquet",
    output:
        "results/prompts/{dataset}.parquet",
    log:
        "logs/select_prompts/{dataset}.log",
    conda:
        ENV
    params:
        code=script("select_prompts"),
        data=subpath(input[0], parent=True),
        n_prompts=config["data"]["prompts"],
        evaluated=0,
        key="data.prompts",
    shell:
        "{RUN} select_prompts --data {params.data:q} --count {params.n_prompts} --evaluated {params.evaluated}"
        " --key {params.key} --out {output:q} &> {log:q}"


# Held-out concepts that are not evaluated: key steps are chosen on them. The last, so that more evaluation prompts change nothing.
use rule select_prompts as select_search_prompts with:
    output:
        "results/prompts/{dataset}-key_search.parquet",
    log:
        "logs/select_search_prompts/{dataset}.log",
    params:
        code=script("select_prompts"),
        data=subpath(input[0], parent=True),
        n_prompts=config["key_search"]["prompts"],
        evaluated=config["data"]["prompts"],
        key="key_search.prompts",


rule encode_data:
    input:
        "results/data/{dataset}/prompts.parquet",
    output:
        f"results/train_set/{BACKBONE}/{{dataset}}.safetensors",
    log:
        "logs/encode_data/{dataset}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
    params:
        code=script("encode_data"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        data=subpath(input[0], parent=True),
        images=TRAIN_IMAGES,
        device=config["device"],
    shell:
        "{RUN} encode_data --pipeline {params.pipeline:q} --data {params.data:q} {params.images}"
        " --device {params.device} --code {params.code} --threads {threads} --out {output:q} &> {log:q}"
