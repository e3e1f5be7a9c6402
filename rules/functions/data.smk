# What rules/data.smk asks of the cells and experiments.


def source_of(dataset):
    """What a data set is read from: the user's files, for LAION the images that are downloaded; nothing if it is in a package."""
    if dataset == "laion":
        return ["results/laion/stats.json"]
    source = config["datasets"].get(dataset, {}).get("source")
    # The time of a folder says nothing of what it holds: `content_token` does.
    return [ancient(source) if Path(source).is_dir() else source] if source else []


@cache  # a look at every file
def content_token(dataset, size):
    """The argument that stands for what the user's files hold, which changes when that does; nothing where there are none."""
    source = config["datasets"].get(dataset, {}).get("source")
    if dataset == "laion" or not source or not Path(source).exists():
        return []
    try:
        token = token_of(Path(source), DATASETS[dataset].beside(Path(source)), Path(PATHS.data(dataset, size)).parent)
    except (OSError, ValueError):
        token = "unreadable"  # the job will say which file
    return [f"--token={token}"]


def training_count(dataset):
    """How many images of a training split are learned from, if not all."""
    count = config["datasets"].get(dataset, {}).get("train_images")
    return [] if count is None else [f"--images={count}"]


def training_images(dataset):
    """Which images of a training split are learned from, and how."""
    return training_count(dataset) + ["--mirror"] * config["finetune"].get("mirror", False)
