"""Any page of any filter is found, in a version and in a check's folder alike."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from datasets_src.browse import Filter, Rows
from datasets_src.build import check
from datasets_src.rows import Row
from datasets_src.spec import DatasetSpec
from jobs.workspace import Workspace

from .conftest import BuildRows, WriteRows
from .conftest import Rows as Written


@pytest.fixture
def rows(build_rows: BuildRows, write_rows: WriteRows, sums: Written) -> Rows:
    tagged = [{**row, "tag": "even" if number % 2 == 0 else "odd"} for number, row in enumerate(sums)]
    sources = [
        {"path": str(write_rows([*tagged, *tagged[:7]], "sums.jsonl")), "weight": 2},
        {"path": str(write_rows([{"question": 'Say "Größe"', "answer": "GRÖSSE", "tag": "word"}], "words.jsonl"))},
    ]
    return Rows(build_rows([], sources=sources, near_duplicates=None).folder)


def lines(rows: Rows, part: str) -> list[Row]:
    return [orjson.loads(line) for line in (rows.folder / f"{part}.jsonl").read_bytes().splitlines()]


def test_pages_are_the_rows_in_the_files_order(rows: Rows) -> None:
    train = lines(rows, "train")
    assert rows.count("train") == len(train)
    page = rows.page(Filter(), 100, 25)
    assert (page.rows, page.places, page.total) == (train[100:125], list(range(101, 126)), len(train))
    assert rows.page(Filter(), len(train) - 3, 25).rows == train[-3:]
    assert rows.row("train", len(train)) == train[-1]
    for beyond in (0, len(train) + 1):
        with pytest.raises(IndexError):
            rows.row("train", beyond)


def test_filters_by_tag_source_and_check(rows: Rows) -> None:
    assert {row["tag"] for row in rows.page(Filter(tag="odd"), 0, 1000).rows} == {"odd"}
    assert {row["source"] for row in rows.page(Filter(source="words.jsonl"), 0, 9).rows} <= {"words.jsonl"}
    copies = rows.page(Filter("left_out", check="exact_duplicate"), 0, 100)
    assert copies.total == 7
    assert all("exact_duplicate" in names for names in copies.checks)
    assert copies.rows[0]["checks"] == ["exact_duplicate"]
    assert rows.page(Filter("train", check="exact_duplicate"), 0, 100).total == 0


@pytest.mark.parametrize("text", ['say "gr', "größe", "GRÖSSE"])
def test_search_disregards_case_also_of_letters_beyond_ascii_and_finds_quotes(rows: Rows, text: str) -> None:
    found = [page for part in ("train", "eval") if (page := rows.page(Filter(part, text=text), 0, 9)).total]
    assert [page.rows[0]["source"] for page in found] == ["words.jsonl"]


def test_search_gives_the_places_of_the_rows_in_their_part(rows: Rows) -> None:
    page = rows.page(Filter(text="What is 7 plus 7?"), 0, 9)
    train = lines(rows, "train")
    assert page.total and all(train[place - 1] == row for place, row in zip(page.places, page.rows, strict=True))


def test_values_and_histograms_count_the_used_rows(rows: Rows) -> None:
    used = rows.count("train") + rows.count("eval")
    assert sum(rows.values("tag").values()) == used
    assert sum(rows.histogram("characters").counts) == used
    assert rows.histogram("tokens").counts == []
    assert len(rows.histogram("turns").edges) == len(rows.histogram("turns").counts) + 1


def test_a_check_leaves_a_folder_to_look_at_and_no_version(
    workspace: Workspace, write_rows: WriteRows, sums: Written, tmp_path: Path
) -> None:
    path = write_rows([*sums, {"question": "unanswered?", "answer": ""}])
    asked_to_stop = {"empty_turn": "stop"}  # which a look at the rows does not: it is there to show them
    spec = DatasetSpec.parse({"name": "toy", "sources": [{"path": str(path)}], "remedies": asked_to_stop})
    report = check(spec, workspace, tmp_path / "looked")
    assert not workspace.datasets.exists()
    empty = next(each for each in report["checks"] if each["name"] == "empty_turn")
    assert (empty["count"], empty["remedy"], "stop" in empty["remedies"]) == (1, "stop", True)
    assert empty["examples"][0]["row"] == 201
    looked = Rows(tmp_path / "looked")
    assert looked.page(Filter("left_out", check="empty_turn"), 0, 9).rows[0]["raw"]["question"] == "unanswered?"
    assert looked.report == report
