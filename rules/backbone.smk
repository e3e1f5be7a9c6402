# The pocket backbone from nothing: `make backbone` runs these and puts the result into models/pocket.


rule pretrain_vae:
    input:
        expand("results/data/{dataset}/prompts.parquet", dataset=["twemoji", "noto"]),
    output:
        "results/pretrain/vae/diffusion_pytorch_model.safetensors",
    log:
        "logs/pretrain_vae.log",
    benchmark:
        "results/benchmarks/pretrain_vae.tsv"
    conda:
        ENV
    threads: workflow.cores
    resources:
        mem_mb=4000,
    params:
        code=script("pretrain_vae"),
        versions=VERSIONS,
        data=lambda wildcards, input: folders_of(input),
        out=subpath(output[0], parent=True),
        settings="--steps 1700 --batch 32 --lr 1e-3 --seed 0",
    shell:
        "python -m workflow_scripts.pretrain_vae --data {params.data:q} {params.settings}"
        " --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"


rule pretrain_unet:
    input:
        data="results/data/twemoji/prompts.parquet",
        vae="results/pretrain/vae/diffusion_pytorch_model.safetensors",
    output:
        "results/pretrain/pocket/model_index.json",
    log:
        "logs/pretrain_unet.log",
    benchmark:
        "results/benchmarks/pretrain_unet.tsv"
    conda:
        ENV
    threads: workflow.cores
    resources:
        mem_mb=4000,
    params:
        code=script("pretrain_unet"),
        versions=VERSIONS,
        data=subpath(input.data, parent=True),
        vae=subpath(input.vae, parent=True),
        out=subpath(output[0], parent=True),
        settings="--steps 1800 --batch 128 --lr 8e-4 --seed 0",
    shell:
        "python -m workflow_scripts.pretrain_unet --vae {params.vae:q} --data {params.data:q} {params.settings}"
        " --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"


rule backbone_card:
    input:
        pipeline="results/pretrain/pocket/model_index.json",
        vae="results/pretrain/vae/diffusion_pytorch_model.safetensors",
        data="results/data/twemoji/prompts.parquet",
        reference="results/features/real/twemoji/train.npz",
        lit="results/lit/twemoji.npz",
    output:
        "results/pretrain/card/README.md",
    log:
        "logs/backbone_card.log",
    benchmark:
        "results/benchmarks/backbone_card.tsv"
    conda:
        ENV
    threads: workflow.cores
    resources:
        mem_mb=4000,
    params:
        code=script("backbone_card"),
        versions=VERSIONS,
        pipeline=subpath(input.pipeline, parent=True),
        vae=subpath(input.vae, parent=True),
        data=subpath(input.data, parent=True),
        out=subpath(output[0], parent=True),
    shell:
        "python -m workflow_scripts.backbone_card --pipeline {params.pipeline:q} --vae {params.vae:q} --data {params.data:q}"
        " --reference {input.reference:q} --lit {input.lit:q} --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"
