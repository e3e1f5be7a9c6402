# Every way of caching the base model beside plain solvers: snakemake results/figures/sampler_plane.png


rule sampler_plane:
    input:
        prompts=f"results/prompts/{EVAL}.parquet",
        pictures=PICTURES,
    output:
        report(
            "results/sampler_plane.csv",
            caption="captions/plane.rst",
            category="Tables",
            labels={"results": "sampler plane", "shows": "every way of caching"},
        ),
    log:
        "logs/sampler_plane.log",
    conda:
        ENV
    # All cores: nothing may run beside a timing.
    threads: workflow.cores
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=script("sampler_plane"),
        versions=VERSIONS,
        weights=WEIGHTS,
        pipeline=PIPELINE,
        pictures=lambda wildcards, input: pictures_argument(input),
        plane=json.dumps(config["plane"]),
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        goal=f"FD-{config['plane']['strides'][0]}",
        device=config["device"],
    shell:
        "{RUN} sampler_plane --pipeline {params.pipeline:q} {params.pictures:q} --prompts {input.prompts:q} --plane {params.plane:q}"
        " --steps {params.steps} --guidance {params.guidance} --goal {params.goal} --device {params.device}"
        " --code {params.code} --threads {threads} --out {output:q} &> {log:q}"


rule plot_plane:
    input:
        "results/sampler_plane.csv",
    output:
        report(
            "results/figures/sampler_plane.png",
            caption="captions/plane.rst",
            category="Figures",
            labels={"results": "sampler plane", "shows": "every way of caching"},
        ),
    log:
        "logs/plot_plane.log",
    conda:
        ENV
    params:
        code=script("plot_plane"),
        goal=f"FD-{config['plane']['strides'][0]}",
    shell:
        "{RUN} plot_plane --table {input:q} --goal {params.goal} --out {output:q} &> {log:q}"
