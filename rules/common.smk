# What the rules share.


def one_of(names):
    """The constraint of a wildcard that stands for one of these: a mistyped target is then a file that no rule makes."""
    return "|".join(map(re.escape, dict.fromkeys(names))) or "(?!)"


@cache  # once a script, not once a job: half of the time that the largest DAG took
def script(name, *more):
    """The hash of a script's code and of everything it imports; a change of it reruns the rule."""
    return code_hash(f"workflow_scripts/{name}.py", *more)


def folders_of(files):
    """The folders of the files that stand for them in the DAG: a rule depends on a file, since folders have no checksum."""
    return [str(Path(file).parent) for file in files]


def results_root(file, known):
    """The folder of results that a job's copy of a file lies in: with remote storage it has a longer path."""
    return Paths.of(str(file), known).root


def drawn(wildcards):
    return DRAWINGS[wildcards.cell]


def backbone_of(wildcards):
    """The backbone of a job, whatever its wildcards are."""
    if hasattr(wildcards, "backbone"):
        return BACKBONES_USED[wildcards.backbone]
    path = wildcards.cell if hasattr(wildcards, "cell") else wildcards.model
    return BACKBONES_USED[path.split("/")[0]]


def pipeline(wildcards):
    return backbone_of(wildcards).location


def weights(wildcards):
    return WEIGHTS[backbone_of(wildcards).name]


def data_of(cell):
    """The prepared data set of a cell, at its backbone's size."""
    return PATHS.data(cell.setting.dataset, BACKBONES_USED[cell.model.backbone].size)


def prompts_of(cell):
    return PATHS.prompts(cell.setting.dataset, BACKBONES_USED[cell.model.backbone].size)


def pictures_of(backbone, cell):
    """What in-painting and depth draw from."""
    return [data_of(cell)] if backbone.registered.draws_from_images else []


def replacing_argument(model, files):
    """What stands in for the pipeline's UNet, or for its decoder between key steps; one folder a seed."""
    return [f"--{'decoders' if model.own_decoder else 'unets'}", *folders_of(files)] if files else []


def experiment_file(experiment):
    """The experiment as JSON in a file called by its content, for the scripts of its rules."""
    return written_once(Path(".snakemake/fcr_experiments"), experiment.name, experiment.json)


# Whose features judge sets of images; the space of images and captions, and whose features it takes.
SET_METRICS = config["metrics"]["sets"]
EXTRACTOR = config["metrics"]["extractor"]
IMAGE_TEXT = IMAGE_TEXT_SPACES[config["metrics"]["image_text"]]
IMAGE_TEXT_EXTRACTOR, SPACE_ARGUMENT = IMAGE_TEXT.extractor, IMAGE_TEXT.argument


def space_file(dataset, size):
    """The space of images and captions that a data set's images are judged in."""
    return IMAGE_TEXT.path(f"{dataset}/{size}")


def kept(output):
    return output


# With config key sampling.keep_images = false images go once their features, distances and figures are there.
IMAGES_KEPT = kept if config["sampling"]["keep_images"] else temp


def images_in(cell, seeds):
    """The folders of images beside the manifests; whatever reads them says so, as they may be removed when all have. A folder has
    no checksum, so what it holds counts as changed when its manifest has."""
    return [ancient(f"{PATHS.samples(cell, seed)}/images") for seed in seeds]
