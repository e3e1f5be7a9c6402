"""The paths of results, below one folder: the only place that knows. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fcr_core.experiment.cell import Cell, Model
from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.row import Row


@dataclass(frozen=True)
class Paths:
    """Files of cells, models and experiments as text; `root` is the folder of results."""

    root: str = "results"

    def data(self, dataset: str, size: int | str) -> str:
        """The prepared data set: prompts and, where the set makes its own, images."""
        return f"{self.root}/data/{dataset}/{size}/prompts.parquet"

    def prompts(self, dataset: str, size: int | str) -> str:
        """The prompts that are evaluated."""
        return f"{self.root}/prompts/{dataset}/{size}/evaluated.parquet"

    def samples(self, cell: Cell | str, seed: int | str) -> str:
        """Folder with `images/`, `latents.npy`, `manifest.parquet` and `run.json`."""
        return f"{self.root}/samples/{path_of(cell)}/seed{seed}"

    def manifests(self, cell: Cell | str, seeds: Iterable[int]) -> list[str]:
        return [f"{self.samples(cell, seed)}/manifest.parquet" for seed in seeds]

    def fine_tune(self, model: Model, seed: int | str) -> str:
        """Folder with `unet/`, `log.csv` and `run.json`."""
        return f"{self.root}/finetune/{model.backbone}/{model.train}/{model.recipe}/seed{seed}"

    def images(self, cell: Cell | str, seeds: Iterable[int]) -> list[str]:
        """Folders of images beside `manifests`."""
        return [f"{self.samples(cell, seed)}/images" for seed in seeds]

    def weights(self, model: Model, seeds: Iterable[int]) -> list[str]:
        """The UNets of a fine-tune, one file a seed; none for published weights."""
        if model.recipe is None:
            return []
        return [f"{self.fine_tune(model, seed)}/unet/diffusion_pytorch_model.safetensors" for seed in seeds]

    def features(self, extractor: str, cell: Cell | str) -> str:
        return f"{self.root}/features/{extractor}/{path_of(cell)}.npz"

    def real_features(self, extractor: str, dataset: str, size: int | str, split: str) -> str:
        return f"{self.root}/features/{extractor}/real/{dataset}/{size}/{split}.npz"

    def metric(self, metric: str, cell: Cell | str) -> str:
        """Long form (`fcr_core.tables.long_table`) of a metric of sets, of `image_text` or of `pairs`."""
        return f"{self.root}/metrics/{metric}/{path_of(cell)}.parquet"

    def variance(self, model: Model | str, dataset: str) -> str:
        """Long form: σ²_Δ, mean over blocks."""
        return f"{self.root}/metrics/feature_variance/{path_of(model)}/{dataset}.parquet"

    def block_variance(self, model: Model | str, dataset: str) -> str:
        """`seed`, `prompt_id`, `block`, `delta`, `mse`, `relative`, `norm`: σ²_Δ of each block and the norm of its features."""
        return f"{self.root}/metrics/block_variance/{path_of(model)}/{dataset}.parquet"

    def real(self, dataset: str, size: int | str) -> str:
        """Long form: what real images score."""
        return f"{self.root}/metrics/real/{dataset}/{size}.parquet"

    def cost(self, backbone: str, experiment: str, size: int | str | None = None) -> str:
        """Every timing of an experiment's samplers on a backbone, at its own size of images or another."""
        at = f"_{size}px" if size else ""
        return f"{self.root}/cost/{backbone}/{experiment}{at}.parquet"

    def reals(self, experiment: Experiment, sizes: Mapping[str, int]) -> list[str]:
        """The scores of real images at the sizes of the experiment's backbones; none if nothing is compared with them."""
        if not {"sets", "image_text"} & {*experiment.measures}:
            return []
        cells = [row.cell for row in experiment.rows]
        return list(dict.fromkeys(self.real(cell.setting.dataset, sizes[cell.model.backbone]) for cell in cells))

    def blocks(self, experiment: Experiment) -> list[str]:
        """σ²_Δ by block of each of its models on each of its data sets; a reuse decoder has that of the published weights."""
        cells = [row.cell for row in experiment.rows if not row.cell.model.own_decoder]
        return list(dict.fromkeys(self.block_variance(cell.model, cell.setting.dataset) for cell in cells))

    def costs(self, experiment: Experiment) -> list[str]:
        """The timings of each of its backbones; none if cost is not measured."""
        return [self.cost(backbone, experiment.name) for backbone in experiment.backbones if experiment.cost]

    def decoders(self, experiment: Experiment) -> dict[str, str]:
        """By row, the weights of its own reuse decoder, whose size counts as memory; none if cost is not measured."""
        tuned = [row for row in experiment.rows if experiment.cost and row.cell.model.own_decoder]
        return {row.name: self.weights(row.cell.model, experiment.seeds)[0] for row in tuned}

    def measurements(self, row: Row, measures: Iterable[str], sets: Iterable[str]) -> list[str]:
        """Every file with measurements of a row; `sets` are the metrics of sets of images."""
        measures, cell = set(measures), row.cell
        found = [self.metric(metric, cell) for metric in sets if "sets" in measures]
        found += [self.metric(kind, cell) for kind in ("image_text", "pairs") if kind in measures]
        # At key steps a reuse decoder's model is the published one: it has its features.
        return found + [self.variance(cell.model.uncached, cell.setting.dataset)] * ("variance" in measures)

    def table(self, experiment: Experiment | str, kind: str = "table.csv") -> str:
        """`table.csv`, `table.md`, `measurements.csv` or `criteria.csv` of an experiment."""
        return f"{self.root}/{experiment if isinstance(experiment, str) else experiment.name}_{kind}"

    def cost_table(self, experiment: Experiment | str, size: int | str) -> str:
        """Cost at another size of images than the backbones' own."""
        return self.table(experiment, f"cost_{size}px.csv")

    @property
    def readme(self) -> str:
        """Explains the columns of all tables."""
        return f"{self.root}/README.md"

    def figure(self, experiment: Experiment | str, name: str) -> str:
        return f"{self.root}/figures/{experiment if isinstance(experiment, str) else experiment.name}_{name}.png"

    def page(self, experiment: Experiment | str) -> str:
        return f"{self.root}/{experiment if isinstance(experiment, str) else experiment.name}.html"

    @classmethod
    def of(cls, file: str, known: str) -> Paths:
        """The root of a file that is `known` below `results`: with remote storage local copies have a longer path.

        >>> Paths.of(".snakemake/storage/s3/bucket/results/prompts/a.parquet", "results/prompts/a.parquet").root
        '.snakemake/storage/s3/bucket/results'
        """
        below = known.removeprefix("results/")
        if not file.endswith(below):
            raise ValueError(f"{file} is no copy of {known}")
        return cls(str(Path(file.removesuffix(below))))


def path_of(place: Cell | Model | str) -> str:
    return place if isinstance(place, str) else place.path
