"""The six styles: counts of the whole packages where they are, and reader, pictures, captions and split on a real sample."""

import io
import tarfile
from collections import Counter, defaultdict

import numpy as np
import pytest
from PIL import Image

from fcr_core.data import DATASETS, load
from fcr_core.data.icons import selection
from fcr_core.data.icons.copies import SIDE, THRESHOLD, by_precedence, copies_among, difference, pixels_of
from fcr_core.data.icons.selection import captioned, pictures
from fcr_core.data.icons.sets import draw, read_icons
from fcr_core.data.icons.split import SEEN_STYLES, UNSEEN_SHARE, held_out_style, unseen
from fcr_core.data.icons.styles import STYLES
from fcr_core.data.icons.tables import table
from fcr_core.data.prepared import images_of, prepare, prompts_of
from fcr_core.data.registry import CaptionedImage

from .illustrations import SAMPLE, SAMPLE_STYLES, style_of, whole_packages

NAMES = ("illustrations", "unseen_illustrations")
BY_PACKAGE = {style.package: style for style in STYLES}


@pytest.fixture
def sample(monkeypatch):
    monkeypatch.setattr(selection, "STYLES", SAMPLE_STYLES)
    return SAMPLE


@pytest.fixture(scope="module")
def whole():
    return whole_packages()


@pytest.fixture(scope="module")
def both(whole):
    return {name: load(name, source=whole) for name in NAMES}


def style(record: CaptionedImage) -> str:
    return record.prompt.rsplit(", ", 1)[1].removesuffix(" style")


def by_caption(records: list[CaptionedImage]) -> dict[str, CaptionedImage]:
    return {record.prompt: record for record in records}


# The sample.


def test_captions_say_what_and_in_which_style(sample):
    found = by_caption([picture.record("train") for picture in pictures(sample)])
    assert {f"red apple, {style.name} style" for style in STYLES} <= found.keys()
    assert found["red apple, Noto style"].prompt_id == "noto-red-apple"
    toned = {f"waving hand, medium dark skin tone, {style.name} style" for style in STYLES}
    assert toned <= found.keys() and {found[caption].concept for caption in toned} == {"waving hand"}
    assert "man with curly hair, dark skin tone, Twemoji style" in found
    assert "handshake, dark skin tone and light skin tone, OpenMoji style" in found
    assert "washing machine, OpenMoji style" in found


def test_captions_are_words_in_lower_case_and_come_once(sample):
    records = [picture.record("train") for picture in pictures(sample)]
    words = [record.prompt.removesuffix(f", {style(record)} style") for record in records]
    assert all(text == text.lower() and "-" not in text and "  " not in text for text in words)
    assert len({record.prompt for record in records}) == len(records) == len({record.prompt_id for record in records})


def test_an_alias_is_no_second_picture_and_an_old_name_gives_way(sample):
    icons = read_icons(sample / style_of("twemoji").tarball)
    assert icons["adult"].hidden and not icons["person"].hidden and "grasshopper" not in icons
    chosen = [
        picture.icon for picture in captioned(sample) if picture.shows.words == "person" and picture.style.name == "Twemoji"
    ]
    assert chosen == ["person"]


def test_pictures_are_rgb_on_white_at_every_size(sample):
    for picture in pictures(sample):
        image = picture.record("train").image(32)
        assert image.mode == "RGB" and image.size == (32, 32)
        assert np.asarray(image).min() < 200, f"{picture.key} is empty"
    apple = next(picture.record("train") for picture in pictures(sample) if picture.key == "twemoji/red-apple")
    assert apple.image().size == (64, 64) and apple.image(200).size == (200, 200)
    assert apple.image().getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_that_is_not_square_is_centred(sample):
    tarball = sample / style_of("twemoji").tarball
    [name] = [name for name, icon in read_icons(tarball).items() if icon.width != icon.height]
    dark = np.asarray(draw(tarball / name, 96)).min(axis=(1, 2)) < 250
    rows = np.flatnonzero(dark)
    assert rows[0] > 8 and abs(rows[0] - (95 - rows[-1])) <= 2


def test_a_small_picture_is_the_large_one_made_small(sample):
    """Curves are drawn at the size that is asked for, and nothing moves."""
    tarball = sample / style_of("noto").tarball
    small, large = (np.asarray(draw(tarball / "red-apple", size), dtype=float) for size in (48, 192))
    assert np.abs(small - large.reshape(48, 4, 48, 4, 3).mean((1, 3))).mean() < 2


def test_a_prepared_set_reads_back(sample, tmp_path):
    records = load("illustrations", source=sample)
    prepare(records, tmp_path / "set", "illustrations", 32)
    assert prompts_of(tmp_path / "set", "train")["prompt"].tolist() == [r.prompt for r in records if r.split == "train"]
    image = images_of(tmp_path / "set", [records[5].prompt_id])[0]
    assert image.tobytes() == records[5].image(32).tobytes()


def test_a_file_that_is_missing_or_another_is_refused_by_name(sample, tmp_path):
    with pytest.raises(
        ValueError, match=r"twemoji-1\.2\.5\.tgz: no such file: get it from https://registry\.npmjs\.org/@iconify"
    ):
        load("illustrations", source=tmp_path)
    for each in STYLES:
        (tmp_path / each.tarball).write_bytes((sample / each.tarball).read_bytes())
    (tmp_path / "noto-1.2.9.tgz").write_bytes(b"sign in")
    with pytest.raises(ValueError, match=r"noto-1\.2\.9\.tgz: another file under this name: its SHA-256 is 2"):
        load("unseen_illustrations", source=tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"{"])
