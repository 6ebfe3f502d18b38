"""Write the assistant's rows: one JSONL file per part, and the DatasetSpecs; the same seed gives the same bytes.

    python -m recipes.assistant.generate --out rows --sheets 30 --seed 0

    first.jsonl      what the first version is trained on
    held_out.jsonl   the fixed questions that every version is judged by (the regression set)
    questions.jsonl  what the simulated users ask, with the right answers, so that a model's answers can be recorded

One question is asked about each sheet, in the reasoning modes by turns; an agent's makes two rows, the call and the
answer after it. No two parts share a sheet. A row's group is its sheet's title, its tag the topic.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import BadInput
from jobs.files import write_text
from recipes.assistant.questions import MODES, Question, ask, with_result
from recipes.assistant.sheets import TOPICS, make_sheet
from recipes.assistant.tools import native

FOLDER = Path(__file__).parent
SPECS = ("data.yaml", "questions.yaml", "chats.yaml")


@dataclass(frozen=True)
class Part:
    """A stretch of sheet numbers. A multiple of six begins with the first topic and the first mode."""

    file: str
    first_sheet: int
    most: int


FIRST = Part("first.jsonl", 0, 8000)
HELD_OUT = Part("held_out.jsonl", 9000, 3000)
QUESTIONS = Part("questions.jsonl", 12_000, 9000)
# What is asked by people who want the next version to be wrong: sheets of their own.
ATTACK = Part("attack.jsonl", 21_000, 9000)


def questions_of(part: Part, sheets: int, seed: int, skip: int = 0) -> Iterator[Question]:
    """A question about each of `sheets` sheets, from sheet `skip` of the part on; the modes take turns.

    An agent's question comes twice, before and after the tool was called. Raises BadInput for more sheets than the part
    has, or none.
    """
    if sheets < 1 or skip + sheets > part.most:
        raise BadInput(
            f"{sheets} sheets from number {skip} on were asked for.",
            f"{part.file} is made of 1 to {part.most} sheets.",
            "Ask for another number.",
        )
    for number in range(part.first_sheet + skip, part.first_sheet + skip + sheets):
        mode = MODES[number // len(TOPICS) % len(MODES)]
        question = ask(make_sheet(number, seed), mode, random.Random(f"{seed} questions {number}"))
        yield question
        if mode == "agent":
            yield with_result(question)


def row_of(question: Question) -> dict[str, Any]:
    """A question with its right answer."""
    return {
        "messages": [*question.messages(), {"role": "assistant", "content": question.right()}],
        "tag": question.sheet.topic.name,
        "group": question.sheet.title,
        "mode": question.mode,
    }


def generate(
    out: Path, sheets: int, seed: int, held_out: int, asked: int = 0, *, native_tools: bool = False
) -> dict[str, int]:
    """Write the files of all parts with rows of so many sheets, and the specs; how many rows each file has.

    `native_tools` writes calls as `tool_calls`, for models whose template knows tools. Raises BadInput; then nothing is
    written.
    """
    wanted = [(FIRST, sheets), (HELD_OUT, held_out), *([(QUESTIONS, asked)] if asked else [])]
    files = {part.file: [row_of(each) for each in questions_of(part, count, seed)] for part, count in wanted}
    for file, rows in files.items():
        write_rows(out / file, [{**row, **native(row["messages"])} for row in rows] if native_tools else rows)
    for name in SPECS:
        write_text(out / name, (FOLDER / name).read_text(encoding="utf-8"))
    return {file: len(rows) for file, rows in files.items()}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Write the assistant's rows, one JSONL file per part.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--sheets", type=int, default=30, help="sheets that the first version learns from")
    parser.add_argument("--held-out", type=int, default=100, help="sheets that every version is judged by")
    parser.add_argument("--asked", type=int, default=150, help="sheets that the simulated users ask about")
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same bytes")
    parser.add_argument("--native-tools", action="store_true", help="write calls as tool_calls")
    chosen = parser.parse_args()
    try:
        counts = generate(
            chosen.out, chosen.sheets, chosen.seed, chosen.held_out, chosen.asked, native_tools=chosen.native_tools
        )
    except BadInput as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
