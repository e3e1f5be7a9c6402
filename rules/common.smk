# What the rules share: files by name, and the rows that are sampled.

# Runs a script of the workflow, in the job server if there is one.
RUN = "python -m fcr_core.jobs.client"

SET_METRICS = config["metrics"]["sets"]
# The network whose features judge sets of images; the space of images and captions, and whose features it takes.
EXTRACTOR = config["metrics"]["extractor"]
IMAGE_TEXT = config["metrics"]["image_text"]
IMAGE_TEXT_EXTRACTOR = {"lit": "effnet", "clip": "clip"}[IMAGE_TEXT]
IMAGE_TEXT_SPACE = {"lit": f"results/lit/{EVAL}.npz", "clip": f"results/features/clip/texts/{EVAL}.npz"}[IMAGE_TEXT]
SPACE_ARGUMENT = {"lit": "--lit", "clip": "--texts"}[IMAGE_TEXT]


def set_extractor(metric):
    """Whose features a metric of sets is computed from."""
    return IMAGE_TEXT_EXTRACTOR if metric in IN_IMAGE_TEXT_SPACE else EXTRACTOR


def model_of(variation):
    return FINE_TUNES[variation.recipe].label if variation.recipe else "base"


def folders_of(files):
    """The folders of the files that stand for them in the DAG: a rule depends on a file, since folders have no checksum."""
    return [str(Path(file).parent) for file in files]


@cache  # once a script, not once a job: half of the time that the largest DAG took
def script(name, *more):
    """The hash of a script's code and of everything it imports; a change of it reruns the rule."""
    return code_hash(f"workflow_scripts/{name}.py", *more)


def source_of(dataset):
    """What a data set is read from: the user's files, for LAION the images that are downloaded; nothing if it is in a package."""
    if dataset == "laion":
        return ["results/laion/stats.json"]
    sources = config["data"].get("sources", {})
    return [sources[dataset]] if dataset in sources else []


# Which images of the training split are learned from, and how.
TRAIN_IMAGES = [f"--images={config['data']['train_images']}"] if "train_images" in config["data"] else []
if config["data"].get("mirror"):
    TRAIN_IMAGES.append("--mirror")

# Encoded once for all fine-tunes, or the prepared data, of which each batch is encoded as it is drawn.
if config["data"]["cache_latents"]:
    TRAINING_DATA = f"results/train_set/{BACKBONE}/{TRAIN}.safetensors"
else:
    TRAINING_DATA = f"results/data/{TRAIN}/prompts.parquet"


def training_data_argument(file):
    if config["data"]["cache_latents"]:
        return [f"--train-set={file}"]
    return [f"--data={Path(file).parent}", *TRAIN_IMAGES]


def copy_of(name, files):
    """The one of a job's files that has this name: with remote storage its local copy has a longer path."""
    return next(str(file) for file in files if str(file).endswith(name))


def copies_of(names, files):
    return [copy_of(name, files) for name in names]


def growing(amount):
    """A resource of which each attempt asks for more: of a cluster, whose profile submits a failed job again."""
    return lambda wildcards, attempt: amount * attempt


def unets_of(recipe, seeds=SEEDS):
    """The weights that a recipe trained, one a seed; none for the base model."""
    if recipe is None:
        return []
    folder = f"results/finetune/{BACKBONE}/{recipe}"
    return [f"{folder}/seed{seed}/unet/diffusion_pytorch_model.safetensors" for seed in seeds]


def trajectories_of(recipe):
    needed = Recipe(**FINE_TUNES[recipe].recipe).needs_trajectories
    return [f"results/trajectories/{BACKBONE}/train.safetensors"] if needed else []


def validation_of(recipe):
    return [f"results/trajectories/{BACKBONE}/validation.safetensors"] if FINE_TUNES[recipe].validated else []


def finetune_script(recipe):
    return "finetune_validated" if FINE_TUNES[recipe].validated else "finetune"


def pretraining_argument(backbone):
    return [f"--pretraining={json.dumps(vars(backbone.pretraining))}"] if backbone.pretraining else []


