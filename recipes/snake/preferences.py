"""Snake moves as preference pairs: the teacher's move is chosen, another one is rejected.

    python cli.py demo                                    builds the dataset `snake`
    python -m recipes.snake.preferences --dataset snake   writes pairs and builds the dataset `snake-pairs`
    python cli.py train recipes/snake/dpo.yaml --model job:ID   goes on from the trained player

The pairs are made of a built dataset's rows, part by part, so that no held-out prompt is trained on. Rejected is a
safe move that the teacher did not make where there is one, else one that runs into something: the first kind tells the
teachers apart, the second tells life from death.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

from datasets_src.build import build
from datasets_src.rows import Part
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion, open_version
from jobs.files import write_text
from jobs.workspace import Workspace
from recipes.snake.game import MOVES
from recipes.snake.prompt import PATTERN

NAME = "snake-pairs"


def pair_of(row: dict[str, Any], seed: int) -> dict[str, Any]:
    """A row of the Snake dataset as a preference. The same rejected move for the same row and seed."""
    *prompt, answer = row["messages"]
    move = answer["content"]
    found = PATTERN.search(prompt[-1]["content"])
    safe = found["safe"].split(", ") if found else []
    others = [each for each in MOVES if each != move]
    likely = [each for each in others if each in safe] or others
    rejected = random.Random(f"{seed} {prompt[-1]['content']} {move}").choice(likely)
    return {
        "prompt": prompt,
        "chosen": [answer],
        "rejected": [{"role": "assistant", "content": rejected}],
        "group": row.get("group") or prompt[-1]["content"],
    }


def write_pairs(workspace: Workspace, version: DatasetVersion, seed: int = 0) -> DatasetSpec:
    """Write the pairs of `version`'s rows beside the teachers' files; returns the spec that builds them."""
    folder = workspace.uploads / "snake"
    sources = []
    parts: dict[Part, list[dict[str, Any]]] = {"train": version.train(), "eval": version.eval()}
    for part, rows in parts.items():
        path = folder / f"pairs-{part}.jsonl"
        lines = [json.dumps(pair_of(row, seed), ensure_ascii=False) + "\n" for row in rows]
        write_text(path, "".join(lines))
        sources.append({"path": str(path), "part": part})
    return DatasetSpec.parse({"name": NAME, "sources": sources, "near_duplicates": None})


def main() -> None:
    """Write and build the pairs of a dataset in a workspace."""
    parser = argparse.ArgumentParser(description="Preference pairs of Snake moves.")
    parser.add_argument("--dataset", default="snake", help="a built dataset of Snake rows")
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    options = parser.parse_args()
    workspace = Workspace(options.workspace)
    version = build(write_pairs(workspace, open_version(workspace, options.dataset)), workspace)
    print(f"{version.id}: {version.train_rows} pairs to train on, {version.eval_rows} held out")


if __name__ == "__main__":
    main()
