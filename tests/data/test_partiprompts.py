"""PartiPrompts.tsv as other systems save it."""

import codecs
import logging

import pytest

from fcr_core.data import load

from .test_official import write

HEADER = "Prompt\tCategory\tChallenge\tNote"


@pytest.mark.parametrize("mark, encoding", [(b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")])
def test_marks_line_ends_blank_lines_and_short_rows(tmp_path, mark, encoding):
    text = "\r\n".join([HEADER, 'a "cat"\tAnimals\tBasic\t', "null\tAbstract\tBasic", "", '"nan', ""])
    file = write(tmp_path / "PartiPrompts.tsv", mark + text.encode(encoding))
    records = load("partiprompts", source=file)
    assert [(r.prompt_id, r.prompt) for r in records] == [("parti0000", 'a "cat"'), ("parti0001", "null"), ("parti0002", '"nan')]


def test_a_row_without_a_prompt_is_left_out_and_the_others_keep_their_ids(tmp_path, caplog):
    file = write(tmp_path / "PartiPrompts.tsv", f"{HEADER}\na cat\t\t\t\n \tAnimals\tBasic\t\na dog\t\t\t\n")
    with caplog.at_level(logging.WARNING):
        assert [record.prompt_id for record in load("partiprompts", source=file)] == ["parti0000", "parti0002"]
    assert "left out rows without a prompt: 1, the first is parti0001" in caplog.text


def test_a_row_with_more_columns_is_refused(tmp_path):
    file = write(tmp_path / "PartiPrompts.tsv", f"{HEADER}\na cat\t\t\t\na dog\tand\ta tab\tin\tit\n")
    with pytest.raises(ValueError, match=rf"^{file}: row 0001 has more columns than its header"):
        load("partiprompts", source=file)
