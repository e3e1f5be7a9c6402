"""The table of docs/encoder_cache.md: FLOPs by part and what caching can save, for large models from their configs alone."""

from __future__ import annotations

import pandas as pd
import torch
from diffusers import UNet2DConditionModel, UNetMotionModel

from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.flops import cached_bytes, count_unet_flops
from fcr_core.cost.plan_flops import flop_limit

SD21 = {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
SDXL = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
MODELS = {
    "SD v1.5, 512 px": (UNet2DConditionModel, {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}),
    "SD v2.1, 768 px": (UNet2DConditionModel, SD21 | {"sample_size": 96}),
    "SDXL, 1024 px": (UNet2DConditionModel, SDXL),
    "AnimateDiff on SD v1.5, 16 frames": (UNetMotionModel, {"sample_size": 64, "cross_attention_dim": 768}),
}


def row_of(kind: type, config: dict) -> dict[str, str]:
    """One model: shares of the parts, and the FLOP limit of stride 5 and 10 of 50 steps at each cut."""
    with torch.device("meta"):
        unet = kind(**config)
    flops = count_unet_flops(unet, 77)
    ups = [part for part in flops.parts if part.startswith("up.")]
    row = {"M parameters": f"{unet.num_parameters() / 1e6:.0f}", "TFLOP a pass": f"{flops.full / 1e12:.2f}"}
    row["encoder + mid"] = f"{flops.encoder / flops.full:.1%}"
    row["up blocks"] = " / ".join(f"{flops.parts[up] / flops.full:.1%}" for up in ups)
    for stride in (5, 10):
        limits = [flop_limit(flops, 50, Plan(KeySteps.uniform(stride), cut)) for cut in range(len(ups))]
        row[f"stride {stride}: cut 0 / 1 / ..."] = " / ".join(f"{limit:.2f}" for limit in limits)
    row["MB cached a sample, fp16"] = f"{cached_bytes(unet, Plan(KeySteps.uniform(5)), 77) / 2 / 1e6:.0f}"
    return row


if __name__ == "__main__":
    print(pd.DataFrame({name: row_of(*model) for name, model in MODELS.items()}).to_markdown())
