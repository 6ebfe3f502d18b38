"""Advice given to the simulator becomes interactions: what a loop retrains from while the simulator goes on.

    python -m recipes.tactical.feedback --model http://127.0.0.1:8000/v1#auto --fights 20

Each advice is kept with a rating and, where it was wrong, with what it should have been: here the rule book says so; a
trained agent's returns, or people, would in its place.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets_src.interactions import Interaction, Interactions
from datasets_src.interactions.records import BEST, WORST
from evaluation.metrics.structured import json_in
from jobs.errors import UserError
from jobs.workspace import Workspace
from models.endpoints.client import ChatOptions
from models.endpoints.opening import open_client
from models.reference import ModelRef
from recipes.tactical.answers import NO_MOVE, move_in
from recipes.tactical.doctrine import doctrine
from recipes.tactical.engagement import Moment
from recipes.tactical.flights import fly

Advise = Callable[[list[list[dict[str, Any]]]], list[str]]
USER = "simulator"
ANSWER_TOKENS = 64
ANSWERS_AT_ONCE = 8


def log_fights(workspace: Workspace, advise: Advise, model: str, fights: int, turns: int, seed: int) -> int:
    """Let `advise` (prompts in, answers out) fly so many fights and log its every advice; how many there were."""
    store = Interactions(workspace)
    logged = 0

    def pilot(moments: list[Moment]) -> list[str]:
        nonlocal logged
        conversations = [doctrine(moment.domain).messages(moment.scenario) for moment in moments]
        answers = advise([conversation[:-1] for conversation in conversations])
        moves = []
        for moment, conversation, answer in zip(moments, conversations, answers, strict=True):
            store.record(_interaction(moment, conversation, answer, model), user=USER)
            moves.append(move_in(answer, doctrine(moment.domain).options) or NO_MOVE)
        logged += len(moments)
        return moves

    fly(pilot, fights, turns, seed)
    return logged


def _interaction(moment: Moment, conversation: list[dict[str, str]], answer: str, model: str) -> Interaction:
    """An advice with its rating; a wrong one also with the rule book's answer."""
    *prompt, right = conversation
    is_right = json_in(answer) == json_in(right["content"])
    return Interaction(
        prompt=list(prompt),
        answer=answer,
        model=model,
        tag=moment.domain,
        rating=BEST if is_right else WORST,
        edit=None if is_right else right["content"],
    )


def served(model: str, key_variable: str | None = None) -> Advise:
    """Advice of a served model: `https://host/v1#name`, `ollama:name` or a .gguf file."""
    ref = ModelRef.parse(model)
    return lambda prompts: asyncio.run(_ask_all(ref, prompts, key_variable))


async def _ask_all(ref: ModelRef, prompts: list[list[dict[str, Any]]], key_variable: str | None) -> list[str]:
    options = ChatOptions(temperature=0, max_tokens=ANSWER_TOKENS)
    turn = asyncio.Semaphore(ANSWERS_AT_ONCE)
    async with open_client(ref, key_variable=key_variable, context_length=1024, slots=ANSWERS_AT_ONCE) as client:

        async def one(prompt: list[dict[str, Any]]) -> str:
            async with turn:
                return (await client.complete(prompt, options)).text

        return list(await asyncio.gather(*(one(prompt) for prompt in prompts)))


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Let a served model advise the simulator, and log its advice.")
    parser.add_argument("--model", required=True, help="such as http://127.0.0.1:8000/v1#auto")
    parser.add_argument("--key-variable", help="the NAME of the environment variable with the server's key")
    parser.add_argument("--fights", type=int, default=20)
    parser.add_argument("--turns", type=int, default=8, help="the most advice in one fight")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    options = parser.parse_args()
    try:
        advise = served(options.model, options.key_variable)
        name = ModelRef.parse(options.model).short
        logged = log_fights(
            Workspace(options.workspace), advise, name, options.fights, options.turns, seed=options.seed
        )
    except UserError as error:
        parser.exit(2, f"{error}\n")
    print(f"{logged} pieces of advice were logged with ratings.")


if __name__ == "__main__":
    main()
