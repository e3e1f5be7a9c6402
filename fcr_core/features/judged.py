"""The arrays that a metric of sets is computed from: arrays of feature files, or embeddings of images and captions."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np

from fcr_core.features.embeddings import Embeddings
from fcr_core.features.feature_files import FeatureTable
from fcr_core.metrics.joint_precision_recall import balance, joined
from fcr_core.metrics.metric import metrics_of


class Judged(NamedTuple):
    """The arrays `sampled` (seeds, prompts, d) and `real` (m, d), and the network that made both."""

    sampled: np.ndarray
    real: np.ndarray
    network: str


def judged(metric: ModuleType, sampled: FeatureTable, real: FeatureTable, space: Embeddings | None = None) -> Judged:
    """Pick what `metric` needs of both: arrays of the files, or embeddings in `space`, alone or joined with their captions'.

    Where captions count, real images whose caption the space does not know are left out. Raises `ValueError` for a metric of
    single prompts when a prompt has no real image.
    """
    described = metrics_of(metric)[0]
    if not described.in_image_text_space:
        array = described.needs
        reference = of_prompts(real, array, sampled.prompt_ids) if hasattr(metric, "per_prompt") else real[array]
        return Judged(sampled[array], reference, sampled.record["extractor"])
    assert space is not None
    if described.needs == "image":
        return Judged(space.images(sampled), space.images(real), space.network)
    known = [row for row, prompt_id in enumerate(real.prompt_ids) if prompt_id in space.texts]
    if not known:
        raise ValueError(f"no real image has a caption that {space.network} knows: were its texts made from another data set?")
    real_images = space.images(real)[known]
    real_texts = space.captions([real.prompt_ids[row] for row in known])
    images, weight = space.images(sampled), balance(real_images, real_texts)
    texts = np.broadcast_to(space.captions(sampled.prompt_ids), (len(images), len(sampled.prompt_ids), real_texts.shape[1]))
    return Judged(joined(images, texts, weight), joined(real_images, real_texts, weight), space.network)


def of_prompts(real: FeatureTable, array: str, prompt_ids: list[str]) -> np.ndarray:
    """Pick the rows of the real images of these prompts, in the prompts' order."""
    rows = {prompt_id: row for row, prompt_id in enumerate(real.prompt_ids)}
    without = [prompt_id for prompt_id in prompt_ids if prompt_id not in rows]
    if without:
        raise ValueError(
            f"{len(without)} of {len(prompt_ids)} prompts have no real image to be judged by, the first is {without[0]}"
        )
    return real[array][[rows[prompt_id] for prompt_id in prompt_ids]]
