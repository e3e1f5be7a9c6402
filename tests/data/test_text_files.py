"""Text of every encoding that says what it is, tables and JSON lines; anything else is refused by the file's name."""

import codecs

import pytest

from fcr_core.data.text_files import read_csv, read_json, read_jsonl, read_lines, read_text

from .test_official import write

MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("encoding, mark", MARKED.items())
def test_a_mark_says_the_encoding_and_is_no_text(tmp_path, encoding, mark):
    file = write(tmp_path / "a.txt", mark + "ein Käfer 🪲".encode(encoding))
    assert read_text(file) == "ein Käfer 🪲"
    assert read_text(write(tmp_path / "a.txt", "ein Käfer 🪲")) == "ein Käfer 🪲"


NOT_UTF8 = ["un café".encode("cp1252"), "猫".encode("shift_jis"), "a cat".encode("utf-16-le"), b"\xff\xd8\xff"]


@pytest.mark.parametrize("content", NOT_UTF8)
def test_text_that_does_not_say_its_encoding_is_refused_by_name(tmp_path, content):
    file = write(tmp_path / "a.txt", content)
    with pytest.raises(ValueError, match=rf"^{file}: not a text file in UTF-8: .*save it as UTF-8.*$") as raised:
        read_text(file)
    assert "\n" not in str(raised.value)


def test_either_line_end_ends_a_line_and_no_other_sign_does(tmp_path):
    file = write(tmp_path / "a.txt", "one\r\ntwo\u2028still two\n\nfour\r\n")
    assert read_lines(file) == ["one", "two\u2028still two", "", "four"]


def test_every_field_of_a_table_is_text(tmp_path):
    table = b'file_name, text\r\na.jpg,None\r\n\r\nb.jpg, "a cat, 12"" tall\r\nand red"\r\nc.jpg,007\r\nd.jpg\r\n , \r\n'
    columns, rows = read_csv(write(tmp_path / "metadata.csv", codecs.BOM_UTF8 + table))
    assert columns == ["file_name", "text"]
    assert [tuple(row.values()) for _, row in rows] == [
        ("a.jpg", "None"), ("b.jpg", 'a cat, 12" tall\r\nand red'), ("c.jpg", "007"), ("d.jpg", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rows, why",
    [
        ("a.jpg,a cat\nb.jpg,a dog, running\n", "line 3 has more fields than the header; put a text with commas in quotes"),
        ('a.jpg,"a cat\nb.jpg,a dog\n', "not a table after line .: unexpected end of data"),
        ('a.jpg,"big" cat\n', "not a table after line 1: "),
    ],
)
def test_a_row_that_could_be_read_in_two_ways_is_refused_by_its_line(tmp_path, rows, why):
    file = write(tmp_path / "metadata.csv", "file_name,text\n" + rows)
    with pytest.raises(ValueError, match=rf"^{file}: {why}"):
        read_csv(file)


def test_blank_lines_between_json_objects_are_passed_over(tmp_path):
    file = write(tmp_path / "metadata.jsonl", codecs.BOM_UTF8 + b'{"a": 1}\r\n\r\n{"b": "NA"}\n \n')
    assert read_jsonl(file) == (["a", "b"], [(1, {"a": 1}), (3, {"b": "NA"})])


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "{'a': 1}", '{"a": 1'])
def test_a_line_that_is_no_json_object_is_refused_by_its_number(tmp_path, line):
    file = write(tmp_path / "metadata.jsonl", f'{{"a": 1}}\n\n{line}\n')
    with pytest.raises(ValueError, match=rf"^{file}: line 3 is not a JSON object: "):
        read_jsonl(file)


def test_json_with_a_mark_is_read_and_other_files_are_refused(tmp_path):
    file = write(tmp_path / "a.json", codecs.BOM_UTF16_LE + '{"a": "é"}'.encode("utf-16-le"))
    assert read_json(file) == {"a": "é"}
    for content in (b"", b"<html>", b"[" * 100_000, b"\x80"):
        with pytest.raises(ValueError, match=rf"^{file}: not a JSON file"):
            read_json(write(file, content))
