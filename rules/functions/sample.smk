# Functions of the rules in rules/sample.smk.


def key_steps_of(cell):
    """The chosen key steps of a sampler that has no stride."""
    if not cell.sampler.wants_keys:
        return []
    return [f"results/key_steps/{cell.model.backbone}/{cell.sampler.name}.json"]


def trained(wildcards):
    """The weights that a job's model has been fine-tuned to, one file a seed; none for published ones."""
    seeds = [wildcards.seed] if hasattr(wildcards, "seed") else SEEDS
    return PATHS.weights(drawn(wildcards).cell.model, seeds)


# Few functions: Snakemake asks each function of a rule several times a job, which is most of the time that a large DAG takes. One
# that takes `input` is not among the parameters whose change reruns a job, so it may return nothing but paths.
def sampling_arguments(wildcards):
    """The arguments of a job that follow from its cell alone."""
    cell, backbone = drawn(wildcards).cell, backbone_of(wildcards)
    return [
        f"--pipeline={backbone.location}",
        f"--sampler={json.dumps(cell.sampler.json)}",
        f"--scenario={SCENARIOS[cell.setting.scenario].json}",
        f"--prefix={backbone.prompt_prefix}",
        f"--noise={DATASETS[cell.setting.dataset].noise_id}",
    ]


def sampling_files(wildcards, input):
    """The arguments that name files which a job may need."""
    return [
        *replacing_argument(drawn(wildcards).cell.model, input.get("weights", [])),
        *[f"--keys={file}" for file in input.get("key_steps", [])],
        *[f"--data={folder}" for folder in folders_of(input.get("pictures", []))],
    ]
