"""Extractors against the libraries they wrap, on real emoji; the files are small networks in the official formats."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fcr_core.data import load as load_data
from fcr_core.data.pictures import Pictures
from fcr_core.features import clip, dinov2, effnet, inception
from fcr_core.features.extractor import LAUNCH, extract, extract_texts, load
from fcr_core.features.registry import EXTRACTORS
from fcr_core.jobs.job import sha256_of

from ..workspace import ROOT


class SmallInception(nn.Module):
    """The call signature and the parts of NVIDIA's `inception-2015-12-05.pt`."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Conv2d(3, 8, 16, stride=16)
        self.layers = nn.Sequential(stem, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2048, 1))
        self.output = nn.Linear(2048, 1008)

    def forward(
        self, img: torch.Tensor, return_features: bool = False, use_fp16: bool = False, no_output_bias: bool = False
    ) -> torch.Tensor:
        features = self.layers((img - 127.5) / 127.5).reshape(-1, 2048)
        if return_features:
            return features
        logits = nn.functional.linear(features, self.output.weight, None if no_output_bias else self.output.bias)
        return logits.softmax(1)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """More real images than a launch has."""
    folder = tmp_path_factory.mktemp("images")
    records = load_data("twemoji", "test")[: LAUNCH + 8]
    for record in records:
        record.image().save(folder / f"{record.prompt_id}.png")
    return [folder / f"{record.prompt_id}.png" for record in records]


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / inception.FILE
    torch.jit.script(SmallInception().eval()).save(path)
    return path


