"""The same prompts and noise across variations, as a grid of images."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image


class Block(NamedTuple):
    """Rows that were drawn from the same prompts: images by variation, one a prompt."""

    prompts: list[str]
    rows: dict[str, Sequence[Image.Image]]


def sample_grid(blocks: list[Block]) -> Figure:
    """One row a variation, one column a prompt, blocks below each other."""
    width, height = max(len(block.prompts) for block in blocks), sum(len(block.rows) for block in blocks)
    figure, axes = plt.subplots(height, width, figsize=(width + 1.2, height + 0.6), layout="constrained", squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    lines = iter(axes)
    for block in blocks:
        for index, (name, images) in enumerate(block.rows.items()):
            line = next(lines)
            draw_line(line, name, images)
            for axis, prompt in zip(line, block.prompts if index == 0 else [], strict=False):
                axis.set_title(textwrap.fill(prompt, 16), fontsize=6)
    return figure


def draw_line(line: Sequence[Axes], name: str, images: Sequence[Image.Image]) -> None:
    for axis, image in zip(line, images, strict=False):
        axis.imshow(np.asarray(image))
    line[0].set_ylabel(name, fontsize=7, rotation=0, ha="right", va="center")
