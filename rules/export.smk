# A fine-tune to share: a folder for the hub, with the numbers of the first table that it has rows in.


rule export_model:
    input:
        unet="results/finetune/{backbone}/{train}/{recipe}/seed{seed}/unet/diffusion_pytorch_model.safetensors",
        measurements=lambda wildcards: [
            PATHS.table(experiment, "measurements.csv") for experiment in shown_in(wildcards)
        ],
    output:
        "results/export/{backbone}/{train}/{recipe}/seed{seed}/README.md",
    log:
        "logs/export_model/{backbone}_{train}_{recipe}_seed{seed}.log",
    conda:
        ENV
    params:
        code=script("export_model"),
        fine_tune=subpath(input.unet, ancestor=2),
        recipe=lambda wildcards: json.dumps(FINE_TUNES[wildcards.backbone, wildcards.recipe].recipe),
        pipeline=pipeline,
        licence=lambda wildcards: backbone_of(wildcards).registered.licence,
        task=lambda wildcards: backbone_of(wildcards).registered.task,
        numbers=lambda wildcards, input: [f"--measurements={file}" for file in input.get("measurements", [])]
        + [f"--experiment={experiment_file(experiment)}" for experiment in shown_in(wildcards)],
        names=shown_rows,
        out=subpath(output[0], parent=True),
    message:
        "Export {wildcards.recipe} of {wildcards.backbone}, seed {wildcards.seed}"
    shell:
        "python -m fcr_core.jobs.client export_model --fine-tune {params.fine_tune:q} --recipe {params.recipe:q} --pipeline {params.pipeline:q}"
        " --licence {params.licence:q} --task {params.task} --data {wildcards.train} --name {wildcards.recipe:q}-seed{wildcards.seed}"
        " {params.numbers:q} --rows {params.names:q} --threads {threads} --out {params.out:q} &> {log:q}"