@pytest.fixture(scope="session")
def dinov2_folder(tmp_path_factory):
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2")
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=56, patch_size=14)
    Dinov2Model(config).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory):
    import open_clip

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("clip")
    vision = {"image_size": 48, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    (folder / "ViT-tiny.json").write_text(json.dumps({"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(folder)
    torch.save(open_clip.create_model("ViT-tiny").state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


@pytest.fixture(scope="session")
def pictures(files):
    return Pictures([str(file) for file in files])


@pytest.fixture(scope="session")
def extractors(inception_file, dinov2_folder, clip_file):
    return {
        "effnet": effnet.load(),
        "inception": inception.load(str(inception_file), sha256=sha256_of(inception_file)),
        "dinov2": dinov2.load(str(dinov2_folder)),
        "clip": clip.load(str(clip_file), model="ViT-tiny", tag=None),
    }


@pytest.fixture(params=sorted(EXTRACTORS))
def extractor(request, extractors):
    return extractors[request.param]


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_image_has_the_same_features_to_the_bit_in_any_company(extractor, pictures):
    together = extract(extractor, pictures)
    for part in (slice(0, 1), slice(3, 10), slice(LAUNCH - 2, LAUNCH + 5), slice(None, None, -1)):
        for kind, rows in extract(extractor, pictures[part]).items():
            assert np.array_equal(rows, together[kind][part]), kind


def test_rows_are_float32_one_an_image_and_all_different(extractor, pictures):
    for rows in extract(extractor, pictures[:5]).values():
        assert rows.dtype == np.float32 and len(np.unique(rows, axis=0)) == 5


def test_bf16_is_close_to_fp32_but_another_number(extractor, pictures):
    whole, reduced = extract(extractor, pictures[:8]), extract(extractor, pictures[:8], "bf16")
    for kind in whole:
        assert 0 < np.linalg.norm(reduced[kind] - whole[kind]) < 0.1 * np.linalg.norm(whole[kind])


def test_pictures_and_opened_images_are_the_same_to_an_extractor(extractor, files, pictures):
    opened = [Image.open(file).convert("RGB") for file in files[:3]]
    for kind, rows in extract(extractor, pictures[:3]).items():
        assert np.array_equal(extract(extractor, opened)[kind], rows)


def test_inception_features_are_those_of_clean_fid_from_the_same_files(extractors, inception_file, files, pictures):
    from cleanfid.fid import get_files_features
    from cleanfid.inception_torchscript import InceptionV3W

    network = InceptionV3W(str(inception_file.parent), download=False)
    theirs = get_files_features([str(file) for file in files[:4]], network, 0, 4, torch.device("cpu"), "clean", verbose=False)
    assert np.allclose(extract(extractors["inception"], pictures[:4])["pool"], theirs, atol=1e-6)


def test_inception_resizes_as_clean_fid_and_not_as_a_quantised_resize_does(extractors, files):
    from cleanfid.resize import make_resizer

    images = [Image.open(file) for file in files[:6]]
    ours = extractors["inception"].preprocess(images)

    def by(quantise: bool) -> torch.Tensor:
        resizer = make_resizer("PIL", quantise, "bicubic", (299, 299))
        return torch.from_numpy(np.stack([resizer(np.asarray(image)).astype(np.float32) for image in images])).permute(0, 3, 1, 2)

    assert torch.equal(ours, (by(False) - 128) / 128) and not torch.equal(ours, (by(True) - 128) / 128)


def test_inception_logits_are_those_of_the_inception_score(extractors, inception_file, files, pictures):
    network = torch.jit.load(inception_file)
    rows = extract(extractors["inception"], pictures[:4])
    batch = extractors["inception"].preprocess([Image.open(file) for file in files[:4]])
    expected = network(batch * 127.5 + 127.5, no_output_bias=True)
    assert torch.allclose(torch.from_numpy(rows["logits"]).softmax(1), expected, atol=1e-7)


def test_dinov2_features_are_the_cls_token_of_transformers(extractors, dinov2_folder, files, pictures):
    from transformers import AutoImageProcessor, Dinov2Model

    images = [Image.open(file) for file in files[:4]]
    pixels = AutoImageProcessor.from_pretrained(dinov2_folder, backend="pil")(images, return_tensors="pt")
    with torch.no_grad():
        expected = Dinov2Model.from_pretrained(dinov2_folder)(**pixels).last_hidden_state[:, 0]
    assert np.allclose(extract(extractors["dinov2"], pictures[:4])["pool"], expected, atol=1e-5)
    assert "shortest edge 64, centre crop 56x56" in extractors["dinov2"].resize


def test_clip_embeds_images_and_texts_as_open_clip_does(extractors, clip_file, files, pictures):
    import open_clip

    network, _, transform = open_clip.create_model_and_transforms("ViT-tiny", pretrained=str(clip_file))
    texts = ["red apple", "waving hand"]
    with torch.no_grad():
        images = network.eval().encode_image(torch.stack([transform(Image.open(file)) for file in files[:4]]))
        tokens = network.encode_text(open_clip.get_tokenizer("ViT-tiny")(texts))
    assert np.allclose(extract(extractors["clip"], pictures[:4])["image"], images, atol=1e-5)
    assert np.allclose(extract_texts(extractors["clip"], texts), tokens, atol=1e-5)


def test_a_text_has_the_same_embedding_to_the_bit_in_any_company(extractors):
    texts = [record.prompt for record in load_data("twemoji", "test")[: LAUNCH + 3]]
    assert np.array_equal(extract_texts(extractors["clip"], texts)[5:7], extract_texts(extractors["clip"], texts[5:7]))


def test_weights_are_known_by_their_checksum(extractors, inception_file, clip_file, dinov2_folder):
    assert extractors["inception"].weights_sha256 == sha256_of(inception_file)
    assert extractors["clip"].weights_sha256 == sha256_of(clip_file)
    assert extractors["dinov2"].weights_sha256 == sha256_of(dinov2_folder / "model.safetensors")


def test_another_file_than_the_published_inception_is_refused(inception_file):
    with pytest.raises(ValueError) as error:
        load("inception", str(inception_file))
    text = one_line(error)
    assert str(inception_file) in text and inception.SHA256 in text and sha256_of(inception_file) in text


@pytest.mark.parametrize("name", sorted(EXTRACTORS))
def test_missing_weights_are_named_in_one_line(name, tmp_path):
    with pytest.raises(ValueError) as error:
        load(name, str(tmp_path / "nowhere"))
    assert f"no weights of {name} at {tmp_path / 'nowhere'}" in one_line(error)


def test_inception_is_never_downloaded():
    with pytest.raises(ValueError, match="needs its weight file"):
        load("inception")


@pytest.mark.parametrize(
    "model, tag, right", [("ViT-B-32", "openai", "ViT-B-32-quickgelu"), ("ViT-B-32-quickgelu", "laion2b_s34b_b79k", "ViT-B-32")]
)
def test_weights_of_another_activation_are_refused_before_anything_is_loaded(model, tag, right, clip_file):
    with pytest.raises(ValueError) as error:
        clip.load(str(clip_file), model=model, tag=tag)
    assert model in one_line(error) and tag in str(error.value) and str(error.value).endswith(f"use {right}")


def test_the_default_clip_weights_fit_their_model():
    assert clip.tag_config(clip.MODEL, clip.TAG)["hf_hub"] == "laion/CLIP-ViT-g-14-laion2B-s34B-b88K/"


def test_unknown_names_are_refused(extractors, pictures):
    with pytest.raises(ValueError, match="unknown extractor 'vgg': expected a module of fcr_core/features"):
        load("vgg")
    with pytest.raises(ValueError, match="unknown precision 'fp16'"):
        extract(extractors["effnet"], pictures[:1], "fp16")
    with pytest.raises(ValueError, match="open_clip has no weights 'openai' for ViT-g-14"):
        clip.load(model="ViT-g-14", tag="openai")


def test_the_script_ends_in_one_line_when_weights_are_missing(tmp_path):
    command = [sys.executable, "-m", "workflow_scripts.extract_real_features", "--data", tmp_path, "--split", "test"]
    more = ["--extractor", "inception", "--weights", tmp_path / "none.pt", "--out", tmp_path / "out.npz"]
    result = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and not (tmp_path / "out.npz").exists()
    assert result.stderr.strip().endswith(
        f"no weights of inception at {tmp_path / 'none.pt'}: put the file there or name another"
    )
    assert "Traceback" not in result.stderr