def trains_decoder(recipe):
    return recipe is not None and FINE_TUNES[recipe].recipe.get("trains") == "decoder"


def replaced_unets(recipe, seeds=SEEDS):
    """As `unets_of`, but none for a reuse decoder: at key steps its model is the base model."""
    return [] if trains_decoder(recipe) else unets_of(recipe, seeds)


def keys_of(variation):
    """The chosen key steps of a row that has no stride."""
    return [f"results/key_steps/{BACKBONE}/{variation.sampler}.json"] if variation.keys else []


# What in-painting and depth draw from.
PICTURES = [f"results/data/{EVAL}/prompts.parquet"] if BACKBONES[BACKBONE].draws_from_images else []


def pictures_argument(files):
    return [f"--data={folder}" for folder in folders_of(files.get("pictures", []))]


def sampled_to(variation, seeds):
    return [f"results/samples/{variation}/{EVAL}/clean/seed{seed}" for seed in seeds]


def samples_of(variation, seeds=SEEDS):
    return [f"{folder}/manifest.parquet" for folder in sampled_to(variation, seeds)]


def as_is(output):
    return output


# With config key sampling.keep_images = false images go once their features, distances and figures are there.
IMAGES_KEPT = as_is if config["sampling"]["keep_images"] else temp
SAMPLES = f"results/samples/{{variation}}/{EVAL}/clean/seed{{seed}}"


def images_in(*variations, seeds=SEEDS):
    """The folders of images beside `samples_of`; whatever reads them says so, as they may be removed when all have. A folder has
    no checksum, so what it holds counts as changed when its manifest has."""
    return [ancient(f"{folder}/images") for name in variations for folder in sampled_to(name, seeds)]


def twin_of(variation):
    """The uncached row of the same weights. A reuse decoder's is that of the base model, bit for bit."""
    if variation.recipe is None or trains_decoder(variation.recipe):
        return UNCACHED
    return f"{FINE_TUNES[variation.recipe].label}-{UNCACHED}"


def extractor_weights(extractor):
    """The weights that the configuration names for an extractor."""
    weights = config["metrics"].get("weights", {})
    return [weights[extractor]] if extractor in weights else []


def extractor_arguments(extractor):
    """Which network a features job runs, and how."""
    weights = [f"--weights={file}" for file in extractor_weights(extractor)]
    return [
        f"--extractor={extractor}",
        *weights,
        f"--precision={config['metrics']['precision']}",
        f"--device={config['device']}",
    ]


def measurements_of(variation):
    """Every file with measurements of one row of the table."""
    sets = [f"results/metrics/{metric}/{variation.name}.parquet" for metric in SET_METRICS]
    own = [f"results/metrics/{kind}/{variation.name}.parquet" for kind in ("image_text", "pairs")]
    return [
        *sets,
        *own,
        f"results/metrics/feature_variance/{model_of(variation)}.parquet",
    ]


TITLES = {"exp1": "Experiment 1", "recipe": "Recipes"}
# How the cost of each table's rows is measured.
CLOCK = {"exp1": config["efficiency"], "recipe": config["recipe_table"]}
# The first of Experiment 1, a single image; for recipes the largest, where solvers of equal latency are compared.
DRAWN_BATCH = {"exp1": config["efficiency"]["batches"][0], "recipe": max(config["recipe_table"]["batches"])}
# The rows of each table, by its name.
TABLES = {"exp1": VARIATIONS, "recipe": RECIPE_ROWS}
ROWS = VARIATIONS | RECIPE_ROWS
# A row of each way of sampling whose key steps are chosen.
KEYED = {row.sampler: row for row in ROWS.values() if row.keys}


def measurements_of_table(table):
    return {row.name: measurements_of(row) for row in TABLES[table].values()}


def rows_of_table(table, files):
    """The rows with their measurements, which are among `files`, for the command line."""
    found = {row: copies_of(names, files) for row, names in measurements_of_table(table).items()}
    return rows.rows_json(TABLES[table].values(), found)


