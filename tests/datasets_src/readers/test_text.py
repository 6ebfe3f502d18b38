"""Texts become passages that lose nothing, cut no word, and know the heading that they stand under."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets_src.readers.cutting import LONGEST_PASSAGE
from tests.datasets_src.readers.files import faults_of, rows_of, values_of, written

SENTENCE = "The quick brown fox jumps over the lazy dog and runs away. "


def words_of(texts: list[object]) -> list[str]:
    return " ".join(map(str, texts)).split()


def test_a_short_text_is_one_passage_with_its_document(tmp_path: Path) -> None:
    path = written(tmp_path / "notes.txt", "First paragraph,\r\ntwo lines.\r\n\r\n\r\nSecond.\r\n")
    (row,) = rows_of(path)
    assert row.values == {
        "text": "First paragraph,\ntwo lines.\n\nSecond.",
        "document": "notes.txt",
        "section": None,
        "passage": 1,
    }
    assert (row.number, row.line) == (1, 1)


def test_paragraphs_are_put_together_up_to_the_longest_passage(tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {n}. " + SENTENCE * 10 for n in range(20)]
    rows = rows_of(written(tmp_path / "book.txt", "\n\n".join(paragraphs)))
    # Three of about 600 characters fit, so a passage begins with every third.
    assert [str(row.values["text"])[:13].strip(". ") for row in rows] == [f"Paragraph {n}" for n in range(0, 20, 3)]
    assert [row.line for row in rows] == [1 + 2 * n for n in range(0, 20, 3)]
    assert words_of([row.values["text"] for row in rows]) == words_of(paragraphs)
    assert all(len(str(row.values["text"])) <= LONGEST_PASSAGE for row in rows)


def test_a_long_paragraph_is_cut_behind_sentences(tmp_path: Path) -> None:
    text = SENTENCE * 200
    passages = [str(values["text"]) for values in values_of(written(tmp_path / "book.txt", text))]
    assert len(passages) == 7
    assert all(passage.endswith(".") and len(passage) <= LONGEST_PASSAGE for passage in passages)
    assert words_of([*passages]) == text.split()


def test_without_sentences_a_text_is_cut_behind_words(tmp_path: Path) -> None:
    text = "word " * 1500 + "x" * 5000 + " end"
    passages = [str(values["text"]) for values in values_of(written(tmp_path / "book.txt", text))]
    assert words_of([*passages]) == text.split()
    assert "x" * 5000 in passages


def test_a_text_without_spaces_is_cut_behind_its_own_marks(tmp_path: Path) -> None:
    text = "我们今天去公园散步，然后回家吃饭。" * 500
    passages = [str(values["text"]) for values in values_of(written(tmp_path / "book.txt", text))]
    assert "".join(passages) == text
    assert all(passage.endswith("。") and len(passage) <= LONGEST_PASSAGE for passage in passages)


@pytest.mark.parametrize("piece", [64, 100, 1000])
def test_a_line_that_goes_on_is_read_in_pieces_that_cut_no_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr("datasets_src.readers.text.LONGEST_PIECE", piece)
    text = "\n".join([SENTENCE * 100, "Où est-ce? " * 300, "", SENTENCE * 3])
    passages = [values["text"] for values in values_of(written(tmp_path / "corpus.txt", text))]
    assert words_of([*passages]) == text.split()


def test_nothing_is_lost_where_a_piece_ends_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets_src.readers.text.LONGEST_PIECE", 16)
    for length in range(1, 70):
        text = ("ab cde " * 10)[:length].strip()
        assert [values["text"] for values in values_of(written(tmp_path / "a.txt", text))] == [text]


def test_old_line_ends_are_line_ends(tmp_path: Path) -> None:
    (values,) = values_of(written(tmp_path / "old.txt", "one\rtwo\rthree"))
    assert values["text"] == "one\ntwo\nthree"


def test_a_word_without_end_is_a_fault_and_reading_goes_on_behind_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets_src.readers.text.LONGEST_PIECE", 64)
    path = written(tmp_path / "notes.txt", "before\n" + "x" * 1000 + " lost\nafter\n")
    assert [row.values.get("text") for row in rows_of(path)] == ["before", None, "after"]
    assert [row.line for row in rows_of(path)] == [1, 2, 3]


def test_damaged_lines_of_a_text_are_faults_and_the_rest_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "notes.txt", b"one\n\xe9\ntwo \xc3\xa9\n\0\nthree\n")
    assert faults_of(path) == {2: ": not UTF-8 at line 2", 4: ": holds a NUL byte at line 4, byte 1"}
    assert [row.values["text"] for row in rows_of(path) if not row.fault] == ["one", "two é", "three"]


def test_markdown_begins_a_passage_at_each_heading_and_names_it(tmp_path: Path) -> None:
    text = """Before any heading.

