# One fine-tune a (λ, seed).


rule finetune:
    input:
        f"results/train_set/{BACKBONE}/{TRAIN}.safetensors",
    output:
        f"results/finetune/{BACKBONE}/lambda{{lam}}/seed{{seed}}/unet/diffusion_pytorch_model.safetensors",
    log:
        "logs/finetune/lambda{lam}_seed{seed}.log",
    benchmark:
        "results/benchmarks/finetune/lambda{lam}_seed{seed}.tsv"
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
        max_delta=rows.max_delta_in_train_steps(config),
        recipe={key: config["finetune"][key] for key in ("distance", "steps", "batch", "lr", "checkpoint_every")},
        device=config["device"],
        out=subpath(output[0], ancestor=2),
    shell:
        "python -m workflow_scripts.finetune --pipeline {params.pipeline:q} --train-set {input:q}"
        " --lam {wildcards.lam} --max-delta {params.max_delta} --distance {params.recipe[distance]}"
        " --steps {params.recipe[steps]} --batch {params.recipe[batch]} --lr {params.recipe[lr]} --seed {wildcards.seed}"
        " --checkpoint-every {params.recipe[checkpoint_every]} --device {params.device}"
        " --code {params.code} --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"