# What is sampled beside the rows of the table: each fine-tuned model uncached, on fewer prompts.
TWINS = {
    twin_of(row): rows.Variation(twin_of(row), row.recipe, UNCACHED, "ddim", config["sampling"]["steps"], 1)
    for row in ROWS.values()
    if replaced_unets(row.recipe)
}
SAMPLED = ROWS | TWINS


RECIPE_OF_MODEL = {model_of(row): row.recipe for row in ROWS.values()}


def one_of(names):
    """The constraint of a wildcard that stands for one of these: a mistyped target is then a file that no rule makes."""
    return "|".join(map(re.escape, names))


wildcard_constraints:
    model=one_of(RECIPE_OF_MODEL),
    recipe=one_of(FINE_TUNES),
    sampler=one_of(KEYED),
    variation=one_of(SAMPLED),


def weights_argument(recipe, files):
    """What stands in for the pipeline's UNet, or for its decoder between key steps."""
    return [f"{'--decoder' if trains_decoder(recipe) else '--unet'}={folder}" for folder in folders_of(files)]


def variations_in(samples):
    """results/samples/{variation}/{dataset}/{scenario}/{seed}/{file}; nothing of what a checkpoint has still to decide."""
    return ["".join(Path(file).parts[-5:-4]) for file in samples]


def preserving_rows(wildcards):
    """The cached rows of the recipe table that no criterion of quality rules out; known once they are judged."""
    import pandas as pd

    from fcr_core.tables.recipe_verdicts import preserving

    return preserving(pd.read_csv(checkpoints.recipe_criteria.get().output.table))


def drawn_rows(wildcards):
    return list(VARIATIONS) if wildcards.table == "exp1" else [UNCACHED, GOAL, *preserving_rows(wildcards)]


# Prompts a sampling job, if they are spread over jobs.
SHARD = config["sampling"].get("shard")


def prompts_drawn(variation):
    return config["sampling"]["twin_prompts"] if variation in TWINS else config["data"]["prompts"]


# The pages of rules/report.smk, and which table each is about.
TABLE_OF_PAGE = {"report": "exp1", "recipe_report": "recipe"}
# Verdicts of each page by heading.
VERDICTS = {
    "report": {"The plan's criteria": "results/exp1_criteria.csv"},
    "recipe_report": {"What a recipe has to meet": "results/criteria.csv"},
}
ABLATIONS = {
    "ablations": "results/ablations.csv",
    "mechanism": "results/mechanism.csv",
    "fits": "results/mechanism_fit.csv",
}


def ablations_of(page):
    """The ablation grid's tables by name; Experiment 1 does without."""
    return ABLATIONS if page == "recipe_report" else {}


def rows_of_page(page):
    return TABLES[TABLE_OF_PAGE[page]]


def sampled_of_page(page):
    return sorted({sampled for name in rows_of_page(page) for sampled in (name, twin_of(ROWS[name]))})


def samples_of_page(page):
    return [file for name in sampled_of_page(page) for file in samples_of(name)]


def report_rows(page, files):
    """Everything that the page says of each row; what it reads is among `files`."""
    found = rows_of_page(page)
    kinds = {
        "samples": {name: samples_of(name) for name in found},
        "twins": {name: samples_of(twin_of(row)) for name, row in found.items()},
        "weights": {name: unets_of(row.recipe) for name, row in found.items()},
    }
    kinds = {kind: {row: copies_of(names, files) for row, names in of.items()} for kind, of in kinds.items()}
    measured = {row: copies_of(names, files) for row, names in measurements_of_table(TABLE_OF_PAGE[page]).items()}
    return rows.rows_json(found.values(), measured, **kinds)


def export_rows(recipe):
    """The rows that a card shows, by table: the base model uncached and cached, and those of the recipe."""
    found = {
        table: [row.name for row in rows_of_table.values() if row.recipe == recipe]
        for table, rows_of_table in TABLES.items()
    }
    return {table: [UNCACHED, GOAL, *names] for table, names in found.items() if names}
