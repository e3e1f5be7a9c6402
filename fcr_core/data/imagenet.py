"""ImageNet-1k as prompts: "a photo of a {class}" for each class, or for each validation image if the user has them.

Russakovsky et al., 2015, arXiv 1409.0575. The class names are those of torchvision; all 1000 are different.
"""

from __future__ import annotations

import re
from pathlib import Path

from scipy.io import loadmat
from torchvision.models import ResNet50_Weights

from fcr_core.data.official import refused
from fcr_core.data.registry import CaptionedImage

CLASSES = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
VALIDATION_IMAGE = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
DEVKIT = Path("ILSVRC2012_devkit_t12") / "data"


def records(source: Path | None = None) -> list[CaptionedImage]:
    """Return the validation images of `source`, all in the test split. Without `source`, return the class names alone.

    Images lie in folders named by WordNet id. Or they lie side by side, as in the official archive, with `ILSVRC2012_devkit_t12`
    in the same folder or the one above.

    Raises `ValueError` for a folder of another kind.
    """
    if source is None:
        return [CaptionedImage(f"class{i:04d}", prompt_of(i), name, official_split="test") for i, name in enumerate(CLASSES)]
    files = sorted(path for path in source.rglob("ILSVRC2012_val_*.JPEG") if VALIDATION_IMAGE.fullmatch(path.name))
    if not files:
        raise refused(source, "holds no ILSVRC2012_val_*.JPEG")
    index_of = {synset: i for i, synset in enumerate(synsets())}
    synset_of = {} if files[0].parent.name in index_of else official_labels(source)
    found = {path: synset_of.get(path.name, path.parent.name) for path in files}
    unknown = sorted(set(found.values()) - index_of.keys())
    if unknown:
        raise refused(source, f"{unknown[0]!r} is none of the 1000 WordNet ids")
    return [
        CaptionedImage(path.stem, prompt_of(index_of[synset]), path.stem, path, official_split="test")
        for path, synset in sorted(found.items(), key=lambda item: item[0].name)
    ]


def prompt_of(index: int) -> str:
    """Return the plan's words for class 0 to 999.

    The case is kept: in lower case two names would be the same, the dog Cardigan and the garment.
    """
    return f"a photo of a {CLASSES[index]}"


def synsets() -> list[str]:
    """Return the WordNet ids in the order of the classes."""
    from timm.data import ImageNetInfo

    return ImageNetInfo("imagenet-1k").label_names()


def official_labels(source: Path) -> dict[str, str]:
    """Return the WordNet id of each validation image, by file name.

    The ground truth numbers classes by ILSVRC2012_ID, which has an order of its own. `meta.mat` maps it to WordNet ids.
    """
    kit = next((folder / DEVKIT for folder in (source, source.parent) if (folder / DEVKIT).is_dir()), None)
    if kit is None:
        raise refused(source, f"has its images side by side, so it needs {DEVKIT.parent} beside them")
    meta = loadmat(kit / "meta.mat", squeeze_me=True)["synsets"]
    synset_of = {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in meta}
    labels = (kit / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
    return {f"ILSVRC2012_val_{number:08d}.JPEG": synset_of[int(label)] for number, label in enumerate(labels, start=1)}
