# What the rules share: files by name, and the rows that are sampled.

SET_METRICS = ["kid", "frechet_pca", "class_score"]


def model_of(variation):
    return "base" if variation.lam is None else f"FCR({variation.lam})"


def folders_of(files):
    """The folders of the files that stand for them in the DAG: a rule depends on a file, since folders have no checksum."""
    return [str(Path(file).parent) for file in files]


def script(name, *more):
    """The hash of a script's code and of everything it imports; a change of it reruns the rule."""
    return code_hash(f"workflow_scripts/{name}.py", *more)


def unets_of(lam, seeds=SEEDS):
    """The fine-tuned weights behind a variation, one a seed; none for the base model."""
    if lam is None:
        return []
    unet = f"results/finetune/{BACKBONE}/lambda{lam}/seed{{seed}}/unet/diffusion_pytorch_model.safetensors"
    return expand(unet, seed=seeds)


def samples_of(variation, seeds=SEEDS):
    return [f"results/samples/{variation}/{EVAL}/clean/seed{seed}/manifest.parquet" for seed in seeds]


def twin_of(variation):
    """The uncached row of the same weights."""
    return UNCACHED if variation.lam is None else f"FCR({variation.lam})-{UNCACHED}"


def measurements_of(variation):
    """Every file with measurements of one row of the table."""
    sets = [f"results/metrics/{metric}/{variation.name}.parquet" for metric in SET_METRICS]
    own = [f"results/metrics/{kind}/{variation.name}.parquet" for kind in ("lit_score", "pairs")]
    return [
        *sets,
        *own,
        f"results/metrics/feature_variance/{model_of(variation)}.parquet",
    ]


MEASUREMENTS = {row.name: measurements_of(row) for row in VARIATIONS.values()}


# What is sampled beside the rows of the table: each fine-tuned model uncached, on fewer prompts.
TWINS = {
    twin_of(row): rows.Variation(twin_of(row), row.lam, UNCACHED, "ddim", config["sampling"]["steps"], 1)
    for row in VARIATIONS.values()
    if row.lam is not None
}
SAMPLED = VARIATIONS | TWINS


LAM_OF_MODEL = {model_of(row): row.lam for row in VARIATIONS.values()}
