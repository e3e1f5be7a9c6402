# One fine-tune a (recipe, seed), and the trajectories of the base model that some recipes learn from.


rule sample_trajectories:
    input:
        f"results/train_set/{BACKBONE}/{TRAIN}.safetensors",
    output:
        f"results/trajectories/{BACKBONE}/{TRAIN}.safetensors",
    log:
        "logs/sample_trajectories.log",
    benchmark:
        "results/benchmarks/sample_trajectories.tsv"
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=4000,
    params:
        code=script("sample_trajectories"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        n_trajectories=config["finetune"]["trajectories"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        device=config["device"],
    shell:
        "python -m workflow_scripts.sample_trajectories --pipeline {params.pipeline:q} --train-set {input:q}"
        " --count {params.n_trajectories} --steps {params.steps} --guidance {params.guidance} --device {params.device}"
        " --code {params.code} --threads {threads} --out {output:q} 2>&1 | tee {log:q}"


rule finetune:
    input:
        train_set=f"results/train_set/{BACKBONE}/{TRAIN}.safetensors",
        trajectories=lambda wildcards: trajectories_of(wildcards.recipe),
    output:
        f"results/finetune/{BACKBONE}/{{recipe}}/seed{{seed}}/unet/diffusion_pytorch_model.safetensors",
    log:
        "logs/finetune/{recipe}_seed{seed}.log",
    benchmark:
        "results/benchmarks/finetune/{recipe}_seed{seed}.tsv"
    conda:
        ENV
    threads: config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=4000,
    params:
        code=script("finetune"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        trajectories=lambda wildcards, input: [f"--trajectories={file}" for file in input.get("trajectories", [])],
        recipe=lambda wildcards: json.dumps(FINE_TUNES[wildcards.recipe].recipe),
        training=lambda wildcards: rows.training_arguments(FINE_TUNES[wildcards.recipe].training),
        sampling_steps=config["sampling"]["steps"],
        device=config["device"],
        out=subpath(output[0], ancestor=2),
    shell:
        "python -m workflow_scripts.finetune --pipeline {params.pipeline:q} --train-set {input.train_set:q}"
        " {params.trajectories:q} --recipe {params.recipe:q} {params.training:q} --sampling-steps {params.sampling_steps}"
        " --seed {wildcards.seed} --device {params.device}"
        " --code {params.code} --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"
