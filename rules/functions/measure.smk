# What rules/measure.smk asks of the cells and experiments.


def extractor_weights(extractor):
    """The weights that the configuration names for an extractor."""
    weights = config["metrics"].get("weights", {})
    return [weights[extractor]] if extractor in weights else []


def extractor_arguments(wildcards):
    """Which network a features job runs, and how."""
    return [
        f"--extractor={wildcards.extractor}",
        *(f"--weights={file}" for file in extractor_weights(wildcards.extractor)),
        f"--precision={config['metrics']['precision']}",
        f"--device={config['device']}",
    ]


def extractor_code(name):
    return lambda wildcards: script(name, f"fcr_core/features/{wildcards.extractor}.py")


def metric_files(metrics):
    return [f"fcr_core/metrics/{metric}.py" for metric in metrics]


def place_of(cell):
    """The data set of a cell and its size at the cell's backbone."""
    return cell.setting.dataset, BACKBONES_USED[cell.model.backbone].size


def model_seeds(wildcards):
    return sorted(MODEL_SEEDS[wildcards.model])


def timed_samplers(wildcards):
    """The samplers of an experiment on a backbone: rows that differ in weights alone cost the same."""
    rows = EXPERIMENTS[wildcards.experiment].of_backbone(wildcards.backbone)
    return {row.cell.sampler.name: row.cell.sampler for row in rows}


def timed_row(wildcards):
    """A row whose prompts are drawn while the clock runs."""
    return EXPERIMENTS[wildcards.experiment].of_backbone(wildcards.backbone)[0]
