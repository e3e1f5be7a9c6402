"""A diffusers UNet taken apart: the split at a block, the head of an up block, encoder features, the reuse decoder."""
