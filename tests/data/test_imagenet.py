"""The validation images of ImageNet in the folders that people keep them in."""

import pytest

from fcr_core.data import load

from .test_official import devkit, jpeg, write

CAT, FISH = "n02123045", "n01440764"


def prompts(source) -> dict[str, str]:
    return {record.prompt_id: record.prompt for record in load("imagenet", source=source)}


@pytest.mark.parametrize(
    "cat, fish",
    [
        (f"{CAT}/ILSVRC2012_val_00000293.JPEG", f"{FISH}/ILSVRC2012_val_00003014.JPEG"),
        (f"val/{CAT}/ILSVRC2012_val_00000293.jpg", f"val/{FISH}/ILSVRC2012_val_00003014.jpeg"),
        (f"ILSVRC2012_val_00000293_{CAT}.JPEG", f"ILSVRC2012_val_00003014_{FISH}.JPEG"),
    ],
)
def test_the_class_is_told_by_the_folder_or_by_the_name(tmp_path, cat, fish):
    for name in (cat, fish):
        write(tmp_path / "elsewhere" / name, jpeg(0))
        write((tmp_path / "elsewhere" / name).with_name("._" + name.split("/")[-1]), b"\0\5")
    (tmp_path / "set").symlink_to(tmp_path / "elsewhere")
    expected = {"ILSVRC2012_val_00000293": "a photo of a tabby", "ILSVRC2012_val_00003014": "a photo of a tench"}
    assert prompts(tmp_path / "set") == expected


def test_an_image_that_is_there_twice_is_named_with_both_places(tmp_path):
    for folder in (CAT, FISH):
        write(tmp_path / folder / "ILSVRC2012_val_00000293.JPEG", jpeg(0))
    with pytest.raises(ValueError, match=rf"2 records are called 'ILSVRC2012_val_00000293': \S+{FISH}\S+ and \S+{CAT}\S+"):
        load("imagenet", source=tmp_path)


def test_a_development_kit_that_is_damaged_is_refused_by_its_file(tmp_path):
    write(tmp_path / "ILSVRC2012_val_00000001.JPEG", jpeg(0))
    devkit(tmp_path, [CAT])
    kit = tmp_path / "ILSVRC2012_devkit_t12" / "data"
    truth = kit / "ILSVRC2012_validation_ground_truth.txt"
    number = truth.read_text().strip()
    write(truth, b"\xef\xbb\xbf" + number.encode() + b"\r\n")
    assert prompts(tmp_path) == {"ILSVRC2012_val_00000001": "a photo of a tabby"}
    write(truth, "1001\n")
    with pytest.raises(ValueError, match=rf"^{truth}: '1001' is the number of no class"):
        load("imagenet", source=tmp_path)
    write(kit / "meta.mat", "<html>")
    with pytest.raises(ValueError, match=rf"^{kit}/meta\.mat: not meta\.mat of the development kit \("):
        load("imagenet", source=tmp_path)
    (kit / "meta.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"meta\.mat"):
        load("imagenet", source=tmp_path)
