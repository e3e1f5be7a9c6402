"""Memory that a reuse decoder takes beside the UNet: its own weights."""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open

DECODER = ("up_blocks.", "conv_norm_out.", "conv_out.")


def decoder_bytes(file: Path, cut: int) -> int:
    """Bytes of the decoder's own weights in the UNet that holds them: what lies below the cut is the UNet's."""
    with safe_open(file, "np") as weights:
        names = [name for name in weights.keys() if name.startswith(DECODER)]  # noqa: SIM118
        own = [name for name in names if not name.startswith("up_blocks.") or int(name.split(".")[1]) >= cut]
        return sum(weights.get_tensor(name).nbytes for name in own)
