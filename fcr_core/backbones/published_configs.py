"""The published configurations of the backbones' networks: enough to count FLOPs, plan memory and build twins without the hub.

Only values that differ from the defaults of diffusers and transformers are written. No torch here.
"""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

SD15_UNET: Config = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
SD2_UNET: Config = {
    "sample_size": 64, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True,
}  # fmt: skip
# Keys are the names that `fcr_core.backbones.registry` uses.
UNETS: dict[str, Config] = {
    "sd15": SD15_UNET,
    "sd21": SD2_UNET | {"sample_size": 96, "upcast_attention": True},
    "sd15-inpaint": SD15_UNET | {"in_channels": 9},
    "sd2-depth": SD2_UNET | {"in_channels": 5},
    "animatediff": SD15_UNET,
    # BK-SDM (Kim et al., 2023, arXiv 2305.15798) has one resnet and one attention fewer in each block: 579,384,964 parameters.
    "small-sd": SD15_UNET | {"layers_per_block": 1},
    # Podell et al., 2023, arXiv 2307.01952: 2,567,463,684 parameters.
    "sdxl": {
        "sample_size": 128, "cross_attention_dim": 2048, "attention_head_dim": (5, 10, 20), "use_linear_projection": True,
        "block_out_channels": (320, 640, 1280), "transformer_layers_per_block": (1, 2, 10),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
    },
}  # fmt: skip
MOTION_ADAPTER: Config = {"motion_num_attention_heads": 8, "motion_max_seq_length": 32, "use_motion_mid_block": True}
VAE: Config = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
# Keys are the sizes of the embeddings. 768 is CLIP ViT-L/14; 1024, for SD 2, is OpenCLIP's ViT-H/14 without its last layer;
# 1280, for SDXL, is OpenCLIP's ViT-bigG/14.
TEXT_ENCODERS: dict[int, Config] = {
    768: {
        "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
        "hidden_act": "quick_gelu", "projection_dim": 768,
    },
    1024: {
        "vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
        "hidden_act": "gelu", "projection_dim": 512,
    },
    1280: {
        "vocab_size": 49408, "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
        "hidden_act": "gelu", "projection_dim": 1280,
    },
}  # fmt: skip
# SDXL reads the embeddings of both side by side; the second also gives the pooled embedding.
SDXL_TEXT_WIDTHS = (768, 1280)
# Tokens of a prompt, including padding.
TOKENS = 77
# The noise schedule that SD, and our own backbone, are trained with.
NOISE_SCHEDULE: Config = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
# As published, for PNDM.
SCHEDULER: Config = NOISE_SCHEDULE | {"skip_prk_steps": True}
