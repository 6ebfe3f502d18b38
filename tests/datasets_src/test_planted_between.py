"""Faults planted between rows, several in a row possible, are found: precision and recall of every such check."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

from datasets_src.browse import Rows
from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.workspace import Workspace

from .conftest import WriteRows

FIRST = "small old quiet green strange bright empty broken heavy early distant clever patient narrow"
THINGS = "river engine letter garden planet recipe bridge theory market doctor window signal forest ladder"
DOES = "carries follows explains crosses repairs forgets measures opens gathers believes protects divides"


@dataclass
class Planted:
    """Rows, and which of them (by number, from 1) have which fault."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    faulty: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, row: dict[str, Any], *faults: str) -> int:
        self.rows.append(row)
        for fault in faults:
            self.faulty[fault].add(len(self.rows))
        return len(self.rows)


def sentence(draw: random.Random) -> str:
    def word(words: str) -> str:
        return draw.choice(words.split())

    subject, object_ = f"{word(FIRST)} {word(THINGS)}", f"{word(FIRST)} {word(THINGS)}s"
    return f"The {subject} {word(DOES)} {draw.randrange(1000)} {object_}"


def clean(draw: random.Random, part: str) -> dict[str, Any]:
    answer = ". ".join(sentence(draw) for _ in range(draw.randint(5, 9)))
    return {"instruction": f"{sentence(draw)}?", "input": "", "output": f"{answer}.", "split": part}


def spaced(text: str, draw: random.Random) -> str:
    """The text with other white space, which makes it no other row."""
    return "".join(
        f"{draw.choice(['  ', chr(10), chr(9)])}" if letter == " " and draw.random() < 0.2 else letter
        for letter in text
    )


def slightly_changed(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    words[draw.randrange(len(words))] = "elsewhere"
    return " ".join(words)


def plant(seed: int, benchmark: list[dict[str, Any]]) -> Planted:
    """600 clean rows with a given split, then faulty ones made from them."""
    draw, planted = random.Random(seed), Planted()
    for number in range(600):
        planted.add(clean(draw, "test" if number % 6 == 0 else "train"))
    sources = list(enumerate(planted.rows[:600], start=1))
    trained = [row for _, row in sources if row["split"] == "train"]
    judged = [row for _, row in sources if row["split"] == "test"]
    for row in draw.sample(trained, 40):
        planted.add({**row, "output": spaced(row["output"], draw)}, "exact_duplicate")
    for row in draw.sample(trained, 40):
        planted.add({**row, "output": slightly_changed(row["output"], draw)}, "near_duplicate", "contradiction")
    for row in draw.sample(trained, 30):
        question = slightly_changed(row["instruction"], draw)
        planted.add({**row, "instruction": question}, "near_duplicate")
    for row in draw.sample(judged[:40], 20):
        planted.add({**row, "output": clean(draw, "")["output"], "split": "train"}, "leakage", "contradiction")
    for row in draw.sample(judged[40:], 20):
        planted.add(
            {**row, "instruction": slightly_changed(row["instruction"], draw), "split": "train"},
            "leakage",
            "near_duplicate",
        )
    for row in draw.sample(benchmark, 20):
        words = row["output"].split(" ")
        start = draw.randrange(len(words) - 14)
        new = clean(draw, "train")
        new["output"] += " " + " ".join(words[start : start + 14])
        planted.add(new, "contamination")
    for _ in range(6):
        planted.add({**clean(draw, "train"), "output": "word " * 9000 + str(draw.random())}, "length_outlier")
    return planted


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_planted_faults_are_found_and_nothing_else(seed: int, workspace: Workspace, write_rows: WriteRows) -> None:
    draw = random.Random(seed + 1000)
    benchmark = [clean(draw, "") for _ in range(50)]
    planted = plant(seed, benchmark)
    remedies = dict.fromkeys(("leakage", "contamination", "contradiction"), "keep")
    spec = DatasetSpec.parse(
        {
            "name": "planted",
            "sources": [{"path": str(write_rows(planted.rows))}],
            "contamination": [str(write_rows(benchmark, "benchmark.jsonl"))],
            "remedies": remedies,
        }
    )
    found = flagged(Rows(build(spec, workspace).folder))
    for check, expected in planted.faulty.items():
        got = found[check]
        precision = len(got & expected) / max(1, len(got))
        recall = len(got & expected) / len(expected)
        print(f"{check:<16} precision {precision:.3f} recall {recall:.3f} of {len(expected)}")
        assert precision >= 0.95 and recall >= 0.95, (check, sorted(got - expected)[:5], sorted(expected - got)[:5])


def flagged(rows: Rows) -> dict[str, set[int]]:
    """The numbers of the rows that each check found."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for number, flags in zip(rows.index["row"].to_list(), rows.index["checks"].to_list(), strict=True):
        for name in rows.names_of(flags):
            found[name].add(number)
    return found
