"""Embeddings of images and captions in one space, LiT's or CLIP's, for image-text scores and embedding drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from fcr_core.features.feature_files import FeatureTable
from fcr_core.metrics import clip_score, lit_score
from fcr_core.metrics.rows import unit_rows


@dataclass(frozen=True)
class Embeddings:
    """A space of images and captions.

    `project` takes the array `kind` of a feature file, (..., d_in), to embeddings (..., d). `texts` has a row (d,) by prompt_id.
    """

    network: str
    score: ModuleType
    kind: str
    project: Callable[[np.ndarray], np.ndarray]
    texts: Mapping[str, np.ndarray]

    def images(self, table: FeatureTable) -> np.ndarray:
        """Embed the images of a feature file: (seeds, prompts, d) or (prompts, d), of unit length."""
        rows = self.project(table[self.kind])
        return unit_rows(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape)

    def scores(self, images: np.ndarray, prompt_ids: list[str]) -> np.ndarray:
        """Score embeddings of images (N, d) against the captions of their prompts: (N,)."""
        return self.score.per_image(images, self.captions(prompt_ids))

    def captions(self, prompt_ids: list[str]) -> np.ndarray:
        """Look up the embeddings of captions (N, d), of unit length. Raises `ValueError` for a prompt without one."""
        without = [prompt_id for prompt_id in prompt_ids if prompt_id not in self.texts]
        if without or not prompt_ids:
            some = f"{len(without)} of {len(prompt_ids)} prompts, the first is {without[0]}" if without else "any of 0 prompts"
            raise ValueError(f"{self.network} knows no caption of {some}")
        return unit_rows(np.stack([self.texts[prompt_id] for prompt_id in prompt_ids]))


def of_lit(lit: Mapping[str, np.ndarray]) -> Embeddings:
    """Make LiT's space from the projections that `workflow_scripts/train_lit.py` wrote."""
    image = lit["image"]
    texts = dict(zip(lit["prompt_id"].tolist(), lit["text_features"] @ lit["text"], strict=True))
    return Embeddings("lit", lit_score, "pool", lambda pool: pool @ image, texts)


def of_clip(texts: FeatureTable) -> Embeddings:
    """Make CLIP's space; the captions are the array "text" of a feature file."""
    by_id = dict(zip(texts.prompt_ids, texts["text"], strict=True))
    return Embeddings("clip", clip_score, "image", lambda image: image, by_id)
