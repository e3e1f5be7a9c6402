"""One name for a thing: every way in which a set writes it is read, and what only looks alike is left alone."""

import pytest

from fcr_core.data.icons.names import bare_name, clean, without_tones
from fcr_core.data.icons.sets import read_icons
from fcr_core.data.icons.styles import STYLES
from fcr_core.data.icons.tables import table

from .illustrations import whole_packages

SAME = [
    ("waving-hand-medium-dark-skin-tone", "waving-hand-medium-dark"),
    ("breast-feeding-tone1", "breast-feeding-light-skin-tone"),
    ("woman-elf-tone5", "woman-elf-dark"),
    ("person-medium-skin-tone-blond-hair", "blond-haired-person-medium-skin-tone", "person-blonde-hair-medium"),
    ("man-running-dark-skin-tone-facing-right", "man-running-facing-right-dark-skin-tone", "man-running-facing-right-dark"),
    ("flag-norway", "flag-for-norway", "flag-for-flag-norway"),
    ("black-flag", "flag-for-black-flag"),
    ("letter-q", "regional-indicator-q"),
    ("keycap-pound", "keycap-hashtag", "keycap-hash"),
    ("merman-light-skin-tone", "man-merpeople-light"),
    ("bear", "bear-face"),
    ("brain", "brain2"),
    ("pinata", "piata"),
    ("person", "adult"),
    ("couple-with-heart", "couple-with-heart-person-person"),
]


def test_a_name_can_mean_something_else_in_one_set():
    assert clean("scroll", "openmoji").concept == "mouse scroll" and clean("scroll", "noto").concept == "scroll"


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_names_of_the_same_thing_are_one(names):
    assert len({clean(name) for name in names}) == 1


@pytest.mark.parametrize(
    "name, concept, words",
    [
        ("police-car-light", "police car light", "police car light"),
        ("vertical-traffic-light", "vertical traffic light", "vertical traffic light"),
        ("medium-dark-skin-tone", "medium dark skin tone", "medium dark skin tone"),
        ("flag-in-hole", "flag in hole", "flag in hole"),
        ("hal-9000", "hal 9000", "hal 9000"),
        ("womans-hat", "woman's hat", "woman's hat"),
        ("kiss-man-man-dark-skin-tone-light-skin-tone", "kiss man man", "kiss man man, dark skin tone and light skin tone"),
        ("man-walking-facing-right", "man walking", "man walking facing right"),
    ],
)
def test_what_only_looks_like_a_tone_is_kept(name, concept, words):
    assert clean(name) == (concept, words)


def test_the_table_leads_to_names_that_it_does_not_change():
    names = table("names.txt")
    assert not names.keys() & set(names.values())


def test_every_entry_of_the_table_is_of_use():
    folder, used = whole_packages(), set()
    for style in STYLES:
        bare = {bare_name(without_tones(name)[0]) for name in read_icons(folder / style.tarball)}
        used |= bare | {f"{style.package}/{name}" for name in bare}
    assert table("names.txt").keys() <= used
