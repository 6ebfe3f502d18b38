"""How well a model advises in the flight-combat game: the rule book's move, in an answer of the asked form.

Beside the move stand the form (JSON that follows the schema), its fields, how near shaping_delta is, and doctrine: an
advice that breaks none of the rule book's laws, whether or not it is the very move.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from evaluation.metrics.structured import json_fields, json_in, json_valid
from evaluation.tasks import Choose, PlayOptions, Row, TaskItem, items_from_conversations
from jobs.errors import BadInput
from recipes.tactical.answers import ANSWER_SCHEMA, LARGEST_DELTA, NO_MOVE, move_in
from recipes.tactical.doctrine import doctrine
from recipes.tactical.engagement import Moment
from recipes.tactical.flights import at_random, by_the_book, fly
from recipes.tactical.state import DOMAINS, Domain

NAME = "Tactical guidance"
DESCRIPTION = (
    "What to do in a moment of a flight-combat game, as JSON. Right is an answer that follows the schema and "
    "recommends the rule book's move."
)
METRIC = "accuracy"
LENIENT_METRIC = "lenient"


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 (the references alone need all rows)
    """One item per question with an answer in JSON; moments in several turns teach, they are not asked about.

    Raises BadInput for a row that isn't of this recipe.
    """
    found = []
    for item in items_from_conversations(rows):
        if item.extra.get("stage"):
            continue
        expected = json_in(item.reference)
        if item.tag not in DOMAINS or not isinstance(expected, dict) or "recommendation" not in expected:
            raise BadInput(
                f"The row '{item.id}' is not a moment of the flight-combat game.",
                f"It needs one of the tags {', '.join(DOMAINS)}, and an answer in JSON with a recommendation.",
                "Choose a dataset of recipes.tactical.generate, or chats of recipes.tactical.feedback.",
            )
        found.append(replace(item, extra={**item.extra, "schema": ANSWER_SCHEMA}))
    return found


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """`accuracy`: follows the schema and recommends the rule book's move; `lenient`: that is the first move named
    anywhere; `json_valid`, `json_fields`: form and fields; `delta_closeness`: 1 for the very shaping_delta, 0 for the
    other end of its range; `doctrine`: the first move named breaks no law."""
    expected = json_in(item.reference)
    valid = json_valid(answer, item)
    given = json_in(answer)
    named = move_in(answer, doctrine(_domain(item)).options)
    return {
        "accuracy": float(valid == 1 and given["recommendation"] == expected["recommendation"]),
        "lenient": float(named == expected["recommendation"]),
        "json_valid": valid,
        "json_fields": json_fields(answer, item),
        "delta_closeness": _closeness(given, expected["shaping_delta"]),
        "doctrine": float(named is not None and is_lawful(named, item)),
    }


def is_lawful(recommendation: str, item: TaskItem) -> bool:
    """Whether a recommendation breaks no law in the item's moment. Of a logged chat the moment's numbers aren't known:
    there nothing but the expected move is known to be lawful."""
    scenario = item.extra.get("scenario")
    if scenario is None:
        return recommendation == _expected(item)
    return not doctrine(_domain(item)).broken_laws(scenario, recommendation)


def _domain(item: TaskItem) -> Domain:
    return next(domain for domain in DOMAINS if domain == item.tag)


def _closeness(given: Any, expected: float) -> float:
    delta = given.get("shaping_delta") if isinstance(given, dict) else None
    if isinstance(delta, bool) or not isinstance(delta, int | float):
        return 0.0
    return max(0.0, 1 - abs(delta - expected) / (2 * LARGEST_DELTA))


def references(items: list[TaskItem], all_rows: list[Row], seed: int) -> dict[str, list[float]]:
    """Accuracy per item of a random move of its domain, and of the domain's commonest move."""
    moves = moves_by_domain(all_rows)
    commonest = {domain: counted.most_common(1)[0][0] for domain, counted in moves.items()}
    return {
        "random move": [float(_random_move(item, seed) == _expected(item)) for item in items],
        "commonest move": [float(commonest[item.tag] == _expected(item)) for item in items],
    }


def moves_by_domain(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """How often each move is recommended in each domain."""
    moves: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items(list(rows), []):
        moves[item.tag][_expected(item)] += 1
    return moves


def _expected(item: TaskItem) -> str:
    return str(json_in(item.reference)["recommendation"])


def _random_move(item: TaskItem, seed: int) -> str:
    return random.Random(f"{seed} {item.id}").choice(doctrine(_domain(item)).options)


def play(choose: Choose, options: PlayOptions) -> list[dict[str, Any]]:
    """Whole fights, begun in each domain in turn, flown by the model; a turn is one advice."""

    def model(moments: list[Moment]) -> list[str]:
        answers = choose([doctrine(now.domain).messages(now.scenario)[:-1] for now in moments])
        return [
            move_in(answer, doctrine(now.domain).options) or NO_MOVE
            for answer, now in zip(answers, moments, strict=True)
        ]

    return [flight.as_row() for flight in fly(model, options.games, options.max_steps, options.seed)]


def reference_games(options: PlayOptions) -> dict[str, list[dict[str, Any]]]:
    """The same fights flown by the rule book, and by random moves."""
    pilots = {"rule book": by_the_book, "random move": at_random(options.seed)}
    return {
        name: [flight.as_row() for flight in fly(pilot, options.games, options.max_steps, options.seed)]
        for name, pilot in pilots.items()
    }
