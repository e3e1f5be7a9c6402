"""Reads configuration files strictly: what YAML or Snakemake lets pass is refused in one line, with the file and the line.

This file imports nothing of the project: `envs/snakemake_launcher.py` reads it before Snakemake reads a configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


class ConfigFileError(ValueError):
    """A file that is no configuration; the message is one line."""


def read_config_file(file: Path) -> dict[str, Any]:
    """Return what a configuration file holds.

    Raises `ConfigFileError` for a file that is not there, is not UTF-8, is not YAML, holds no keys at its top level, refers to
    itself, or has a key twice in one section, of which YAML would keep the last.
    """
    text = text_of(file)
    loader = yaml.CSafeLoader(text)
    try:
        root = loader.get_single_node()
        for problem in problems(root) if root else ():
            raise ConfigFileError(f"{file}, {problem}")
        found = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        raise ConfigFileError(f"{file}, {described(error, text)}") from None
    except yaml.YAMLError as error:
        raise ConfigFileError(f"{file}: no YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()
    if not isinstance(found, dict):
        raise ConfigFileError(f"{file}: must hold keys, as in `seeds: [0]`, and holds {shown(found)}")
    return found


def shown(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def text_of(file: Path) -> str:
    """Return the text of a file. Raises `ConfigFileError` if it cannot be read or is not UTF-8."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigFileError(f"{file}: {error.strerror}: name a configuration file") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigFileError(f"{file}, line {line}: not UTF-8 (byte 0x{content[error.start]:02x}): save it as UTF-8") from None


def described(error: yaml.MarkedYAMLError, text: str) -> str:
    """`line 7: no YAML: mapping values are not allowed in this context`."""
    mark, problem = error.problem_mark or error.context_mark, error.problem or error.context
    if mark is None:
        return f"no YAML: {problem}"
    line = text.split("\n")[min(mark.line, text.count("\n"))]
    why = "a tab: indent with spaces" if "\t" in line[: mark.column + 1] else f"no YAML: {problem}"
    return f"line {mark.line + 1}: {why}"


def problems(node: yaml.Node, above: tuple[yaml.Node, ...] = ()) -> Iterator[str]:
    """Find what YAML does not complain of: a key twice in one section, a section inside itself."""
    if any(node is other for other in above):
        yield f"line {node.start_mark.line + 1}: a section that holds itself, by a reference (*): write it out"
        return
    if isinstance(node, yaml.MappingNode):
        yield from repeated(node)
    for part in parts_of(node):
        yield from problems(part, (*above, node))


def repeated(section: yaml.MappingNode) -> Iterator[str]:
    """The keys of a section that are written twice; sections that are merged into it (`<<`) may have them, too."""
    lines: dict[str, int] = {}
    for key, _ in section.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            yield f"line {line}: the key {key.value} is here again, first in line {lines[key.value]}: YAML would drop that"
        lines[key.value] = line


def parts_of(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def of_command_line(message: str, given: Mapping[str, Any]) -> str:
    """Return what to add to a message about a value that came by `--config`; nothing if it did not.

    >>> of_command_line("config key seeds[0] = '0': must be of type integer", {"seeds": ["0", "1"]})
    '; --config hands over what stands in lists and sections as text: write {seeds: [0, 1]} into a file and add --configfile FILE'
    >>> of_command_line("config key device = 'gpu': must be one of ['cpu', 'cuda']", {"device": "gpu"})
    ''
    """
    section = re.split(r"[ .\[]", message.removeprefix("config key "), maxsplit=1)[0]
    if not isinstance(given.get(section), list | dict):
        return ""
    meant = yaml.safe_dump({section: as_yaml(given[section])}, default_flow_style=True, width=1_000_000).strip()
    return f"; --config hands over what stands in lists and sections as text: write {meant} into a file and add --configfile FILE"


def as_yaml(value: Any) -> Any:
    """Return what a file would have held in place of a value of `--config`, whose numbers are text."""
    if isinstance(value, dict):
        return {key: as_yaml(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_yaml(inner) for inner in value]
    as_written = isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d*)?|true|false|null", value)
    return yaml.safe_load(value) if as_written else value
