"""Backbones by name: a pipeline folder of this project, or the id of one on the hub. No torch here: Snakemake reads it."""

BACKBONES = {
    "pocket": "models/pocket",
    "sd15": "stable-diffusion-v1-5/stable-diffusion-v1-5",
}
