# What rules/data.smk asks of the cells and experiments.


def source_of(dataset):
    """What a data set is read from: the user's files, for LAION the images that are downloaded; nothing if it is in a package."""
    if dataset == "laion":
        return ["results/laion/stats.json"]
    return [source] if (source := config["datasets"].get(dataset, {}).get("source")) else []


def training_images(dataset):
    """Which images of a training split are learned from, and how."""
    count = config["datasets"].get(dataset, {}).get("train_images")
    return [f"--images={count}"] * (count is not None) + ["--mirror"] * config["finetune"].get("mirror", False)
