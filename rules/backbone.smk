# The pocket backbone from nothing: `make backbone` runs these and puts the result into models/pocket.


rule pretrain_vae:
    input:
        [PATHS.data(dataset, 64) for dataset in ("twemoji", "noto")],
    output:
        "results/pretrain/vae_only/model_index.json",
    log:
        "logs/pretrain_vae.log",
    conda:
        ENV
    threads: workflow.cores
    resources:
        mem_mb=RESOURCES.mem_mb("pretrain_vae"),
        runtime=RESOURCES.minutes("pretrain_vae"),
    params:
        code=script("pretrain_vae"),
        versions=VERSIONS,
        data=lambda wildcards, input: folders_of(input),
        out=subpath(output[0], parent=True),
        settings="--steps 1700 --batch 32 --lr 1e-3 --seed 0",
    message:
        "Train the pocket backbone's VAE"
    shell:
        "python -m fcr_core.jobs.client pretrain_vae --data {params.data:q} {params.settings}"
        " --threads {threads} --out {params.out:q} &> {log:q}"


use rule encode_data as encode_for_pretraining with:
    input:
        data=PATHS.data("twemoji", 64),
        pipeline="results/pretrain/vae_only/model_index.json",
    output:
        "results/pretrain/train_set.safetensors",
    log:
        "logs/encode_for_pretraining.log",
    params:
        weights="",
        pipeline=subpath(input.pipeline, parent=True),
        images=[],
    message:
        "Encode Twemoji to train the pocket backbone's UNet"


rule pretrain_unet:
    input:
        pipeline="results/pretrain/vae_only/model_index.json",
        train_set="results/pretrain/train_set.safetensors",
    output:
        "results/pretrain/trained/model_index.json",
    log:
        "logs/pretrain_unet.log",
    conda:
        ENV
    threads: workflow.cores
    resources:
        mem_mb=RESOURCES.mem_mb("pretrain_unet"),
        runtime=RESOURCES.minutes("pretrain_unet"),
    params:
        code=script("pretrain_unet"),
        versions=VERSIONS,
        pipeline=subpath(input.pipeline, parent=True),
        out=subpath(output[0], parent=True),
        settings="--steps 8400 --batch 128 --lr 8e-4 --seed 0",
    message:
        "Train the pocket backbone's UNet"
    shell:
        "python -m fcr_core.jobs.client pretrain_unet --pipeline {params.pipeline:q} --train-set {input.train_set:q} {params.settings}"
        " --threads {threads} --out {params.out:q} &> {log:q}"


rule backbone_card:
    input:
        pipeline="results/pretrain/trained/model_index.json",
        data=PATHS.data("twemoji", 64),
        reference=PATHS.real_features("effnet", "twemoji", 64, "train"),
        lit="results/lit/twemoji/64.npz",
    output:
        "results/pretrain/pocket/README.md",
    log:
        "logs/backbone_card.log",
    conda:
        ENV
    threads: workflow.cores
    resources:
        mem_mb=RESOURCES.mem_mb("backbone_card"),
    params:
        code=script("backbone_card"),
        versions=VERSIONS,
        pipeline=subpath(input.pipeline, parent=True),
        data=subpath(input.data, parent=True),
        out=subpath(output[0], parent=True),
    message:
        "Write the pocket backbone's card"
    shell:
        "python -m fcr_core.jobs.client backbone_card --pipeline {params.pipeline:q} --data {params.data:q}"
        " --reference {input.reference:q} --lit {input.lit:q} --threads {threads} --out {params.out:q} &> {log:q}"
