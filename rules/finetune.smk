# One fine-tune a (recipe, seed), and the trajectories of the base model that some learn from, are validated on, or by which key
# steps are chosen.

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
            f"results/prompts/{EVAL}-key_search.parquet" if wildcards.purpose == "key_search" else TRAINING_DATA
        ),
    output:
        f"results/trajectories/{BACKBONE}/{{purpose}}.safetensors",
    log:
        "logs/sample_trajectories/{purpose}.log",
    wildcard_constraints:
        purpose="|".join(TRAJECTORIES),
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=script("sample_trajectories"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        source=lambda wildcards, input: (
            [f"--prompts={input[0]}"] if wildcards.purpose == "key_search" else training_data_argument(input[0])
        ),
        n_trajectories=lambda wildcards: TRAJECTORIES[wildcards.purpose][0],
        seed=lambda wildcards: TRAJECTORIES[wildcards.purpose][1],
        ends=lambda wildcards: TRAJECTORIES[wildcards.purpose][2],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        device=config["device"],
    shell:
        "{RUN} sample_trajectories --pipeline {params.pipeline:q} {params.source:q}"
        " --count {params.n_trajectories} --seed {params.seed} --steps {params.steps} {params.ends} --guidance {params.guidance} --device {params.device}"
        " --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


rule finetune:
    input:
        data=TRAINING_DATA,
        trajectories=lambda wildcards: trajectories_of(wildcards.recipe),
        validation=lambda wildcards: validation_of(wildcards.recipe),
    output:
        f"results/finetune/{BACKBONE}/{{recipe}}/seed{{seed}}/unet/diffusion_pytorch_model.safetensors",
    log:
        "logs/finetune/{recipe}_seed{seed}.log",
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS * FINETUNE_GPUS,
        # Snakemake cuts `gpu` down to what `--resources` allows, without a word.
        wanted=GPUS * FINETUNE_GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
        # No result depends on it: a change of a resource, unlike one of a parameter, reruns nothing.
        checkpoint_every=lambda wildcards: FINE_TUNES[wildcards.recipe].training["checkpoint_every"],
    params:
        script=lambda wildcards: finetune_script(wildcards.recipe),
        code=lambda wildcards: script(finetune_script(wildcards.recipe)),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        data=lambda wildcards, input: training_data_argument(input.data),
        trajectories=lambda wildcards, input: [f"--trajectories={file}" for file in input.get("trajectories", [])]
        + [f"--validation={file}" for file in input.get("validation", [])],
        recipe=lambda wildcards: json.dumps(FINE_TUNES[wildcards.recipe].recipe),
        training=lambda wildcards: FINE_TUNES[wildcards.recipe].arguments,
        sampling_steps=config["sampling"]["steps"],
        pretraining=pretraining_argument(BACKBONES[BACKBONE]),
        device=config["device"],
        out=subpath(output[0], ancestor=2),
    # One process a GPU. Chosen here and not in `params`: with more GPUs at hand no fine-tune need run again.
    shell:
        "if [ {resources.gpu} -lt {resources.wanted} ]; then"
        " echo 'config key finetune.gpus = {resources.wanted}: allow them, with --resources gpu={resources.wanted}' > {log:q}; exit 1; fi;"
        " launch='{RUN} {params.script}'; if [ {resources.gpu} -gt 1 ]; then"
        " launch='python -m workflow_scripts.with_gpus {resources.gpu} torchrun --standalone --nproc-per-node {resources.gpu}"
        " -m workflow_scripts.{params.script}'; fi;"
        # Several nodes: docs/cluster.md.
        " if [ ${{SLURM_NTASKS:-1}} -gt 1 ]; then launch='srun python -m workflow_scripts.{params.script}'; fi;"
        " $launch --pipeline {params.pipeline:q} {params.data:q}"
        " {params.trajectories:q} --recipe {params.recipe:q} {params.training:q} --sampling-steps {params.sampling_steps}"
        " --checkpoint-every {resources.checkpoint_every}"
        " {params.pretraining:q} --seed {wildcards.seed} --tensorboard results/tensorboard/{wildcards.recipe}/seed{wildcards.seed} --device {params.device}"
        " --code {params.code} --threads {threads} --out {params.out:q} &> {log:q}"
