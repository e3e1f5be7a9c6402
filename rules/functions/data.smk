# What rules/data.smk asks of the cells and experiments.


# The files that stand for what rules download.
DOWNLOADED = {"laion": "results/laion/stats.json", "illustrations": "results/illustrations/packages.json"}


def files_of_user(dataset):
    """The user's file or folder of a data set, or None."""
    return config["datasets"].get(DATASETS[dataset].owner, {}).get("source")


def is_downloaded(dataset):
    """Whether a rule fetches what a data set is read from. LAION's `source` are links."""
    return dataset == "laion" or (DATASETS[dataset].reads == "download" and not files_of_user(dataset))


def source_of(dataset):
    """What a data set is read from: files that are downloaded, or those of the user; nothing if it is in a package."""
    if is_downloaded(dataset):
        return [DOWNLOADED[DATASETS[dataset].owner]]
    source = files_of_user(dataset)
    # The time of a folder says nothing of what it holds: `content_token` does.
    return [ancient(source) if Path(source).is_dir() else source] if source else []


@cache  # a look at every file
def content_token(dataset, size):
    """The argument that stands for what the user's files hold, which changes when that does; nothing where there are none."""
    source = files_of_user(dataset)
    if is_downloaded(dataset) or not source or not Path(source).exists():
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
