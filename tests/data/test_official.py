"""Readers on small files in the official formats, with the quirks that the real ones have; pictures are Twemoji as JPEG."""

import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from fcr_core.data import load
from fcr_core.data.artbench import STYLES
from fcr_core.data.imagenet import CLASSES, synsets
from fcr_core.data.prepared import images_of, prepare

EMOJI = load("twemoji")[:4]


def jpeg(index: int) -> bytes:
    file = io.BytesIO()
    EMOJI[index].image().save(file, "JPEG")
    return file.getvalue()


def write(path, content):
    """A file with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


COCO = {
    "info": {"description": "COCO 2014 Dataset"},
    "images": [
        {"id": 391895, "file_name": "COCO_val2014_000000391895.jpg", "license": 3},
        {"id": 522418, "file_name": "COCO_val2014_000000522418.jpg", "license": 4},
    ],
    "licenses": [],
    "annotations": [
        {"image_id": 522418, "id": 681330, "caption": "A woman wearing a net on her head cutting a cake. "},
        {"image_id": 391895, "id": 771687, "caption": "A man with a red helmet on a small moped\n"},
        {"image_id": 522418, "id": 688644, "caption": "A woman  cutting a large white sheet cake."},
        {"image_id": 522418, "id": 684564, "caption": "there is a woman that is cutting a white cake"},
    ],
}


def test_coco_has_one_caption_an_image_the_same_in_every_run(tmp_path):
    file = write(tmp_path / "annotations" / "captions_val2014.json", json.dumps(COCO))
    records = load("coco", source=file)
    assert [(r.prompt_id, r.split, r.path) for r in records] == [("000000391895", "test", None), ("000000522418", "test", None)]
    assert records[0].prompt == "a man with a red helmet on a small moped"
    shuffled = COCO | {"annotations": COCO["annotations"][::-1], "images": COCO["images"][::-1]}
    assert load("coco", source=write(file, json.dumps(shuffled))) == records


def test_images_of_coco_are_found_beside_the_captions(tmp_path):
    file = write(tmp_path / "annotations" / "captions_val2014.json", json.dumps(COCO))
    write(tmp_path / "val2014" / "COCO_val2014_000000522418.jpg", jpeg(0))
    prepare(load("coco", source=file), tmp_path / "set", "coco", size=32)
    assert images_of(tmp_path / "set", ["000000522418"])[0].size == (32, 32)
    assert load("coco", source=file)[0].path is None


def test_captions_for_training_are_of_the_training_split(tmp_path):
    file = write(tmp_path / "annotations" / "captions_train2017.json", json.dumps(COCO))
    assert {record.split for record in load("coco", source=file)} == {"train"}


@pytest.mark.parametrize(
    "name, content, why",
    [
        ("instances_val2014.json", COCO, "not called captions_"),
        ("captions_val2014.json", COCO | {"annotations": [{"image_id": 1, "id": 1, "bbox": []}]}, "not COCO captions"),
        ("captions_val2014.json", {"images": [], "info": {}}, "not COCO captions"),
        ("captions_val2014.json", [1, 2], "not COCO captions"),
        ("captions_val2014.json", COCO | {"annotations": []}, "holds no record"),
    ],
)
def test_another_file_of_coco_is_refused_by_name(tmp_path, name, content, why):
    file = write(tmp_path / name, json.dumps(content))
    with pytest.raises(ValueError, match=rf"{file}: {why}"):
        load("coco", source=file)


def test_a_download_page_instead_of_the_file_is_refused_by_name(tmp_path):
    file = write(tmp_path / "captions_val2014.json", "<html>Sign in</html>")
    with pytest.raises(ValueError, match=rf"{file}: not a JSON file"):
        load("coco", source=file)


TOKENS = (
    "1000092795.jpg#0\tTwo young guys with shaggy hair look at their hands while hanging out in the yard .\n"
    "1000092795.jpg#1\tTwo young , White males are outside near many bushes .\n"
    '10002456.jpg#0\tSeveral men in "hard hats" are operating a giant pulley system .\n'
)
RESULTS = (
    "image_name| comment_number| comment\n"
    "1000092795.jpg| 0| Two young guys with shaggy hair look at their hands while hanging out in the yard .\n"
    "1000092795.jpg| 1| Two young , White males are outside near many bushes .\n"
    '10002456.jpg| 0| Several men in "hard hats" are operating a giant pulley system .\n'
)


def test_the_two_forms_of_flickr30k_give_the_same_records(tmp_path):
    official = load("flickr30k", source=write(tmp_path / "results_20130124.token", TOKENS))
    assert load("flickr30k", source=write(tmp_path / "results.csv", RESULTS)) == official
    assert [(r.prompt_id, r.split) for r in official] == [("1000092795", "test"), ("10002456", "test")]
    assert official[1].prompt == 'several men in "hard hats" are operating a giant pulley system .'


def test_the_row_of_flickr30k_that_lacks_a_delimiter_is_read(tmp_path):
    file = write(tmp_path / "results.csv", RESULTS.split("\n")[0] + "\n2199242200.jpg| 4   A dog runs across the grass .\n")
    assert [r.prompt for r in load("flickr30k", source=file)] == ["a dog runs across the grass ."]


def test_karpathys_splits_of_flickr30k_are_kept_in_both_files(tmp_path):
    rows = [("1.jpg", ["A dog ."], "train"), ("2.jpg", ["A cat ."], "val"), ("3.jpg", ['A "hat" , red .'], "test")]
    images = [{"filename": n, "sentences": [{"raw": c} for c in cs], "split": s, "imgid": 0} for n, cs, s in rows]
    official = load("flickr30k", source=write(tmp_path / "dataset_flickr30k.json", json.dumps({"images": images})))
    table = pd.DataFrame(
        [(json.dumps(cs), "[0]", s, n, 0) for n, cs, s in rows], columns=["raw", "sentids", "split", "filename", "img_id"]
    )
    table.to_csv(tmp_path / "flickr_annotations_30k.csv", index=False)
    assert load("flickr30k", source=tmp_path / "flickr_annotations_30k.csv") == official
    assert [(r.prompt, r.split) for r in official] == [("a dog .", "train"), ("a cat .", "train"), ('a "hat" , red .', "test")]


def test_images_of_flickr30k_are_found_beside_the_captions(tmp_path):
    image = write(tmp_path / "flickr30k-images" / "10002456.jpg", jpeg(1))
    records = load("flickr30k", source=write(tmp_path / "results_20130124.token", TOKENS))
    assert [record.path for record in records] == [None, image]


@pytest.mark.parametrize(
    "name, content, why",
    [
        ("captions.txt", TOKENS, "not called results_20130124.token or"),
        ("results_20130124.token", TOKENS + "1000092795.jpg Two young guys\n", "row 4 is not a caption"),
        ("results.csv", TOKENS, "lacks the header image_name"),
        ("results.csv", "", "lacks the header image_name"),
        ("results.csv", b"PK\x03\x04\xff\xfe", "not a text file"),
        ("dataset_flickr30k.json", "[]", "lacks images with a filename"),
        ("flickr_annotations_30k.csv", "a,b\n1,2\n", "lacks the columns raw, split, filename; has a, b"),
    ],
)  # fmt: skip
def test_another_file_of_flickr30k_is_refused_by_name(tmp_path, name, content, why):
    file = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=rf"{file}: {why}"):
        load("flickr30k", source=file)


def test_imagenet_without_images_is_its_thousand_names():
    records = load("imagenet")
    assert len(records) == 1000 == len({r.prompt for r in records}) and {r.split for r in records} == {"test"}
    assert records[0].prompt == "a photo of a tench" and records[999].prompt == "a photo of a toilet tissue"


def test_validation_images_in_folders_carry_their_class(tmp_path):
    write(tmp_path / "n02123045" / "ILSVRC2012_val_00000293.JPEG", jpeg(0))
    write(tmp_path / "n01440764" / "ILSVRC2012_val_00003014.JPEG", jpeg(1))
    records = load("imagenet", source=tmp_path)
    assert [r.prompt for r in records] == ["a photo of a tabby", "a photo of a tench"]
    assert [r.prompt_id for r in records] == ["ILSVRC2012_val_00000293", "ILSVRC2012_val_00003014"]


def devkit(folder, labels):
    """The development kit, in which classes are numbered in another order than that of the WordNet ids."""
    order = sorted(synsets(), reverse=True)
    fields = [("ILSVRC2012_ID", float), ("WNID", object), ("words", object), ("num_children", float)]
    meta = np.array([(number, wnid, "words", 0) for number, wnid in enumerate(order, start=1)], dtype=fields)
    data = folder / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    savemat(data / "meta.mat", {"synsets": meta.reshape(-1, 1)})
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{order.index(wnid) + 1}\n" for wnid in labels))


def test_validation_images_side_by_side_get_their_class_from_the_development_kit(tmp_path):
    for number in (1, 2, 3):
        write(tmp_path / "val" / f"ILSVRC2012_val_{number:08d}.JPEG", jpeg(number))
    devkit(tmp_path, ["n02123045", "n01440764", "n15075141"])
    prompts = [r.prompt for r in load("imagenet", source=tmp_path / "val")]
    assert prompts == ["a photo of a tabby", "a photo of a tench", "a photo of a toilet tissue"]


def test_names_and_wordnet_ids_of_imagenet_are_in_one_order():
    assert synsets() == sorted(synsets()) and len(set(CLASSES)) == len(set(synsets())) == 1000


def test_another_folder_than_imagenet_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path}: holds no ILSVRC2012_val_"):
        load("imagenet", source=tmp_path)
    image = write(tmp_path / "ILSVRC2012_val_00000001.JPEG", jpeg(0))
    with pytest.raises(ValueError, match=rf"{tmp_path}: has its images side by side, so it needs ILSVRC2012_devkit_t12"):
        load("imagenet", source=tmp_path)
    devkit(tmp_path, ["n02123045"])
    image.rename(tmp_path / "ILSVRC2012_val_00000002.JPEG")
    with pytest.raises(ValueError, match=rf"{tmp_path}: '{tmp_path.name}' is none of the 1000 WordNet ids"):
        load("imagenet", source=tmp_path)


def test_artbench_has_its_styles_as_concepts_and_its_own_split(tmp_path):
    for split in ("train", "test"):
        for style in STYLES:
            write(tmp_path / split / style / "claude-monet_water-lilies.jpg", jpeg(0))
            write(tmp_path / split / style / ".DS_Store", "")
    ids = [record.prompt_id for record in load("artbench", source=tmp_path)]
    assert len(set(ids)) == 20 and ids[0] == "train-art_nouveau-claude-monet_water-lilies"
    for path in (tmp_path / "test").rglob("*.jpg"):
        path.rename(path.with_stem("claude-monet_poppies"))
    records = load("artbench", source=tmp_path)
    assert len(records) == 20 and [r.split for r in records] == ["train"] * 10 + ["test"] * 10
    assert records[4].concept == "post_impressionism" and records[4].prompt == "a painting in the style of post impressionism"
    (tmp_path / "test" / "ukiyo_e").rename(tmp_path / "test" / "ukiyoe")
    with pytest.raises(ValueError, match=rf"{tmp_path}: not artbench-10-imagefolder-split: lacks test/ukiyo_e/"):
        load("artbench", source=tmp_path)


def test_bare_quotes_and_words_like_null_are_prompts_too(tmp_path):
    rows = [
        "bond\tAbstract\tBasic\tBiology-inspired",
        '"Fly an airplane" on a wall. \tOutdoor Scenes\tComplex\t',
        "NA\tAbstract\tBasic\t",
    ]
    file = write(tmp_path / "PartiPrompts.tsv", "\n".join(["Prompt\tCategory\tChallenge\tNote", *rows]) + "\n")
    records = load("partiprompts", source=file)
    assert [r.prompt for r in records] == ["bond", '"fly an airplane" on a wall.', "na"]
    assert [r.prompt_id for r in records] == ["parti0000", "parti0001", "parti0002"] and {r.split for r in records} == {"test"}


@pytest.mark.parametrize(
    "content, why",
    [("Prompts,Note\nbond,\n", "its columns are Prompts,Note, not P"), ("", "not a table"), (b"\xff\xfe\x00", "not a table")],
)  # fmt: skip
def test_another_file_than_partiprompts_is_refused_by_name(tmp_path, content, why):
    file = write(tmp_path / "PartiPrompts.tsv", content)
    with pytest.raises(ValueError, match=rf"{file}: .*{why}"):
        load("partiprompts", source=file)


def test_a_folder_of_images_takes_text_files_or_either_kind_of_metadata(tmp_path):
    for number, part in enumerate(["train", "test"]):
        write(tmp_path / "txt" / part / f"{number}.jpg", jpeg(number))
        write(tmp_path / "txt" / part / f"{number}.txt", f"Picture {number}\n")
        for kind in ("csv", "jsonl"):
            write(tmp_path / kind / part / f"{number}.jpg", jpeg(number))
        write(tmp_path / "csv" / part / "metadata.csv", f"file_name,text\n{number}.jpg,Picture {number}\n")
        write(
            tmp_path / "jsonl" / part / "metadata.jsonl",
            json.dumps({"file_name": f"{number}.jpg", "caption": f"Picture {number}"}),
        )
    write(tmp_path / "txt" / "train" / "uncaptioned.png", jpeg(2))
    expected = [("test-1", "picture 1", "test"), ("train-0", "picture 0", "train")]
    for form in ("txt", "csv", "jsonl"):
        records = load("image_folder", source=tmp_path / form)
        assert [(r.prompt_id, r.prompt, r.split) for r in records] == expected
        prepare(records, tmp_path / "set", "image_folder", size=64)
        images_of(tmp_path / "set", ["test-1", "train-0"])[1].load()


def test_a_folder_without_captions_is_refused_by_name(tmp_path):
    write(tmp_path / "a.jpg", jpeg(0))
    with pytest.raises(ValueError, match=rf"{tmp_path}: holds no image with a caption"):
        load("image_folder", source=tmp_path)
    table = write(tmp_path / "metadata.csv", "path,text\na.jpg,A\n")
    with pytest.raises(ValueError, match=rf"{table}: lacks the columns file_name and text; has path, text"):
        load("image_folder", source=tmp_path)


def shard(path, members: dict[str, bytes]):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_shards_are_read_where_they_lie(tmp_path):
    shard(tmp_path / "00000.tar", {"000000000.jpg": jpeg(0), "000000000.txt": b"A Smile", "000000000.json": b"{}"})
    shard(tmp_path / "00001.tar", {"a/1.json": b'{"caption": "A wink"}', "a/1.png": jpeg(1), "a/2.jpg": jpeg(2)})
    records = load("webdataset", source=tmp_path)
    assert [(r.prompt_id, r.prompt) for r in records] == [("000000000", "a smile"), ("a-1", "a wink")]
    prepare(records, tmp_path / "set", "webdataset", size=64)
    images = images_of(tmp_path / "set", ["a-1", "000000000"])
    assert [image.tobytes() for image in images] == [Image.open(io.BytesIO(jpeg(i))).tobytes() for i in (1, 0)]


def test_another_folder_or_tar_than_a_webdataset_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path}: holds no webdataset shards"):
        load("webdataset", source=tmp_path)
    file = write(tmp_path / "00000.tar", "<html>")
    with pytest.raises(ValueError, match=rf"{file}: not an uncompressed tar file"):
        load("webdataset", source=tmp_path)
    file = shard(tmp_path / "00000a.tar", {"notes.md": b"x"})
    (tmp_path / "00000.tar").unlink()
    with pytest.raises(ValueError, match=rf"{file}: holds no image with a caption"):
        load("webdataset", source=tmp_path)


@pytest.mark.parametrize("name", ["laion", "webdataset", "image_folder", "coco", "flickr30k", "artbench", "partiprompts"])
def test_a_missing_source_names_the_config_key(tmp_path, name):
    with pytest.raises(ValueError, match=rf"needs the config key datasets\.{name}\.source:"):
        load(name)
    with pytest.raises(ValueError, match=rf"config key datasets\.{name}\.source = {tmp_path}/no: no such file or folder"):
        load(name, source=tmp_path / "no")
