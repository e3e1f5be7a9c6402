"""Which pictures are held out: single styles of a concept, and whole concepts. All by hashes of names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from math import log

from fcr_core.data.icons.styles import Style

# Share of the concepts that training sees in no style.
UNSEEN_SHARE = 0.05
# Share of the other concepts with enough styles of which one style is held out.
PAIR_SHARE = 0.6
# Styles in which training must see a concept of which one is held out.
SEEN_STYLES = 2

PERSON = re.compile(r"\b(?:wo)?m[ae]n\b(?!')|\bperson\b|\bpeople\b")


def kind_of(concept: str) -> str:
    """Return a concept without its man, woman or person. What has one kind is drawn much alike, so it has one fate.

    >>> kind_of("man vampire"), kind_of("vampire"), kind_of("woman's hat")
    ('vampire', 'vampire', "woman's hat")
    """
    return " ".join(PERSON.sub("", concept).split())


def uniform(*names: str) -> float:
    """Return a number between 0 and 1, neither included, by a hash of the names."""
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48


def unseen(concept: str) -> bool:
    """Return True for a concept that training sees in no style."""
    return uniform("unseen", kind_of(concept)) < UNSEEN_SHARE


def held_out_style(concept: str, styles: Collection[Style]) -> Style | None:
    """Return the style in which a concept is held out, of those that it has. None if training sees it in all.

    A style is drawn with a probability in proportion to its weight, by weighted rendezvous hashing: a style that is added later
    takes some concepts over, and changes nothing else.
    """
    kind = kind_of(concept)
    if unseen(concept) or len(styles) <= SEEN_STYLES or uniform("pair", kind) >= PAIR_SHARE:
        return None
    return min(styles, key=lambda style: -log(uniform(style.package, kind)) / style.weight)
