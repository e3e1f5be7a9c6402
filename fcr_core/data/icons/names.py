"""One name for the same thing in every style: sets spell skin tones, flags, people and old names each in its own way."""

from __future__ import annotations

import re
from typing import NamedTuple

from fcr_core.data.icons.tables import table

TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
TONE = "|".join(sorted(TONES, key=len, reverse=True))
# Most sets write `-dark-skin-tone`, wherever it stands, or once wrote `-tone5`. Swatches are called `medium-dark-skin-tone`.
LONG_TONE = re.compile(rf"(?<!^medium)-(?:({TONE})-skin-tone|tone([1-5]))")
# Fluent ends a name with `-dark`. A police car light and traffic lights are things.
SHORT_TONE = re.compile(rf"(?<!-car)(?<!-traffic)-({TONE})$")
FACING_RIGHT = "-facing-right"
# What becomes of a name without tones, in this order.
SPELLINGS = (
    (re.compile(r"^flag-for-(?:flag-)?"), "flag-"),
    (re.compile(r"^regional-indicator-"), "letter-"),
    (re.compile(r"(?<=[a-z])2$"), ""),  # a second drawing
    (re.compile(f"{FACING_RIGHT}$"), ""),
)
# From a name to words.
PHRASES = (
    (re.compile(r"^flag-(?!in-)"), "flag-of-"),
    (re.compile(r"^(man|woman|person)-(\w+-hair|beard)$"), r"\1-with-\2"),
    (re.compile(r"^(man|woman|person)-bald$"), r"bald-\1"),
)
APOSTROPHES = {word.replace("'", ""): word for word in ("d'ivoire", "man's", "men's", "o'clock", "woman's", "women's")}


class Name(NamedTuple):
    """What a picture shows.

    Args:
        concept: without style, skin tone and direction.
        words: the concept with what sets this picture apart from others of it.
    """

    concept: str
    words: str


def clean(name: str, package: str = "") -> Name:
    """Return concept and words for the name of an icon in a package, in lower case and without dashes.

    >>> clean("man-medium-dark-skin-tone-curly-hair")
    Name(concept='man with curly hair', words='man with curly hair, medium dark skin tone')
    >>> clean("flag-for-flag-norway").words, clean("woman-merpeople-light").words
    ('flag of norway', 'mermaid, light skin tone')
    """
    rest, tones = without_tones(name)
    bare, others = bare_name(rest), table("names.txt")
    concept = phrase(others.get(f"{package}/{bare}") or others.get(bare, bare))
    direction = " facing right" * rest.endswith(FACING_RIGHT)
    skin = " and ".join(f"{tone.replace('-', ' ')} skin tone" for tone in tones)
    return Name(concept, f"{concept}{direction}" + f", {skin}" * bool(skin))


def bare_name(name: str) -> str:
    """Return a name that has no tones without its direction, with flags and letters spelled as most sets do.

    >>> bare_name("flag-for-flag-norway"), bare_name("man-walking-facing-right")
    ('flag-norway', 'man-walking')
    """
    for spelling, instead in SPELLINGS:
        name = spelling.sub(instead, name)
    return name


def without_tones(name: str) -> tuple[str, list[str]]:
    """Return a name without its skin tones, and the tones, such as `"medium-dark"`, in their order.

    >>> without_tones("handshake-dark-skin-tone-light-skin-tone"), without_tones("police-car-light")
    (('handshake', ['dark', 'light']), ('police-car-light', []))
    """
    tones = [tone or TONES[int(number) - 1] for tone, number in LONG_TONE.findall(name)]
    rest = LONG_TONE.sub("", name)
    if short := SHORT_TONE.search(rest):
        return rest[: short.start()], [*tones, short[1]]
    return rest, tones


def phrase(name: str) -> str:
    """Return the words of a name.

    >>> phrase("five-oclock"), phrase("flag-cote-divoire"), phrase("woman-bald")
    ("five o'clock", "flag of cote d'ivoire", 'bald woman')
    """
    for pattern, instead in PHRASES:
        name = pattern.sub(instead, name)
    return " ".join(APOSTROPHES.get(word, word) for word in name.split("-"))
