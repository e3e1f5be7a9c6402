from dataclasses import replace

import psutil
import pytest
import torch

from fcr_core.backbones.loading import encode_images
from fcr_core.backbones.tasks import TextAlone
from fcr_core.data import load
from fcr_core.data.pixels import to_pixels
from fcr_core.data.prepared import images_of, prepare, prompts_of
from fcr_core.training import training_set
from fcr_core.training.training_set import EncodedSet, StreamedSet, encode_training_set


@pytest.fixture
def data() -> EncodedSet:
    generator = torch.Generator().manual_seed(0)
    latents, texts = torch.randn(6, 4, 8, 8, generator=generator), torch.randn(6, 3, 8, generator=generator)
    return EncodedSet(latents, texts, torch.zeros(1, 3, 8), ["cat", "dog", "dog", "dog", "dog", "dog"])


def test_half_of_the_images_are_drawn_mirrored_under_their_own_caption(data, tmp_path):
    both = replace(data, mirrored=data.latents.flip(-1))
    both.save(tmp_path / "set.safetensors")
    both = EncodedSet.load(tmp_path / "set.safetensors")
    latents, texts = both.draw(400, torch.Generator().manual_seed(0))
    as_they_are = (latents[:, None] == both.latents).flatten(2).all(2)
    flipped = (latents[:, None] == both.latents.flip(-1)).flatten(2).all(2)
    assert (as_they_are.sum(1) + flipped.sum(1) == 1).all() and 160 < flipped.sum() < 240
    row = (as_they_are | flipped).int().argmax(1)
    kept = texts.flatten(1).any(1)
    assert torch.equal(texts[kept], both.texts[row[kept]])


def test_a_set_is_encoded_whole_or_in_part_and_with_its_mirror_images(pocket_pipe, tmp_path):
    prepare(load("twemoji", "train")[:70], tmp_path / "set", "twemoji")
    whole = encode_training_set(StreamedSet.of(pocket_pipe, tmp_path / "set"), tmp_path / "whole")
    pixels = to_pixels(images_of(tmp_path / "set", prompts_of(tmp_path / "set", "train")["prompt_id"].tolist()))
    assert torch.equal(whole.latents, encode_images(pocket_pipe.vae, pixels)) and whole.mirrored is None
    part = encode_training_set(StreamedSet.of(pocket_pipe, tmp_path / "set", count=8, mirror=True), tmp_path / "part")
    row = whole.concepts.index(part.concepts[0])
    torch.testing.assert_close(part.latents[0], whole.latents[row])
    torch.testing.assert_close(part.mirrored[:1], encode_images(pocket_pipe.vae, pixels[row : row + 1].flip(-1)))
    assert len(part.texts) == len(part.latents) == len(part.mirrored) == len(set(part.concepts)) == 8


def test_what_a_killed_encoding_has_finished_is_not_encoded_again(pocket_pipe, tmp_path, monkeypatch):
    prepare(load("twemoji", "train")[:10], tmp_path / "set", "twemoji")
    monkeypatch.setattr(training_set, "ENCODED_AT_ONCE", 4)
    whole = encode_training_set(StreamedSet.of(pocket_pipe, tmp_path / "set"), tmp_path / "state")
    (tmp_path / "state" / "images-00000008.pt").unlink()
    encoded: list[int] = []
    original = TextAlone.encode

    def counted(self, pipe, images, prompt_ids):
        encoded.append(len(images))
        return original(self, pipe, images, prompt_ids)

    monkeypatch.setattr(TextAlone, "encode", counted)
    again = encode_training_set(StreamedSet.of(pocket_pipe, tmp_path / "set"), tmp_path / "state")
    assert torch.equal(whole.latents, again.latents) and encoded == [2]


def test_a_set_that_is_encoded_as_it_is_drawn_gives_the_batches_of_one_that_was_encoded_before(pocket_pipe, tmp_path):
    prepare(load("twemoji", "train")[:20], tmp_path / "set", "twemoji")
    streamed = StreamedSet.of(pocket_pipe, tmp_path / "set", mirror=True)
    encoded = encode_training_set(streamed, tmp_path / "state")
    encoded.save(tmp_path / "set.safetensors")
    encoded = EncodedSet.load(tmp_path / "set.safetensors")
    for seed in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            drawn = streamed.draw(16, torch.Generator().manual_seed(seed))
        for made, expected in zip(drawn, encoded.draw(16, torch.Generator().manual_seed(seed)), strict=True):
            # A kernel rounds by the number of rows.
            torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-4)


def test_of_a_file_a_step_reads_the_rows_that_it_draws(tmp_path):
    size = 64 << 20
    EncodedSet(torch.ones(256, size // 1024), torch.ones(256, 1, 1), torch.ones(1, 1, 1), ["a"] * 256).save(tmp_path / "set")
    before = psutil.Process().memory_full_info().uss
    data = EncodedSet.load(tmp_path / "set")
    data.latents_of(torch.arange(4), torch.zeros(4, dtype=torch.bool))
    assert data.latents.nbytes == size and psutil.Process().memory_full_info().uss - before < size / 8


def test_concepts_are_drawn_uniformly_whatever_their_number_of_images(data):
    latents, texts = data.draw(4000, torch.Generator().manual_seed(0))
    cats = (latents == data.latents[0]).flatten(1).all(1).float().mean()
    assert abs(cats - 0.5) < 0.03
    dropped = (texts == 0).flatten(1).all(1).float().mean()
    assert abs(dropped - 0.1) < 0.02


def test_a_training_set_survives_a_file(data, tmp_path):
    data.save(tmp_path / "set.safetensors")
    again = EncodedSet.load(tmp_path / "set.safetensors")
    assert torch.equal(again.latents, data.latents) and again.concepts == data.concepts
    assert again.texts.dtype == torch.float16
    torch.testing.assert_close(again.texts.float(), data.texts, rtol=1e-3, atol=1e-3)
    assert again.draw(4, torch.Generator())[1].dtype == torch.float32
