# What rules/sample.smk asks of the cells and experiments.


def key_steps_of(cell):
    """The chosen key steps of a sampler that has no stride."""
    if not cell.sampler.wants_keys:
        return []
    return [f"results/key_steps/{cell.model.backbone}/{cell.sampler.name}.json"]


def seeds_of(wildcards):
    """The seeds that a job draws: all, or the one of its folder."""
    return [wildcards.seed] if hasattr(wildcards, "seed") else SEEDS


def prompts_drawn(wildcards):
    """The first prompt of a job, and how many it draws: all of its cell, or those of a shard."""
    start, prompts = int(getattr(wildcards, "start", 0)), drawn(wildcards).prompts
    return start, min(SHARD, prompts - start) if hasattr(wildcards, "start") else prompts


# Few functions: Snakemake asks each function of a rule several times a job, which is most of the time that a large DAG takes. One
# that takes `input` is not among the parameters whose change reruns a job, so it may return nothing but paths.
def sampling_inputs(wildcards):
    """Prompts and what a cell may need beside: fine-tuned weights, one file a seed, chosen key steps, pictures to draw from."""
    cell = drawn(wildcards).cell
    return {
        "prompts": prompts_of(cell),
        "weights": PATHS.weights(cell.model, seeds_of(wildcards)),
        "key_steps": key_steps_of(cell),
        "pictures": pictures_of(backbone_of(wildcards), cell),
    }


def sampling_arguments(wildcards):
    """The arguments of a job that follow from its cell and its wildcards alone."""
    cell, backbone = drawn(wildcards).cell, backbone_of(wildcards)
    start, count = prompts_drawn(wildcards)
    return [
        f"--pipeline={backbone.location}",
        f"--sampler={json.dumps(cell.sampler.json)}",
        f"--scenario={SCENARIOS[cell.setting.scenario].json}",
        f"--prefix={backbone.prompt_prefix}",
        f"--noise={DATASETS[cell.setting.dataset].noise_id}",
        f"--start={start}",
        f"--count={count}",
        "--seeds",
        *seeds_of(wildcards),
    ]


def sampling_files(wildcards, input):
    """The arguments that name files which a job may need."""
    return [
        *replacing_argument(drawn(wildcards).cell.model, input.get("weights", [])),
        *[f"--keys={file}" for file in input.get("key_steps", [])],
        *[f"--data={folder}" for folder in folders_of(input.get("pictures", []))],
    ]
