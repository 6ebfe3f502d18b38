"""Rows that are answered together on one loaded model: new ones join between two tokens, done ones leave.

Prompts are padded on the left; a row that joins is read by itself and its keys and values are put beside the others'.
Rows may name the adapter they are computed with (PEFT's mixed batches).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evaluation.decoding import Sampling, answering_as, choose
from evaluation.growing_cache import GrowingLayer, growing_cache
from models.attention import use_quickest_attention

if TYPE_CHECKING:
    from models.load import LoadedModel

# Room is made for so many tokens at a time, and given back when so many at the left are nobody's any more.
ROOM_TOKENS = 128


@dataclass(eq=False)
class Row:
    """One answer that is being written. `adapter`: PEFT's name of it, None for the base as it stands."""

    prompt: Sequence[int]
    adapter: str | None
    sampling: Sampling
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    drawing: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.drawing = random.Random(str(self.sampling.seed))

    @property
    def confidence(self) -> float:
        """The geometric mean of its tokens' probabilities, 0 to 1."""
        return math.exp(self.log_probability / len(self.tokens)) if self.tokens else 0.0


class Batch:
    """The rows of one load. Used by one thread."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self.rows: list[Row] = []
        self._cache: Any = None
        self._mask: Any = None

    def can_join(self) -> bool:
        """Whether rows can join now: always while it is empty, else where all of its cache can be put side by side."""
        return not self.rows or all(type(layer) is GrowingLayer for layer in self._cache.layers)

    def join(self, rows: Sequence[Row]) -> None:
        """Read the prompts of `rows`, write the first token of each, and go on with them beside the others."""
        import torch

        width = max(len(row.prompt) for row in rows)
        capacity = _rounded(width)
        ids = torch.full((len(rows), width), self._loaded.tokenizer.pad_id)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, width - len(row.prompt) :] = torch.tensor(list(row.prompt))
            mask[place, width - len(row.prompt) :] = 1
        cache: Any = growing_cache(self._loaded.model.config, capacity)
        ids, mask = ids.to(self._loaded.device), mask.to(self._loaded.device)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        self._write(rows, self._forward(rows, ids, mask, positions, cache))
        self._put_beside(rows, mask, cache)

    def step(self) -> None:
        """Write one more token of every row."""
        import torch

        self._make_room()
        ids = torch.tensor([[row.tokens[-1]] for row in self.rows], device=self._loaded.device)
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(self.rows), 1))], dim=1)
        positions = self._mask.sum(dim=1, keepdim=True) - 1
        self._write(self.rows, self._forward(self.rows, ids, self._mask, positions, self._cache))

    def leave(self, gone: Sequence[Row]) -> None:
        """Drop these rows."""
        import torch

        kept = [place for place, row in enumerate(self.rows) if row not in gone]
        if len(kept) == len(self.rows):
            return
        self.rows = [self.rows[place] for place in kept]
        if not kept:
            self._cache = self._mask = None
            return
        places = torch.tensor(kept, device=self._loaded.device)
        self._cache.reorder_cache(places)
        self._mask = self._mask[places]

    def _forward(self, rows: Sequence[Row], ids: Any, mask: Any, positions: Any, cache: Any) -> Any:
        """Logits of the next token of each row: (rows, words)."""
        import torch

        use_quickest_attention(self._loaded.model, mask.shape[1])
        adapters = [row.adapter for row in rows]
        mixed = {"adapter_names": adapters} if len(set(adapters)) > 1 else {}
        with torch.inference_mode(), answering_as(self._loaded, None if mixed else adapters[0]):
            output = self._loaded.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                **mixed,
            )
        return output.logits[:, -1]

    def _write(self, rows: Sequence[Row], logits: Any) -> None:
        import torch

        with torch.inference_mode():
            likeliest = logits.argmax(dim=-1).tolist()
            tokens = [
                likeliest[place]
                if row.sampling.temperature == 0
                else choose(logits[place][None], row.sampling, [row.drawing])[0]
                for place, row in enumerate(rows)
            ]
            chosen = logits.gather(1, torch.tensor(tokens, device=logits.device)[:, None])[:, 0].float()
            logs = (chosen - logits.float().logsumexp(dim=-1)).tolist()
        for row, token, log in zip(rows, tokens, logs, strict=True):
            row.tokens.append(token)
            row.log_probability += log

    def _put_beside(self, rows: Sequence[Row], mask: Any, cache: Any) -> None:
        import torch

        if not self.rows:
            self.rows, self._mask, self._cache = list(rows), mask, cache
            return
        width = max(self._mask.shape[1], mask.shape[1])
        with torch.inference_mode():
            for mine, theirs in zip(self._cache.layers, cache.layers, strict=True):
                mine.join(theirs, _rounded(width))
            self._mask = torch.cat([_padded(self._mask, width), _padded(mask, width)])
        self.rows = [*self.rows, *rows]

    def _make_room(self) -> None:
        """Grow the cache where the next token has no place; forget columns at the left that are padding for all."""
        import torch

        if not all(type(layer) is GrowingLayer for layer in self._cache.layers):
            return
        width = self._mask.shape[1]
        empty = int((self._mask.sum(dim=0) == 0).long().cumprod(dim=0).sum())
        full = width >= self._cache.layers[0].capacity
        if not full and empty < ROOM_TOKENS:
            return
        with torch.inference_mode():
            for layer in self._cache.layers:
                layer.move(empty, _rounded(width - empty))
        self._mask = self._mask[:, empty:]


def _rounded(tokens: int) -> int:
    """Room for that many tokens and at least one more."""
    return (tokens // ROOM_TOKENS + 1) * ROOM_TOKENS


def _padded(mask: Any, width: int) -> Any:
    import torch

    return torch.nn.functional.pad(mask, (width - mask.shape[1], 0))
