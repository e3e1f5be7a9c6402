# One fine-tune a (backbone, training set, recipe, seed), and the trajectories of a backbone that some learn from, are validated on,
# or by which key steps are chosen.

# How many for which purpose, the seed that keeps them apart, and what is kept: those that are learned from whole, else the ends.
TRAJECTORIES = {
    "train": (config["finetune"]["trajectories"], 0, ""),
    "validation": (config["finetune"]["validation_prompts"], 1, "--ends"),
    "key_search": (config["key_search"]["prompts"], 2, "--ends"),
}
FINETUNE_GPUS = config["finetune"].get("gpus", 1)


rule sample_trajectories:
    input:
        lambda wildcards: (
            f"results/prompts/{wildcards.dataset}/{backbone_of(wildcards).size}/key_search.parquet"
            if wildcards.purpose == "key_search"
            else training_data(backbone_of(wildcards), wildcards.dataset)
        ),
    output:
        trajectories("{backbone}", "{dataset}", "{purpose}"),
    log:
        "logs/sample_trajectories/{backbone}_{dataset}_{purpose}.log",
    wildcard_constraints:
        purpose="|".join(TRAJECTORIES),
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=RESOURCES.mem_mb("sample_trajectories"),
        runtime=RESOURCES.minutes("sample_trajectories"),
    params:
        code=script("sample_trajectories"),
        versions=VERSIONS,
        weights=weights,
        pipeline=pipeline,
        source=lambda wildcards, input: (
            f"--prompts={input[0]}" if wildcards.purpose == "key_search" else training_data_argument(input[0])
        ),
        texts=lambda wildcards: (
            [f"--prefix={backbone_of(wildcards).prompt_prefix}"]
            if wildcards.purpose == "key_search"
            else streamed_images(wildcards.dataset)
        ),
        n_trajectories=lambda wildcards: TRAJECTORIES[wildcards.purpose][0],
        seed=lambda wildcards: TRAJECTORIES[wildcards.purpose][1],
        ends=lambda wildcards: TRAJECTORIES[wildcards.purpose][2],
        steps=config["sampling"]["steps"],
        guidance=lambda wildcards: backbone_of(wildcards).guidance,
        device=config["device"],
    message:
        "Sample trajectories of {wildcards.backbone} on {wildcards.dataset} ({wildcards.purpose})"
    shell:
        "python -m fcr_core.jobs.client sample_trajectories --pipeline {params.pipeline:q} {params.source:q} {params.texts:q}"
        " --count {params.n_trajectories} --seed {params.seed} --steps {params.steps} {params.ends} --guidance {params.guidance}"
        " --device {params.device} --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


rule finetune:
    input:
        unpack(trajectories_of),
        data=lambda wildcards: training_data(backbone_of(wildcards), wildcards.train),
    output:
        "results/finetune/{backbone}/{train}/{recipe}/seed{seed}/unet/diffusion_pytorch_model.safetensors",
    log:
        "logs/finetune/{backbone}_{train}_{recipe}_seed{seed}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS * FINETUNE_GPUS,
        # Snakemake cuts `gpu` down to what `--resources` allows, without a word.
        wanted=GPUS * FINETUNE_GPUS,
        mem_mb=RESOURCES.mem_mb("finetune"),
        runtime=RESOURCES.minutes("finetune"),
        # No result depends on it: a change of a resource, unlike one of a parameter, reruns nothing.
        checkpoint_every=lambda wildcards: fine_tune(wildcards).training["checkpoint_every"],
    params:
        script=finetune_script,
        code=lambda wildcards: script(finetune_script(wildcards)),
        versions=VERSIONS,
        weights=weights,
        pipeline=pipeline,
        data=lambda wildcards, input: training_data_argument(input.data),
        images=lambda wildcards: streamed_images(wildcards.train),
        trajectories=lambda wildcards, input: [f"--{name}={input[name]}" for name in trajectories_of(wildcards)],
        recipe=lambda wildcards: json.dumps(fine_tune(wildcards).recipe),
        training=lambda wildcards: fine_tune(wildcards).arguments,
        sampling_steps=config["sampling"]["steps"],
        pretraining=pretraining_argument,
        device=config["device"],
        out=subpath(output[0], ancestor=2),
    message:
        "Fine-tune {wildcards.backbone} on {wildcards.train} by {wildcards.recipe}, seed {wildcards.seed}"
    # One process a GPU. Chosen here and not in `params`: with more GPUs at hand no fine-tune need run again.
    shell:
        "if [ {resources.gpu} -lt {resources.wanted} ]; then"
        " echo 'config key finetune.gpus = {resources.wanted}: allow them, with --resources gpu={resources.wanted}' > {log:q}; exit 1; fi;"
        " launch='python -m fcr_core.jobs.client '; if [ {resources.gpu} -gt 1 ]; then"
        " launch='python -m workflow_scripts.with_gpus {resources.gpu} torchrun --standalone --nproc-per-node {resources.gpu} -m workflow_scripts.'; fi;"
        # Several nodes: docs/cluster.md.
        " if [ ${{SLURM_NTASKS:-1}} -gt 1 ]; then launch='srun python -m workflow_scripts.'; fi;"
        " ${{launch}}{params.script} --pipeline {params.pipeline:q} {params.data:q} {params.images:q}"
        " {params.trajectories:q} --recipe {params.recipe:q} {params.training:q} --sampling-steps {params.sampling_steps}"
        " --checkpoint-every {resources.checkpoint_every} {params.pretraining:q} --seed {wildcards.seed}"
        " --tensorboard results/tensorboard/{wildcards.backbone}/{wildcards.train}/{wildcards.recipe}/seed{wildcards.seed}"
        " --device {params.device} --code {params.code} --threads {threads} --out {params.out:q} &> {log:q}"
