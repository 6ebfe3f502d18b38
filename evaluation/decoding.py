"""Answers to a batch of prompts, a token of each at a time; rows that are done leave the batch.

A prompt is padded on the left and keeps its own positions. Rows may name the adapter they are computed with (PEFT's
mixed batches: https://huggingface.co/docs/peft/developer_guides/lora), so that several adapters of one base answer
together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.attention import use_quickest_attention

if TYPE_CHECKING:
    from models.load import LoadedModel

BASE = "__base__"


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: temperature 0 takes the likeliest, else one is drawn (`top_p`: Holtzman et al.
    2020). Each row draws from numbers of its own, so that what stands beside it in a batch doesn't matter."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass
class Row:
    """One prompt and its answer so far. `number` fixes what is drawn for it; `adapter`: PEFT's name, `__base__` for
    none, where a batch mixes them."""

    prompt: Sequence[int]
    stops: frozenset[int]
    number: int = 0
    adapter: str | None = None
    answer: list[int] = field(default_factory=list)
    ended: bool = False


@dataclass(frozen=True)
class Times:
    """Seconds of a batch: until every row had its first token, and in all."""

    first_token: float
    whole: float


def decode(loaded: LoadedModel, rows: Sequence[Row], *, max_new_tokens: int, sampling: Sampling) -> Times:
    """Write the rows' answers (without their stop tokens) into them."""
    import torch

    started = time.perf_counter()
    first = 0.0
    drawing = [random.Random(f"{sampling.seed} {row.number}") for row in rows]
    running = list(range(len(rows)))
    with torch.inference_mode():
        step = Step(loaded, [row.prompt for row in rows], max_new_tokens)
        while running:
            logits = step.forward([rows[index].adapter for index in running])
            tokens = choose(logits, sampling, [drawing[index] for index in running])
            first = first or time.perf_counter() - started
            places = [
                place for place, index in enumerate(running) if _goes_on(rows[index], tokens[place], max_new_tokens)
            ]
            running = [running[place] for place in places]
            if running:
                step.keep(places, [tokens[place] for place in places])
    return Times(first, time.perf_counter() - started)


def _goes_on(row: Row, token: int, max_new_tokens: int) -> bool:
    """Take the next token of a row; False when its answer is complete."""
    if token in row.stops:
        row.ended = True
        return False
    row.answer.append(token)
    return len(row.answer) < max_new_tokens


def choose(logits: Any, sampling: Sampling, drawing: Sequence[random.Random]) -> list[int]:
    """A token for each row of logits (rows, words)."""
    import torch

    if sampling.temperature == 0:
        return [int(token) for token in logits.argmax(dim=-1).tolist()]
    chances = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    order = None
    if sampling.top_p < 1:
        chances, order = chances.sort(dim=-1, descending=True)
        chances = chances.masked_fill(chances.cumsum(dim=-1) - chances >= sampling.top_p, 0.0)
    reached = chances.cumsum(dim=-1, dtype=torch.float64)
    drawn = torch.tensor([[each.random()] for each in drawing], dtype=torch.float64, device=reached.device)
    places = torch.searchsorted(reached, drawn * reached[:, -1:], right=True).clamp(max=reached.shape[-1] - 1)
    return [int(token) for token in (places if order is None else order.gather(1, places)).flatten().tolist()]


class Step:
    """The state between two tokens: what each row is given next, its mask, and the keys and values so far."""

    def __init__(self, loaded: LoadedModel, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> None:
        import torch

        from evaluation.growing_cache import growing_cache

        width = max(len(prompt) for prompt in prompts)
        use_quickest_attention(loaded.model, width + max_new_tokens)
        self._loaded = loaded
        self._cache: Any = growing_cache(loaded.model.config, width + max_new_tokens)
        ids = torch.full((len(prompts), width), loaded.tokenizer.pad_id)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for place, prompt in enumerate(prompts):
            ids[place, width - len(prompt) :] = torch.tensor(prompt)
            mask[place, width - len(prompt) :] = 1
        self._ids, self._mask = ids.to(loaded.device), mask.to(loaded.device)
        self._positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)

    def forward(self, adapters: list[str | None]) -> Any:
        """Logits of each row's next token: (rows, words), on the model's device."""
        named = set(adapters)
        mixed = {"adapter_names": adapters} if len(named) > 1 else {}
        with answering_as(self._loaded, named.pop() if len(named) == 1 else None):
            output = self._loaded.model(
                input_ids=self._ids,
                attention_mask=self._mask,
                position_ids=self._positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
                **mixed,
            )
        return output.logits[:, -1]

    def keep(self, places: list[int], tokens: list[int]) -> None:
        """Go on with these rows, and with the token that each was given."""
        import torch

        device = self._loaded.device
        if len(places) < len(self._mask):
            kept = torch.tensor(places, device=device)
            self._cache.reorder_cache(kept)
            self._mask, self._positions = self._mask[kept], self._positions[kept]
        self._ids = torch.tensor([[token] for token in tokens], device=device)
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(places), 1))], dim=1)
        self._positions = self._positions[:, -1:] + 1


def answering_as(loaded: LoadedModel, adapter: str | None) -> AbstractContextManager[Any]:
    """Inside, the model answers with that adapter alone; as it stands where none is named."""
    if adapter is None or not loaded.has_adapter:
        return nullcontext()
    if adapter == BASE:
        return loaded.base_only()
    loaded.model.set_adapter(adapter)
    return nullcontext()
