"""The same prompts and noise across variations, as a grid of images."""

from __future__ import annotations

import textwrap

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image


def sample_grid(rows: dict[str, list[Image.Image]], prompts: list[str]) -> Figure:
    """One row a variation, one column a prompt."""
    figure, axes = plt.subplots(
        len(rows), len(prompts), figsize=(len(prompts) + 1.2, len(rows) + 0.6), layout="constrained", squeeze=False
    )
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images, strict=True):
            axis.imshow(np.asarray(image))
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(name, fontsize=7, rotation=0, ha="right", va="center")
    for axis, prompt in zip(axes[0], prompts, strict=True):
        axis.set_title(textwrap.fill(prompt, 16), fontsize=6)
    return figure