def test_a_tarball_without_icons_is_refused_by_name(content, tmp_path):
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        member = tarfile.TarInfo("package/icons.json" if content else "package/info.json")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    with pytest.raises(ValueError, match=r"a\.tgz: no package of icons"):
        read_icons(tmp_path / "a.tgz")


def test_it_needs_its_files():
    for name in NAMES:
        with pytest.raises(ValueError, match=r"needs the config key datasets\.illustrations\.source"):
            load(name)


# The split.


def test_a_style_is_held_out_by_the_hash_of_its_concept_alone():
    concepts = [f"concept {i}" for i in range(2000)]
    chosen = {concept: held_out_style(concept, STYLES) for concept in concepts}
    without = {concept: held_out_style(concept, STYLES[1:]) for concept in concepts}
    kept = [concept for concept in concepts if chosen[concept] != STYLES[0]]
    assert all(without[concept] == chosen[concept] for concept in kept)
    assert not any(held_out_style(concept, STYLES[:SEEN_STYLES]) for concept in concepts)
    assert not any(chosen[concept] for concept in concepts if unseen(concept))
    assert abs(np.mean([unseen(concept) for concept in concepts]) - UNSEEN_SHARE) < 0.015


def test_styles_are_held_out_in_proportion_to_their_weights():
    counts = Counter(held_out_style(f"concept {i}", STYLES) for i in range(20_000))
    total, weights = sum(counts[each] for each in STYLES), sum(each.weight for each in STYLES)
    for each in STYLES:
        assert abs(counts[each] / total - each.weight / weights) < 0.02


# The whole packages.


def test_the_packages_hold_what_the_styles_say(whole):
    assert {each.package: len(read_icons(whole / each.tarball)) for each in STYLES} == {
        each.package: each.icons for each in STYLES
    }
    assert sum(each.icons for each in STYLES) == 20_749


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_has_the_counts(both, name):
    counts = Counter(record.split for record in both[name])
    held_out = {record.concept for record in both[name] if record.split == "test"}
    assert (DATASETS[name].images, DATASETS[name].prompts) == ((counts["train"], counts["test"]), len(held_out))


def test_a_held_out_pair_is_one_style_of_a_concept_that_training_has_in_two_others(both):
    styles = defaultdict(set)
    for record in both["illustrations"]:
        styles[record.split, record.concept].add(style(record))
    held_out = [concept for split, concept in styles if split == "test"]
    assert len(held_out) >= 1000
    for concept in held_out:
        assert len(styles["test", concept]) == 1 and not styles["test", concept] & styles["train", concept]
        assert len(styles["train", concept]) >= SEEN_STYLES
    balance = Counter(next(iter(styles["test", concept])) for concept in held_out)
    assert len(balance) == len(STYLES) and min(balance.values()) > 0.75 * max(balance.values()), balance


def test_training_has_no_unseen_concept(both):
    seen, others = ({record.concept for record in both[name]} for name in NAMES)
    assert not seen & others
    assert abs(len(others) / len(seen | others) - UNSEEN_SHARE) < 0.01


def test_nothing_is_lost_between_the_sets(both, whole):
    ids = [record.prompt_id for records in both.values() for record in records]
    assert len(ids) == len(set(ids)) == len(captioned(whole)) - len(table("copies.txt"))


def test_the_table_of_copies_names_pictures_and_is_what_rendering_finds(whole):
    every = {picture.key: picture for picture in captioned(whole)}
    copies = table("copies.txt")
    assert copies.keys() <= every.keys() and set(copies.values()) <= every.keys() - copies.keys()
    keys = sorted(copies)[::20]
    # With all pictures that begin alike, so that what is no copy is seen too.
    beside = [key for key in every if key.split("/")[1].startswith("flag-for")][:100]
    chosen = by_precedence([every[key] for key in every if key in {*keys, *(copies[key] for key in keys), *beside}])
    pixels = pixels_of(chosen)
    found = copies_among(chosen, pixels)
    assert {key: found.get(key) for key in keys} == {key: copies[key] for key in keys}
    assert found.keys() <= copies.keys()


# Copies.


def test_a_change_in_one_place_counts_as_much_as_it_is_there(sample):
    apple = np.asarray(draw(sample / style_of("noto").tarball / "red-apple", SIDE))
    dot = apple.copy()
    dot[8:12, 8:12] = 255 - dot[8:12, 8:12]
    assert difference(apple, apple) == 0 < THRESHOLD < difference(apple, dot)
    assert np.abs(apple.astype(float) - dot).mean() < THRESHOLD / 2


def test_the_table_of_copies_is_what_rendering_finds_in_the_sample(sample):
    chosen = by_precedence(captioned(sample))
    found = copies_among(chosen, pixels_of(chosen))
    keys = {picture.key for picture in chosen}
    assert found == {key: kept for key, kept in table("copies.txt").items() if {key, kept} <= keys}
    assert found["twemoji/flag-bouvet-island"] == "twemoji/flag-norway"


def test_a_picture_that_comes_again_is_found_and_a_skin_tone_is_not(sample):
    chosen = [picture for picture in captioned(sample) if picture.shows.concept in ("waving hand", "red apple")]
    pixels = pixels_of(chosen)
    assert copies_among(chosen, pixels) == {}
    other = next(picture for picture in captioned(sample) if picture.shows.concept == "handshake")
    again = np.concatenate([pixels, pixels[:1]])
    assert copies_among([*chosen, other], again) == {other.key: chosen[0].key}
    brighter = np.asarray(Image.fromarray(pixels[0]).point(lambda level: min(level + 4, 255)))
    assert copies_among([*chosen, other], np.concatenate([pixels, brighter[None]])) == {other.key: chosen[0].key}
