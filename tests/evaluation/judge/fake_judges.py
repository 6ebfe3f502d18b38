"""Fake judges behind a real chat endpoint, and answers whose quality they can read: "… (quality 7)"."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

from datasets_src.interactions import Interactions, Vote
from evaluation.store import FILE, ItemScore, save_scores
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

QUALITY = re.compile(r"\(quality (\d+)\)")
Behave = Callable[[Asked], Reply]


def answer(number: int, quality: int) -> str:
    return f"Ball {number} has a colour (quality {quality})"


def _qualities(asked: Asked) -> tuple[int, int]:
    shown = [re.search(rf"<answer_{place}>\n(.*?)\n</answer_{place}>", asked.prompt, re.DOTALL) for place in (1, 2)]
    first, second = (int(QUALITY.search(found[1])[1]) for found in shown if found)  # type: ignore[index]
    return first, second


def _says(better: str) -> Reply:
    return Reply(json.dumps({"reason": "Because.", "better": better}))


def good(asked: Asked) -> Reply:
    """Prefers the better answer; equal ones are a tie."""
    first, second = _qualities(asked)
    return _says("tie" if first == second else "1" if first > second else "2")


def contrary(asked: Asked) -> Reply:
    """Prefers the worse answer, in whichever order."""
    first, second = _qualities(asked)
    return _says("1" if first < second else "2")


def biased(_asked: Asked) -> Reply:
    """Prefers what stands first."""
    return _says("1")


def leaning(asked: Asked) -> Reply:
    """Good where the difference is large, else in favour of what stands second."""
    first, second = _qualities(asked)
    return good(asked) if abs(first - second) > 4 else _says("2")


def nonsense(_asked: Asked) -> Reply:
    """Says something else."""
    return Reply(random.choice(["The sky is lovely today.", '{"weather": "fine"}', '{"better": "blue"}', ""]))


def coin(asked: Asked) -> Reply:
    """Prefers one of the two by chance, the same for the same prompt."""
    return _says(random.Random(asked.prompt).choice("12"))


def scoring(asked: Asked) -> Reply:
    """A rubric's scores: half the quality by each criterion."""
    (quality,) = (int(found) for found in QUALITY.findall(asked.prompt))
    names = re.findall(r"\((\w+)\)$", asked.prompt.split("<question>")[0], re.MULTILINE)
    return Reply("Here you are:\n```json\n" + json.dumps(dict.fromkeys(names, f"{max(1, quality // 2)}/5")) + "\n```")


def judge_at(server: FakeChatServer, **options: Any) -> dict[str, Any]:
    """A judge's spec."""
    return {"model": f"{server.address}/v1#judge", "concurrency": 12, **options}


def vote_on(workspace: Workspace, count: int = 24) -> None:
    """Votes of somebody who always prefers the better answer, a tie among them now and then."""
    store = Interactions(workspace)
    for number in range(count):
        draw = random.Random(number)
        a, b = draw.randrange(10), draw.randrange(10)
        store.vote(
            Vote(
                prompt=[{"role": "user", "content": f"What is the colour of ball {number}?"}],
                answer_a=answer(number, a),
                answer_b=answer(number, b) + "!",
                preferred="tie" if a == b else "a" if a > b else "b",
                model_a="one",
                model_b="two",
            )
        )


def evaluated(workspace: Workspace, qualities: dict[str, Callable[[int], int]], items: int = 32) -> str:
    """A finished evaluation whose models answered so well; `job:ID`."""
    path = workspace.new_job_path("evaluate")
    JobDirectory.create(path, kind="evaluate", title="balls", spec={}, resource=None)
    rows = [
        ItemScore(
            model=model,
            kind="model",
            item=f"{number:03d}",
            group=f"pair {number // 2}",
            tag="",
            prompt=f"What is the colour of ball {number}?",
            reference="red",
            answer=answer(number, quality(number)) + f" says {model}",
            scores={"exact_match": 0.0},
        )
        for model, quality in qualities.items()
        for number in range(items)
    ]
    save_scores(path / FILE, rows)
    return f"job:{path.name}"
