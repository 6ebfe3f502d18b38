"""Plots of lengths, turns, sources, languages and tags."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from datasets_src.browse import Histogram, Rows
from datasets_src.build import check
from datasets_src.spec import DatasetSpec
from jobs.workspace import Workspace
from tests.toys import write_rows
from ui.length_plots import Fit, bars_html, fit, names_html, plots_html, turns_html


def checked(workspace: Workspace, **options: Any) -> Rows:
    """40 rows of ten words and 10 of a hundred, from two files."""
    files = {
        name: write_rows(
            workspace.uploads / f"{name}.jsonl",
            [{"prompt": f"{name} {n}?", "completion": f"{n} " + "word " * words} for n in range(rows)],
        )
        for name, rows, words in (("short", 40, 10), ("long", 10, 100))
    }
    sources = [{"path": str(path), "tag": name} for name, path in files.items()]
    folder = workspace.root / "rows"
    spec = {"name": "d", "sources": sources, "near_duplicates": None, "eval_fraction": 0.2, **options}
    check(DatasetSpec.parse(spec), workspace, folder)
    return Rows(folder)


def heights(html: str) -> list[float]:
    return [float(height) for height in re.findall(r'<i style="height:([\d.]+)%', html)]


def test_the_share_that_fits_is_told_in_words_and_is_exact(workspace: Workspace) -> None:
    rows = checked(workspace, model="embedded")
    found = fit(rows, 64)
    assert found == Fit(limit=64, fitting=40, rows=50)
    html = plots_html(rows, 64)
    assert "80 % of rows fit into 64 tokens (10 of 50 are longer)." in html
    assert "context length 64" in html and "tokens per row" in html


def test_the_share_is_never_rounded_up_to_all() -> None:
    assert Fit(512, 99_999, 100_000).in_words == "99.9 % of rows fit into 512 tokens (1 of 100,000 is longer)."
    assert Fit(512, 100, 100).in_words == "Every row fits into 512 tokens."


def test_without_counted_tokens_lengths_are_told_in_characters_and_how_to_get_tokens(workspace: Workspace) -> None:
    html = plots_html(checked(workspace), 64)
    assert "characters per row" in html and "choose a model" in html and "context length" not in html


def test_sources_and_tags_are_counted_and_a_single_language_is_not_drawn(workspace: Workspace) -> None:
    html = plots_html(checked(workspace), 64)
    assert "Sources" in html and "Tags" in html
    assert re.search(r'title="short.jsonl">short.jsonl</div>.*?40 <span class="quiet">80 %</span>', html)
    assert "Every row has 2 turns." in html


def test_bars_are_as_high_as_what_they_count_and_the_line_stands_at_its_length() -> None:
    histogram = Histogram([0, 10, 20, 30, 40], [1, 4, 2, 0])
    html = bars_html("Lengths", "tokens per row", histogram, "tokens", limit=15)
    assert heights(html) == [25.0, 100.0, 50.0]
    assert 'class="limit" style="left:50.00%"' in html
    assert "10 to 19 tokens: 4 rows" in html and "20 tokens or more: 2 rows" in html
    assert 'left:100.00%"><span class="left">context length 1,000 →' in bars_html(
        "Lengths", "tokens per row", histogram, "tokens", limit=1000
    )


def test_nothing_counted_draws_nothing() -> None:
    assert bars_html("Lengths", "tokens per row", Histogram([], []), "tokens") == ""
    assert names_html("Tags", {"only": 3}, {}) == ""


def test_turns_stand_as_whole_numbers() -> None:
    html = turns_html(Histogram([0, 1, 2, 3, 4, 5], [0, 0, 5, 0, 1]))
    assert "2 turns: 5 rows" in html and "4 turns or more: 1 row" in html


def test_names_let_no_html_through_and_the_rest_is_counted() -> None:
    many = {f"<b>{n}": 100 - n for n in range(20)}
    html = names_html("Tags", many, {})
    assert "<b>" not in html and f"and 8 more, with {sum(100 - n for n in range(12, 20))} rows together" in html


@pytest.mark.parametrize("missing", ["index.parquet", "report.json"])
def test_a_folder_without_finished_rows_is_not_opened(workspace: Workspace, missing: str) -> None:
    from ui.rows_state import is_there

    folder: Path = checked(workspace).folder
    assert is_there(folder)
    (folder / missing).unlink()
    assert not is_there(folder) and not is_there(None)
