# The embedded backbones from nothing: `make backbone FAMILY=...` runs these and puts the result into models/.


wildcard_constraints:
    embedded="|".join(EMBEDDED),


rule pretrain_vae:
    input:
        pictures_learned,
    output:
        "results/pretrain/{embedded}/vae_only/model_index.json",
    log:
        "logs/pretrain_vae_{embedded}.log",
    conda:
        ENV
    threads: workflow.cores
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("pretrain_vae"),
        runtime=RESOURCES.minutes("pretrain_vae"),
    params:
        code=script("pretrain_vae"),
        versions=VERSIONS,
        data=lambda wildcards, input: folders_of(input),
        out=subpath(output[0], parent=True),
        settings=lambda wildcards: EMBEDDED[wildcards.embedded].vae.arguments,
        device=config["device"],
    message:
        "Train the VAE of {wildcards.embedded}"
    shell:
        "python -m fcr_core.jobs.client pretrain_vae --name {wildcards.embedded} --data {params.data:q} {params.settings}"
        " --device {params.device} --threads {threads} --out {params.out:q} &> {log:q}"


use rule encode_data as encode_for_pretraining with:
    input:
        data=lambda wildcards: PATHS.data(*learned(wildcards)),
        pipeline="results/pretrain/{embedded}/vae_only/model_index.json",
    output:
        "results/pretrain/{embedded}/train_set.safetensors",
    log:
        "logs/encode_for_pretraining_{embedded}.log",
    params:
        weights="",
        pipeline=subpath(input.pipeline, parent=True),
        images=[],
    message:
        "Encode the pictures that the UNet of {wildcards.embedded} learns from"


rule pretrain_unet:
    input:
        pipeline="results/pretrain/{embedded}/vae_only/model_index.json",
        train_set="results/pretrain/{embedded}/train_set.safetensors",
    output:
        "results/pretrain/{embedded}/trained/model_index.json",
    log:
        "logs/pretrain_unet_{embedded}.log",
    conda:
        ENV
    threads: workflow.cores
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("pretrain_unet"),
        runtime=RESOURCES.minutes("pretrain_unet"),
    params:
        code=script("pretrain_unet"),
        versions=VERSIONS,
        pipeline=subpath(input.pipeline, parent=True),
        out=subpath(output[0], parent=True),
        settings=lambda wildcards: EMBEDDED[wildcards.embedded].unet.arguments,
        device=config["device"],
    message:
        "Train the UNet of {wildcards.embedded}"
    shell:
        "python -m fcr_core.jobs.client pretrain_unet --name {wildcards.embedded} --pipeline {params.pipeline:q}"
        " --train-set {input.train_set:q} {params.settings} --device {params.device} --threads {threads} --out {params.out:q} &> {log:q}"


rule backbone_card:
    input:
        pipeline="results/pretrain/{embedded}/trained/model_index.json",
        data=lambda wildcards: PATHS.data(*learned(wildcards)),
        reference=lambda wildcards: PATHS.real_features("effnet", *learned(wildcards), "train"),
        lit=lambda wildcards: "results/lit/{}/{}.npz".format(*learned(wildcards)),
    output:
        "results/pretrain/{embedded}/finished/README.md",
    log:
        "logs/backbone_card_{embedded}.log",
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
        "Write the card of {wildcards.embedded}"
    shell:
        "python -m fcr_core.jobs.client backbone_card --name {wildcards.embedded} --pipeline {params.pipeline:q} --data {params.data:q}"
        " --reference {input.reference:q} --lit {input.lit:q} --threads {threads} --out {params.out:q} &> {log:q}"