# C# and *more* ##
One.
## Deeper
Two,
still two.

Setext
======
Three.

#hashtag is no heading
"""
    rows = rows_of(written(tmp_path / "guide.md", text))
    assert [(row.values["section"], row.values["text"], row.line) for row in rows] == [
        (None, "Before any heading.", 1),
        ("C# and *more*", "# C# and *more* ##\n\nOne.", 3),
        ("Deeper", "## Deeper\n\nTwo,\nstill two.", 5),
        ("Setext", "Setext\n======\n\nThree.\n\n#hashtag is no heading", 9),
    ]
    assert [row.values["passage"] for row in rows] == [1, 2, 3, 4]


def test_code_in_markdown_has_no_headings_and_keeps_its_blank_lines(tmp_path: Path) -> None:
    code = "```python\n# a comment\n\n\nx = 1\n```"
    (row,) = rows_of(written(tmp_path / "guide.md", f"# Use\n\n{code}\n\n    # indented\n"))
    assert row.values["section"] == "Use"
    assert code in row.values["text"]


def test_a_heading_stays_with_a_long_paragraph_below_it(tmp_path: Path) -> None:
    rows = rows_of(written(tmp_path / "guide.md", "# Title\n\n" + SENTENCE * 34))
    assert str(rows[0].values["text"]).startswith("# Title\n\nThe quick")
    assert {row.values["section"] for row in rows} == {"Title"}


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("# One", "One"),
        ("   ###### Six ######", "Six"),
        ("#\tTab", "Tab"),
        ("# C#", "C#"),
        ("# A # B", "A # B"),
        ("#", None),
        ("## ##", None),
        ("# " + "long " * 100, "long " * 39 + "…"),
    ],
)
def test_a_heading_names_its_section_without_its_marks(tmp_path: Path, line: str, section: str | None) -> None:
    assert [row.values["section"] for row in rows_of(written(tmp_path / "a.md", f"# Other\n\n{line}\n\nText"))] == [
        "Other",
        section,
    ]


@pytest.mark.parametrize("line", ["####### Seven", "    # Code", "#hashtag", "text # no", "---x"])
def test_what_is_no_heading_stays_text(tmp_path: Path, line: str) -> None:
    assert [row.values["section"] for row in rows_of(written(tmp_path / "a.md", f"# Other\n\n{line}\nText"))] == [
        "Other"
    ]


def test_a_damaged_line_in_code_is_a_fault(tmp_path: Path) -> None:
    assert faults_of(written(tmp_path / "a.md", b"```\nx = 1\n\xe9\n```\n")) == {2: ": not UTF-8 at line 3"}


def test_a_fence_that_is_never_closed_still_makes_passages(tmp_path: Path) -> None:
    rows = rows_of(written(tmp_path / "guide.md", "```\n" + "a line of code\n\n" * 2000))
    assert len(rows) > 10
    assert all(len(str(row.values["text"])) <= LONGEST_PASSAGE for row in rows)
