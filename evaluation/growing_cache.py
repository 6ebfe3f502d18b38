"""Keys and values of a batch that is being answered, kept in room made once.

transformers' own cache copies all of them at every token; here each token is written into its place. Layers of other
kinds (sliding windows, states of linear attention) stay transformers' own.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, (rows, heads, tokens, size), in room for `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self._room: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def capacity(self) -> int:
        """How many tokens of a row there is room for."""
        return self._capacity

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Write the new tokens behind the others; returns all of them."""
        if self._room is None:
            self.lazy_initialization(key_states, value_states)
            rows, heads, _, size = key_states.shape
            self._room = (
                key_states.new_empty(rows, heads, self._capacity, size),
                value_states.new_empty(rows, heads, self._capacity, value_states.shape[-1]),
            )
        used = self.get_seq_length()
        end = used + key_states.shape[-2]
        for room, states in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, used:end] = states
        self._show(end)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Any) -> None:
        """Keep these rows alone, in this order."""
        used = self.get_seq_length()
        assert self._room is not None, "rows can only be dropped after the first token"
        keys, values = (room.index_select(0, beam_idx.to(room.device)) for room in self._room)
        self._room = (keys, values)
        self._show(used)

    def join(self, other: GrowingLayer, capacity: int) -> None:
        """Take the rows of `other` as well, in room for `capacity` tokens; the shorter of the two moves to the right.

        The room that this leaves at the left holds zeros: it is masked, but must not hold what is no number.
        """
        mine, theirs = self.get_seq_length(), other.get_seq_length()
        width = max(mine, theirs)
        assert self._room is not None and other._room is not None, "rows can only join after their first token"
        rooms = []
        for own, new in zip(self._room, other._room, strict=True):
            room = own.new_zeros(len(own) + len(new), own.shape[1], capacity, own.shape[3])
            room[: len(own), :, width - mine : width] = own[:, :, :mine]
            room[len(own) :, :, width - theirs : width] = new[:, :, :theirs]
            rooms.append(room)
        self._room, self._capacity = (rooms[0], rooms[1]), capacity
        self._show(width)

    def move(self, drop: int, capacity: int) -> None:
        """Forget the first `drop` tokens of all rows, and have room for `capacity` in all."""
        kept = self.get_seq_length() - drop
        assert self._room is not None
        rooms = []
        for own in self._room:
            room = own.new_empty(len(own), own.shape[1], capacity, own.shape[3])
            room[:, :, :kept] = own[:, :, drop : drop + kept]
            rooms.append(room)
        self._room, self._capacity = (rooms[0], rooms[1]), capacity
        self._show(kept)

    def _show(self, end: int) -> None:
        assert self._room is not None
        self.keys, self.values = (room[:, :, :end] for room in self._room)


def growing_cache(config: Any, capacity: int) -> DynamicCache:
    """An empty cache for a model of that config, for at most `capacity` tokens a row."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer(capacity) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
