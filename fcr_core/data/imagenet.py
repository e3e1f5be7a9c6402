"""ImageNet-1k as prompts: "a photo of a {class}" for each class, or for each validation image if the user has them.

Russakovsky et al., 2015, arXiv 1409.0575. The class names are those of torchvision; all 1000 are different.
"""

from __future__ import annotations

import re
from pathlib import Path

from scipy.io import loadmat
from torchvision.models import ResNet50_Weights

from fcr_core.data.folders import files_below
from fcr_core.data.official import refused
from fcr_core.data.registry import DATASETS, CaptionedImage
from fcr_core.data.text_files import read_text

CLASSES = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
# The hub's copy has the WordNet id in the name: `ILSVRC2012_val_00000293_n02123045.JPEG`.
VALIDATION_IMAGE = re.compile(r"(ILSVRC2012_val_\d{8})(?:_(n\d{8}))?\.jpe?g", re.IGNORECASE)


def records(source: Path | None = None) -> list[CaptionedImage]:
    """Return the validation images of `source`, all in the test split. Without `source`, return the class names alone.

    Images lie in folders named by WordNet id, or have the id in their name. Or they lie side by side, as in the official archive,
    with `ILSVRC2012_devkit_t12` in the same folder or the one above.

    Raises `ValueError` for a folder of another kind.
    """
    if source is None:
        return [CaptionedImage(f"class{i:04d}", prompt_of(i), name, official_split="test") for i, name in enumerate(CLASSES)]
    named = {path: match for path in files_below(source) if (match := VALIDATION_IMAGE.fullmatch(path.name))}
    if not named:
        raise refused(source, "holds no ILSVRC2012_val_*.JPEG")
    index_of = {synset: i for i, synset in enumerate(synsets())}
    told = {path: match[2] or path.parent.name for path, match in named.items()}
    synset_of = {} if set(told.values()) & index_of.keys() else official_labels(source)
    found = {path: synset_of.get(named[path][1], synset) for path, synset in told.items()}
    unknown = sorted(set(found.values()) - index_of.keys())
    if unknown:
        raise refused(source, f"{unknown[0]!r} is none of the 1000 WordNet ids")
    return [
        CaptionedImage(name, prompt_of(index_of[synset]), name, path, official_split="test")
        for path, synset in sorted(found.items(), key=lambda item: item[0].name)
        for name in [named[path][1]]
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
    """Return the WordNet id of each validation image, by file name without its suffix.

    The ground truth numbers classes by ILSVRC2012_ID, which has an order of its own. `meta.mat` maps it to WordNet ids.
    """
    kit = next((folder for folder in DATASETS["imagenet"].beside(source) if folder.is_dir()), None)
    if kit is None:
        raise refused(source, "has its images side by side, so it needs ILSVRC2012_devkit_t12 beside them")
    synset_of = official_ids(kit / "meta.mat")
    truth = kit / "ILSVRC2012_validation_ground_truth.txt"
    labels = read_text(truth).split()
    unknown = [label for label in labels if label not in synset_of]
    if unknown:
        raise refused(truth, f"{unknown[0]!r} is the number of no class")
    return {f"ILSVRC2012_val_{number:08d}": synset_of[label] for number, label in enumerate(labels, start=1)}


def official_ids(meta: Path) -> dict[str, str]:
    """Return the WordNet id of each ILSVRC2012_ID, which is given as text."""
    try:
        with meta.open("rb") as file:
            entries = loadmat(file, squeeze_me=True)["synsets"]
        return {str(int(entry["ILSVRC2012_ID"])): str(entry["WNID"]) for entry in entries}
    except OSError:
        raise
    except Exception as error:  # of several kinds, none of which names the file
        raise refused(meta, f"not meta.mat of the development kit ({' '.join(str(error).split())})") from None
