# What rules/finetune.smk asks of the cells and experiments.


def training_data(backbone, train):
    """Encoded once for all fine-tunes, or the prepared data, of which each batch is encoded as it is drawn."""
    if config["finetune"]["cache_latents"]:
        return f"results/train_set/{backbone.name}/{train}.safetensors"
    return PATHS.data(train, backbone.size)


def training_data_argument(file):
    return f"--train-set={file}" if config["finetune"]["cache_latents"] else f"--data={Path(file).parent}"


def streamed_images(train):
    """Which images of a training split are read while it trains; none where they have been encoded before."""
    return [] if config["finetune"]["cache_latents"] else training_images(train)


def trajectories(backbone, dataset, purpose):
    return f"results/trajectories/{backbone}/{dataset}/{purpose}.safetensors"


def fine_tune(wildcards):
    return FINE_TUNES[wildcards.backbone, wildcards.recipe]


def trajectories_of(wildcards):
    """The trajectories that a fine-tune learns from, and those that it is validated on, as arguments and files."""
    tune = fine_tune(wildcards)
    wanted = {"trajectories": tune.parsed.needs_trajectories, "validation": tune.validated}
    purposes = {"trajectories": "train", "validation": "validation"}
    return {
        name: trajectories(wildcards.backbone, wildcards.train, purposes[name])
        for name, needed in wanted.items()
        if needed
    }


def finetune_script(wildcards):
    return "finetune_validated" if fine_tune(wildcards).validated else "finetune"


def pretraining_argument(wildcards):
    pretraining = backbone_of(wildcards).registered.pretraining
    return [f"--pretraining={json.dumps(vars(pretraining))}"] if pretraining else []
