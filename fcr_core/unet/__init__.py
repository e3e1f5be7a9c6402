"""Take a diffusers UNet apart: split it at a block, read its encoder features, give it a reuse decoder."""
