"""Captioned-image data sets behind one registry: `load("twemoji")` returns records with caption, concept and split."""

from fcr_core.data.registry import DATASETS, CaptionedImage, load

__all__ = ["DATASETS", "CaptionedImage", "load"]
