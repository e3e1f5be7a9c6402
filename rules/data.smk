# Data sets in one form, the evaluation prompts, and the encoded training split.


rule prepare_data:
    output:
        "results/data/{dataset}/prompts.parquet",
    log:
        "logs/prepare_data/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare_data/{dataset}.tsv"
    conda:
        ENV
    params:
        code=script(
            "prepare_data",
            *sorted(f"{m.replace('.', '/')}.py" for m in DATASETS.values()),
        ),
        out=subpath(output[0], parent=True),
    shell:
        "python -m workflow_scripts.prepare_data --dataset {wildcards.dataset} --out {params.out:q} 2>&1 | tee {log:q}"


rule select_prompts:
    input:
        "results/data/{dataset}/prompts.parquet",
    output:
        "results/prompts/{dataset}.parquet",
    log:
        "logs/select_prompts/{dataset}.log",
    benchmark:
        "results/benchmarks/select_prompts/{dataset}.tsv"
    conda:
        ENV
    params:
        code=script("select_prompts"),
        data=subpath(input[0], parent=True),
        n_prompts=config["data"]["prompts"],
        skip=0,
        key="data.prompts",
    shell:
        "python -m workflow_scripts.select_prompts --data {params.data:q} --count {params.n_prompts} --skip {params.skip}"
        " --key {params.key} --out {output:q} 2>&1 | tee {log:q}"


# Held-out concepts that are not evaluated: key steps are chosen on them.
use rule select_prompts as select_search_prompts with:
    output:
        "results/prompts/{dataset}-key_search.parquet",
    log:
        "logs/select_search_prompts/{dataset}.log",
    benchmark:
        "results/benchmarks/select_search_prompts/{dataset}.tsv"
    params:
        code=script("select_prompts"),
        data=subpath(input[0], parent=True),
        n_prompts=config["key_search"]["prompts"],
        skip=config["data"]["prompts"],
        key="key_search.prompts",


rule encode_data:
    input:
        "results/data/{dataset}/prompts.parquet",
    output:
        f"results/train_set/{BACKBONE}/{{dataset}}.safetensors",
    log:
        "logs/encode_data/{dataset}.log",
    benchmark:
        "results/benchmarks/encode_data/{dataset}.tsv"
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
    shell:
        "python -m workflow_scripts.encode_data --pipeline {params.pipeline:q} --data {params.data:q}"
        " --threads {threads} --out {output:q} 2>&1 | tee {log:q}"
