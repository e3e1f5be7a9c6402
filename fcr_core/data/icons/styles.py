"""The six styles: which package holds a style, who made it, and under which licence."""

from __future__ import annotations

from dataclasses import dataclass

REGISTRY = "https://registry.npmjs.org/@iconify-json"


@dataclass(frozen=True)
class Style:
    """A style is one package of Iconify.

    Args:
        name: as captions say it.
        package: name of the npm package below `@iconify-json`; ids of prompts begin with it.
        version: exact version of the package.
        sha256: of the tarball.
        icons: number of pictures in the package, without aliases.
        licence: of the artwork, as SPDX names it.
        licence_url: where the text of the licence is.
        author: whom the licence asks to name.
        source: where the artwork comes from.
        weight: the share of held-out pairs goes by it. Styles that have fewer concepts weigh more.
    """

    name: str
    package: str
    version: str
    sha256: str
    icons: int
    licence: str
    licence_url: str
    author: str
    source: str
    weight: float

    @property
    def tarball(self) -> str:
        """Return the name of the package's file."""
        return f"{self.package}-{self.version}.tgz"

    @property
    def url(self) -> str:
        """Return the address of the package's file."""
        return f"{REGISTRY}/{self.package}/-/{self.tarball}"


# Where two styles hold the same picture, the first of this list keeps it.
STYLES = (
    Style(
        name="Twemoji",
        package="twemoji",
        version="1.2.5",
        sha256="19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        icons=4169,
        licence="CC-BY-4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        author="Twitter and other contributors",
        source="https://github.com/jdecked/twemoji",
        weight=1.0,
    ),
    Style(
        name="Noto",
        package="noto",
        version="1.2.9",
        sha256="3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        icons=3819,
        licence="Apache-2.0",
        licence_url="https://github.com/googlefonts/noto-emoji/blob/main/svg/LICENSE",
        author="Google Inc.",
        source="https://github.com/googlefonts/noto-emoji",
        weight=1.3,
    ),
    Style(
        name="OpenMoji",
        package="openmoji",
        version="1.2.29",
        sha256="03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5",
        icons=4579,
        licence="CC-BY-SA-4.0",
        licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
        author="OpenMoji",
        source="https://github.com/hfg-gmuend/openmoji",
        weight=0.9,
    ),
    Style(
        name="Fluent",
        package="fluent-emoji",
        version="1.2.7",
        sha256="8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
        icons=3174,
        licence="MIT",
        licence_url="https://github.com/microsoft/fluentui-emoji/blob/main/LICENSE",
        author="Microsoft Corporation",
        source="https://github.com/microsoft/fluentui-emoji",
        weight=1.5,
    ),
    Style(
        name="Fluent flat",
        package="fluent-emoji-flat",
        version="1.2.6",
        sha256="7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        icons=3174,
        licence="MIT",
        licence_url="https://github.com/microsoft/fluentui-emoji/blob/main/LICENSE",
        author="Microsoft Corporation",
        source="https://github.com/microsoft/fluentui-emoji",
        weight=1.4,
    ),
    Style(
        name="EmojiOne",
        package="emojione",
        version="1.2.3",
        sha256="26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        icons=1834,
        licence="CC-BY-4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        author="Emoji One",
        source="https://github.com/EmojiTwo/emojitwo",
        weight=1.3,
    ),
)
