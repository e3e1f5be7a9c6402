"""Publish a fine-tune as a folder for the hub: weights that plain diffusers loads, and a model card with recipe and numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import ModelCard, ModelCardData

from fcr_core.backbones.location import TEXT_ENCODER_REFERENCE, Location
from fcr_core.experiment.recipe import Recipe
from fcr_core.tables.markdown import quality, sizes

# The hub's names for the licences in the registry of backbones. Any other licence keeps its own name.
LICENCES = {
    "CreativeML OpenRAIL-M": "creativeml-openrail-m",
    "CreativeML Open RAIL++-M": "openrail++",
    "CC-BY 4.0": "cc-by-4.0",
}
# The call of a pipeline of each task. `picture` and `mask` are the reader's own.
CALLS = {
    "text2image": 'images = pipe(["a photo of a cat"]).images',
    "inpaint": 'images = pipe("a photo of a cat", image=picture, mask_image=mask).images',
    "depth": 'images = pipe("a photo of a cat", image=picture).images',
    "video": 'frames = pipe("a cat that runs").frames',
}
PLAIN_UNET = """from diffusers import AutoModel, DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained("{base}"{revision}, unet=AutoModel.from_pretrained("{name}", subfolder="unet"))
{call}"""
PLAIN_LORA = """from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained("{base}"{revision})
pipe.load_lora_weights("{name}")"""
OWN_UNET = """from fcr_core.backbones.loading import load_pipeline
pipe = load_pipeline("{location}", unet="{name}/unet")
{call}"""
OWN_LORA = """from fcr_core.backbones.loading import load_pipeline
pipe = load_pipeline("{location}")
pipe.load_lora_weights("{name}")"""
DECODER = """from fcr_core.backbones.loading import load_pipeline, load_reuse_decoder
pipe = load_pipeline("{location}")
decoder = load_reuse_decoder(pipe, {cut}, "{name}/unet")"""
CARD = """---
{{ card_data }}
---
# {{ name }}

{{ base }}, fine-tuned so that its encoder features can be reused over more sampling steps.
{% if trains == "decoder" %}Only the decoder between key steps was trained: at key steps, and uncached, it is the base model.
{% endif %}
`{{ name }}` stands for a clone of this repository or its id on the hub.

```python
{{ loading }}
```

It draws like any other pipeline; with reused features:

```python
from fcr_core import EncoderCache

with EncoderCache(pipe, {{ cache }}):
    {{ call }}
```

## Training

Data: {{ data }}. Seed {{ settings.seed }}, {{ run.steps }} steps of {{ settings.batch }} x {{ settings.accumulate }} images,\
 {{ settings.optimizer }} with learning rate {{ settings.lr }}, {{ settings.precision }}.
It took {{ took }}. Code: commit `{{ run.commit }}`.

```json
{{ recipe }}
```

{{ numbers }}
"""


@dataclass(frozen=True)
class FineTuned:
    """A finished fine-tune and what it was made from.

    Args:
        folder: holds `unet/`, `run.json` and, if adapters were trained, `lora/`.
        location: that of the backbone (`fcr_core.backbones.location`).
        data: name of the training set.
    """

    folder: Path
    recipe: Recipe
    location: str
    licence: str
    task: str
    data: str

    @property
    def weights(self) -> Path:
        """The folder to share: the adapters if these were trained, else the UNet."""
        return self.folder / ("lora" if self.recipe.trains == "lora" else "unet")

    def loading(self, name: str) -> str:
        """Return the three lines that load it.

        They use plain diffusers, unless only `fcr_core` can put the backbone's parts together.
        """
        where = Location.parse(self.location)
        plain = where.adapter is None and not (Path(where.base.source) / TEXT_ENCODER_REFERENCE).exists()
        lora = self.recipe.trains == "lora"
        lines = {(True, True): PLAIN_LORA, (True, False): PLAIN_UNET, (False, True): OWN_LORA, (False, False): OWN_UNET}
        revision = f', revision="{where.base.revision}"' if where.base.revision else ""
        template = DECODER if self.recipe.trains == "decoder" else lines[plain, lora]
        return template.format(
            base=where.base.source,
            revision=revision,
            location=self.location,
            name=name,
            cut=self.recipe.plan.cut,
            call=CALLS[self.task],
        )

    def cache(self) -> str:
        """Arguments of `EncoderCache` for the sampler that the recipe is for."""
        parts = [f"{option}={value!r}" for option, value in self.recipe.plan.fields.items()]
        return ", ".join([*parts, *["decoder=decoder"] * (self.recipe.trains == "decoder")])


def front_matter(tuned: FineTuned) -> ModelCardData:
    """Return the part of a card that the hub reads."""
    known = LICENCES.get(tuned.licence)
    return ModelCardData(
        base_model=Location.parse(tuned.location).base.source,
        base_model_relation="adapter" if tuned.recipe.trains == "lora" else "finetune",
        datasets=[tuned.data],
        library_name="diffusers",
        license=known or "other",
        license_name=None if known else tuned.licence,
        pipeline_tag={"text2image": "text-to-image", "video": "text-to-video"}.get(tuned.task, "image-to-image"),
        tags=["stable-diffusion", "encoder-cache", "feature-consistency-regularization"],
    )


def model_card(tuned: FineTuned, name: str, numbers: str = "") -> ModelCard:
    """Return the card of a fine-tune that is shared as `name`. `numbers` becomes its last section."""
    run = json.loads((tuned.folder / "run.json").read_text())
    changed = changed_fields(tuned.recipe)
    return ModelCard.from_template(
        front_matter(tuned), template_str=CARD, name=name, base=tuned.location, trains=tuned.recipe.trains, data=tuned.data,
        loading=tuned.loading(name), cache=tuned.cache(), call=CALLS[tuned.task], settings=run["settings"], run=run,
        took=took(run), recipe=json.dumps(changed, indent=2), numbers=numbers,
    )  # fmt: skip


def changed_fields(recipe: Recipe) -> dict[str, Any]:
    """Return the options of the recipe that plain fine-tuning does not have, as a configuration writes it."""
    plain = Recipe()
    own = {f.name: getattr(recipe, f.name) for f in fields(recipe) if f.name != "plan"}
    return {key: value for key, value in own.items() if value != getattr(plain, key)} | (
        {} if recipe.plan == plain.plan else recipe.plan.fields
    )


def took(run: dict) -> str:
    """Return text such as `3 GPU hours, 0.002 % of the 150,000 that the pre-training took (A100 PCIe 40GB)`."""
    unit = next(key for key in ("gpu_hours", "cpu_core_hours") if key in run)
    text = f"{run[unit]:g} {'GPU' if unit == 'gpu_hours' else 'CPU core'} hours"
    if "share_of_pretraining" not in run:
        return text
    share, before = run["share_of_pretraining"], run["pretraining"]
    return f"{text}, {100 * share:.2g} % of the {before['hours']:,g} that the pre-training took ({before['machine']})"


def numbers_of(results: pd.DataFrame, rows: list[str]) -> str:
    """Rows of an experiment with n and intervals, as Markdown.

    `results`: all its rows, as `fcr_core.tables.measurement_table.wide` gives them.
    """
    chosen = results.set_index("variation").loc[rows].reset_index()
    return f"{quality(chosen)}\n\nn = {sizes(chosen)} of noise and of training. Brackets: 95 % intervals."
