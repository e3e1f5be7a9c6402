"""Real pipeline folders of every task with random weights, at any size: what a hub download looks like on disk."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    MotionAdapter,
    PNDMScheduler,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from peft import LoraConfig, get_peft_model_state_dict
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

from fcr_core.backbones.published_configs import SCHEDULER, TOKENS
from fcr_core.jobs.packages import package_folder

from .unets import ADDED, IMAGE

Config = dict[str, Any]

TINY_UNET: Config = IMAGE
# SDXL reads the embeddings of two encoders side by side.
TINY_SDXL_UNET: Config = IMAGE | ADDED | {"cross_attention_dim": 16}
TINY_VAE: Config = {
    "block_out_channels": (8, 8), "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2,
    "norm_num_groups": 4, "latent_channels": 4, "sample_size": 16,
}  # fmt: skip
TINY_TEXT: Config = {
    "vocab_size": 49408, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
}  # fmt: skip
TINY_MOTION: Config = {"block_out_channels": (8, 16), "motion_layers_per_block": 1, "motion_norm_num_groups": 4}
# Not the hybrid of SD 2, whose ResNet cannot be made this small.
TINY_DEPTH: Config = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8, "backbone_out_indices": (0, 1, 2, 3), "neck_hidden_sizes": (8, 8, 8, 8), "fusion_hidden_size": 8,
}  # fmt: skip


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's own vocabulary (49,408 tokens), from open_clip's package."""
    file = package_folder("open_clip", "bpe_simple_vocab_16e6.txt.gz")
    merges = [tuple(line.split()) for line in gzip.decompress(file.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]]
    letters = list(bytes_to_unicode().values())
    words = letters + [f"{letter}</w>" for letter in letters] + ["".join(pair) for pair in merges]
    vocabulary = {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocabulary, merges, model_max_length=TOKENS)


def write_pipeline(
    folder: Path,
    unet: Config = TINY_UNET,
    vae: Config = TINY_VAE,
    text: Config = TINY_TEXT,
    prediction: str = "epsilon",
    half: bool = False,
) -> Path:
    """A folder as the hub has them: PNDM scheduler, CLIP text encoder; its class follows from the UNet's inputs.

    A UNet with added conditions gets SDXL's pipeline with a second text encoder, one layer deeper and with other weights.
    `half` saves float16, which a load makes float32 again.
    """
    torch.manual_seed(0)
    parts: Config = {
        "unet": UNet2DConditionModel(out_channels=4, **unet),
        "vae": AutoencoderKL(**vae),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**text)),
        "tokenizer": clip_tokenizer(),
        "scheduler": PNDMScheduler.from_config(SCHEDULER | {"prediction_type": prediction}),
    }
    if "addition_embed_type" in unet:
        second = CLIPTextConfig(**text | {"num_hidden_layers": 2, "projection_dim": 8})
        parts |= {"text_encoder_2": CLIPTextModelWithProjection(second), "tokenizer_2": clip_tokenizer()}
        StableDiffusionXLPipeline(**parts).save_pretrained(folder)
        return folder
    if half:
        parts |= {name: parts[name].half() for name in ("unet", "vae", "text_encoder")}
    unchecked = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    match unet.get("in_channels", 4):
        case 4:
            pipe = StableDiffusionPipeline(**parts, **unchecked)
        case 5:
            estimator = DPTForDepthEstimation(DPTConfig(**TINY_DEPTH))
            processor = DPTImageProcessor(size={"height": 32, "width": 32})
            pipe = StableDiffusionDepth2ImgPipeline(**parts, depth_estimator=estimator, feature_extractor=processor)
        case 9:
            pipe = StableDiffusionInpaintPipeline(**parts, **unchecked)
    pipe.save_pretrained(folder)
    return folder


def write_motion_adapter(folder: Path, config: Config = TINY_MOTION) -> Path:
    """AnimateDiff's motion modules; their output layers, zero at the start of a training, are made to do something."""
    torch.manual_seed(1)
    adapter = MotionAdapter(**config)
    for name, parameter in adapter.named_parameters():
        if "proj_out.weight" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    adapter.save_pretrained(folder)
    return folder


def write_lora(folder: Path, pipeline: Path) -> Path:
    """Low-rank weights for the pipeline's UNet, in the file and under the names that the hub has them."""
    torch.manual_seed(2)
    unet = UNet2DConditionModel.from_pretrained(pipeline, subfolder="unet")
    unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))
    return folder
