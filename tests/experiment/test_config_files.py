"""Configuration files are read strictly, and what is wrong with one is said in one line with its place."""

import json
import re

import pytest
import yaml

from fcr_core.experiment.config_files import ConfigFileError, of_command_line, read_config_file

from ..workspace import ROOT

FILES = [file for folder in (ROOT, ROOT / "config") for file in folder.glob("*.yaml") if file.name != "config.schema.yaml"]


def refusal(file, content: bytes | str) -> str:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigFileError) as raised:
        read_config_file(file)
    text = str(raised.value)
    assert text.startswith(str(file)) and "\n" not in text and len(text) < 300
    return text.removeprefix(str(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_sound_file_is_read_as_yaml_reads_it(file):
    assert read_config_file(file) == yaml.safe_load(file.read_text())


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfseeds: [0]\n", b"seeds: [0]\r\n", b'{"seeds": [0]}', "# größer\nseeds: [0]".encode()],
    ids=["byte order mark", "CRLF", "JSON", "letters"],
)
def test_what_editors_and_programs_write_is_read(tmp_path, content):
    (tmp_path / "a.yaml").write_bytes(content)
    assert read_config_file(tmp_path / "a.yaml") == {"seeds": [0]}


def test_sections_that_are_merged_may_have_the_keys_of_what_they_are_merged_into(tmp_path):
    text = "a: &short {lam: 0, steps: 3}\nb: &more {<<: *short, lam: 1}\nc: {<<: *more, steps: 4}\nd: {<<: *short, <<: *more}\n"
    (tmp_path / "a.yaml").write_text(text)
    assert read_config_file(tmp_path / "a.yaml")["c"] == {"lam": 1, "steps": 4}


@pytest.mark.parametrize(
    "text, says",
    [
        ("finetune: {lr: 1}\nseeds: [0]\nfinetune: {steps: 1}\n", ", line 3: the key finetune is here again, first in line 1"),
        ("a:\n  b:\n    c: 1\n    c: 2\n", ", line 4: the key c is here again, first in line 3"),
        ("rows: [{stride: 5, stride: 10}]", ", line 1: the key stride is here again, first in line 1"),
        ('"a": 1\na: 2\n', ", line 2: the key a is here again"),
        ('{"seeds": [0], "seeds": [1]}', ", line 1: the key seeds is here again"),
    ],
)
def test_a_key_that_is_written_twice_is_named_with_both_lines(tmp_path, text, says):
    assert refusal(tmp_path / "a.yaml", text).startswith(says)


@pytest.mark.parametrize(
    "content, says",
    [
        ("a: 1\nb: gr\xfcn\n".encode("latin-1"), ", line 2: not UTF-8 (byte 0xfc): save it as UTF-8"),
        ("a: 1\n".encode("utf-16"), ", line 1: not UTF-8 (byte 0xff)"),
        ("a:\n\tb: 1\n", ", line 2: a tab: indent with spaces"),
        ("a:\n  b: 1\n \tc: 1\n", ", line 3: a tab: indent with spaces"),
        ("a: [1, 2\n", ", line 2: no YAML: "),
        ("a: b: c\n", ", line 1: no YAML: mapping values are not allowed"),
        ("a: 'open\n", ", line 2: no YAML: "),
        ("a: 1\n---\nb: 2\n", ", line 2: no YAML: but found another document"),
        ("a: *nowhere\n", ", line 1: no YAML: found undefined alias"),
        ("a: !secret x\n", ", line 1: no YAML: could not determine a constructor"),
        ("a: \x00\n", ": no YAML: "),
        ("", ": must hold keys, as in `seeds: [0]`, and holds nothing"),
        ("# nothing yet\n", ": must hold keys, as in `seeds: [0]`, and holds nothing"),
        ("- a\n- b\n", ": must hold keys, as in `seeds: [0]`, and holds a list"),
        ("seeds\n", ": must hold keys, as in `seeds: [0]`, and holds a str"),
        ("a: &a {b: *a}\n", ", line 1: a section that holds itself"),
        ("a: &a [*a]\n", ", line 1: a section that holds itself"),
        ("? [1, 2]\n: 3\n", ", line 1: no YAML: found unhashable key"),
    ],
)
def test_what_is_no_configuration_is_named_with_the_line(tmp_path, content, says):
    assert refusal(tmp_path / "a.yaml", content).startswith(says)


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path):
    for path in (tmp_path / "nowhere.yaml", tmp_path):
        with pytest.raises(ConfigFileError, match=re.escape(f"{path}: ") + "(No such file|Is a directory)"):
            read_config_file(path)


@pytest.mark.parametrize(
    "given, meant",
    [
        ({"seeds": ["0", "1"]}, "{seeds: [0, 1]}"),
        ({"finetune": {"lr": "0.1", "cache_latents": "false"}}, "{finetune: {cache_latents: false, lr: 0.1}}"),
        ({"sampling": {"scheduler": "ddim", "shard": "null"}}, "{sampling: {scheduler: ddim, shard: null}}"),
    ],
)
def test_of_a_value_from_the_command_line_it_says_what_snakemake_did_and_what_to_write(given, meant):
    (section,) = given
    said = of_command_line(f"config key {section}.x = '1': must be of type integer", given)
    assert "as text" in said and f"write {meant} into a file" in said
    assert of_command_line(f"config key {section}[0] = '1': no", given) == said
    assert of_command_line("config key device = 'x': no", given) == ""
    assert yaml.safe_load(meant)[section] is not None and json.dumps(yaml.safe_load(meant))
