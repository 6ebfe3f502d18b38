"""Simulated users of a running server: they chat over HTTP, and rate and correct what they get as any client would.

    python -m recipes.assistant.live http://127.0.0.1:8000/v1 --sheets 50 --model auto
    python -m recipes.assistant.live http://127.0.0.1:8000/v1 --sheets 50 --crowd attackers

The server has to keep chats (`logging: {chats: true}`); a key, if it asks for one, stands in HEARTH_KEY.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from dataclasses import asdict
from typing import Any

import httpx

from datasets_src.interactions import THUMB_UP
from jobs.errors import BadInput, Missing
from recipes.assistant.people import ATTACKERS, HONEST, Crowd, Opinion
from recipes.assistant.simulate import ANSWERS_AT_ONCE, LONGEST_ANSWER, Feedback, Turn, after_call, openings

KEY = "HEARTH_KEY"
SECONDS = 300.0
CROWDS = {"honest": HONEST, "attackers": ATTACKERS}


def use_server(
    address: str,
    crowd: Crowd,
    sheets: int,
    *,
    model: str = "auto",
    key: str | None = None,
    seed: int = 0,
    skip: int = 0,
) -> Feedback:
    """Let a crowd ask the server at `address` (up to its /v1) about `sheets` of its sheets, and say what it thinks.

    Raises Missing where no server answers, BadInput where it refuses a question.
    """
    turns = openings(crowd, sheets, seed, skip)
    try:
        given = asyncio.run(_use_all(address.rstrip("/"), crowd, turns, model, key, seed))
    except httpx.TransportError as error:
        raise Missing(
            f"No server answers at {address}.", str(error) or type(error).__name__, "Start one: python cli.py serve"
        ) from error
    return Feedback(
        len(given),
        sum(each.rating is not None and each.rating >= 4 for each in given),
        sum(each.rating is not None and each.rating < 4 for each in given),
        sum(each.edit is not None for each in given),
    )


async def _use_all(
    address: str, crowd: Crowd, turns: list[Turn], model: str, key: str | None, seed: int
) -> list[Opinion]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    place = asyncio.Semaphore(ANSWERS_AT_ONCE)
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=SECONDS) as client:

        async def one(number: int, turn: Turn) -> list[Opinion]:
            async with place:
                return await _talk(client, crowd, turn, model, random.Random(f"{seed} {crowd.name} {number}"))

        talks = await asyncio.gather(*(one(number, turn) for number, turn in enumerate(turns)))
    return [opinion for talk in talks for opinion in talk]


async def _talk(
    client: httpx.AsyncClient, crowd: Crowd, turn: Turn | None, model: str, draw: random.Random
) -> list[Opinion]:
    """One question to its end: for an agent's the tool's answer and the turn after it as well."""
    opinions = []
    while turn is not None:
        answer = await _post(client, "/chat/completions", _request(turn, model))
        said = str(answer["choices"][0]["message"].get("content") or "")
        opinion = crowd.opinion(turn.question, said, draw)
        if opinion != Opinion():
            await _post(client, "/feedback", _feedback(str(answer["id"]), opinion))
        opinions.append(opinion)
        turn = after_call(turn, said)
    return opinions


def _request(turn: Turn, model: str) -> dict[str, Any]:
    asked = {
        "tag": turn.question.sheet.topic.name,
        "reasoning_mode": turn.question.mode,
        "conversation": turn.conversation,
    }
    return {
        "model": model,
        "messages": turn.messages,
        "temperature": 0,
        "max_tokens": LONGEST_ANSWER,
        "user": turn.account,
        "metadata": asked,
    }


def _feedback(answer: str, opinion: Opinion) -> dict[str, Any]:
    given = {name: value for name, value in asdict(opinion).items() if value is not None}
    success = {"success": opinion.rating >= THUMB_UP} if opinion.rating is not None else {}
    return {"id": answer, **given, **success}


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    if answer.is_error:
        raise BadInput(
            f"The server answered {path} with status {answer.status_code}.",
            answer.text[:300],
            f"Look at the server's log; a key, if it asks for one, stands in {KEY}.",
        )
    return dict(answer.json())


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Simulated users of a running server.")
    parser.add_argument("address", help="of the server, as in http://127.0.0.1:8000/v1")
    parser.add_argument("--sheets", type=int, default=50, help="how many sheets they ask about")
    parser.add_argument("--skip", type=int, default=0, help="begin with a later sheet, to ask something new")
    parser.add_argument("--model", default="auto", help="which of the server's models they ask")
    parser.add_argument("--crowd", choices=sorted(CROWDS), default="honest")
    chosen = parser.parse_args()
    try:
        found = use_server(
            chosen.address,
            CROWDS[chosen.crowd],
            chosen.sheets,
            model=chosen.model,
            key=os.environ.get(KEY),
            skip=chosen.skip,
        )
    except (BadInput, Missing) as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps(asdict(found), indent=1))


if __name__ == "__main__":
    main()
