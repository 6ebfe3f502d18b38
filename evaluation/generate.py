"""Answers: many prompts in batches, or one prompt token by token for a chat."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluation.decoding import Row, Sampling, decode
from evaluation.models_own import decode_by_model, needs_own_loop

if TYPE_CHECKING:
    from models.load import LoadedModel

Message = dict[str, Any]
Tools = list[dict[str, Any]] | None


@dataclass(frozen=True)
class Generation:
    """One answer. `token_ids` and `text` are without the stop token; `seconds` is its share of its batch's time;
    `ended`: the model stopped by itself rather than at the limit."""

    text: str
    token_ids: list[int]
    prompt_tokens: int
    seconds: float
    ended: bool


def generate(
    loaded: LoadedModel,
    prompts: Sequence[list[Message]],
    *,
    max_new_tokens: int,
    batch_size: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    tools: Sequence[Tools] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> list[Generation]:
    """An answer to each prompt (a list of messages), in the order given. Temperature 0 is greedy.

    `on_progress` gets the number of answers so far after each batch; what it raises ends the work.
    """
    results: dict[int, Generation] = {}
    sampling = Sampling(temperature, top_p, seed)
    for batch in generate_batches(
        loaded, prompts, max_new_tokens=max_new_tokens, batch_size=batch_size, sampling=sampling, tools=tools
    ):
        results.update(batch)
        if on_progress is not None:
            on_progress(len(results))
    return [results[index] for index in range(len(prompts))]


def generate_batches(
    loaded: LoadedModel,
    prompts: Sequence[list[Message]],
    *,
    max_new_tokens: int,
    batch_size: int,
    sampling: Sampling,
    tools: Sequence[Tools] | None = None,
    known: Container[int] = (),
) -> Iterator[dict[int, Generation]]:
    """Answers by the prompts' places, a batch at a time.

    Prompts are batched by length, the longest first (what does not fit into memory fails at once). Which prompts share
    a batch never depends on `known`, the places that need no answer any more: a batch of these alone is passed over,
    so that work taken up again gives the same answers.
    """
    offered = tools if tools is not None else [None] * len(prompts)
    encoded = [loaded.tokenizer.encode_prompt(prompt, tool) for prompt, tool in zip(prompts, offered, strict=True)]
    order = sorted(range(len(encoded)), key=lambda index: -len(encoded[index]))
    stops = frozenset(loaded.tokenizer.stop_ids)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        if all(place in known for place in batch):
            continue
        rows = [Row(encoded[place], stops, number=place) for place in batch]
        write = decode_by_model if needs_own_loop() else decode
        times = write(loaded, rows, max_new_tokens=max_new_tokens, sampling=sampling)
        share = times.whole / len(rows)
        yield {place: _generation(loaded, row, share) for place, row in zip(batch, rows, strict=True)}


def _generation(loaded: LoadedModel, row: Row, seconds: float) -> Generation:
    return Generation(loaded.tokenizer.decode(row.answer), row.answer, len(row.prompt), seconds, row.ended)


def first_token_seconds(loaded: LoadedModel, prompt: list[Message], tools: Tools = None) -> float:
    """How long this prompt alone takes until the first token of its answer, in seconds."""
    row = Row(loaded.tokenizer.encode_prompt(prompt, tools), frozenset())
    return decode(loaded, [row], max_new_tokens=1, sampling=Sampling()).first_token
