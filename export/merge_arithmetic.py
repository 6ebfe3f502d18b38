"""The arithmetic of a merge: a base tensor with an adapter's change, some rows at a time.

Sums and roundings are done in the order in which PEFT's own `merge_and_unload` does them, and the bits are the same (as
tests compare). Up to rank 64 the product B·A is numpy's: importing torch alone takes 270 MB. Longer sums the two add
up in blocks of different sizes, so there it is torch's, and so is the length of rows that DoRA needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from export.adapter import LowRankUpdate, TokenRows
from export.overlap import in_order
from export.tensors import StoredTensor
from jobs.errors import BadInput

_NUMPY_RANK = 64
# Multiplications up to which OpenBLAS takes one core.
_ONE_CORE = 1 << 18
# Numbers worked on at once, whatever the tensor's size: few enough for a core's own cache.
PIECE_ELEMENTS = 1 << 18
# From here on a float32 number is rounded to infinity.
_TOO_LARGE = {"F32": math.inf, "F16": 65520.0, "BF16": (2 - 2**-8) * 2.0**127}


@dataclass(frozen=True)
class Merged:
    """A tensor to write: taken from `source`, with `update` added and `tokens` put in, unless None."""

    name: str
    source: StoredTensor
    dtype: str
    update: LowRankUpdate | None
    tokens: TokenRows | None

    @property
    def as_stored(self) -> bool:
        return self.update is None and self.tokens is None and self.source.dtype == self.dtype


def row_ranges(tensor: StoredTensor, whole: bool = False) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each piece of the tensor."""
    count = tensor.rows if whole else max(1, PIECE_ELEMENTS * tensor.rows // max(1, tensor.elements))
    for first in range(0, tensor.rows, count):
        yield first, min(count, tensor.rows - first)


def merged_pieces(item: Merged) -> Iterator[memoryview]:
    """The tensor in the item's dtype with its change, some rows at a time."""
    update = None if item.update is None else _loaded(item.update)
    # DoRA needs the length of columns where the layer is stored transposed: there only the whole will do.
    whole = update is not None and update.magnitude is not None and update.transposed
    for _, piece in in_order(partial(_merged_rows, item, update), row_ranges(item.source, whole)):
        yield piece


def _merged_rows(item: Merged, update: _LoadedUpdate | None, rows: tuple[int, int]) -> memoryview:
    first, count = rows
    numbers = _rows(item.source, first, count)
    if update is not None:
        numbers = _add(numbers, update, item.dtype, first, count)
    if item.tokens is not None:
        _put_tokens(numbers, item.tokens, first)
    limit = _TOO_LARGE[item.dtype]
    if numbers.size and not (numbers.max() < limit and -numbers.min() < limit):
        raise BadInput(
            f"Merging gives infinite or undefined values in {item.name}.",
            "The adapter holds such values, or they don't fit the base's number format.",
            "Look at the training's loss: a run that ended in NaN can't be exported. Train again from an earlier step.",
        )
    return memoryview(_narrowed(numbers, item.dtype)).cast("B")


@dataclass(frozen=True)
class _LoadedUpdate:
    """A LowRankUpdate's tensors in float32."""

    a: Any
    b: Any
    magnitude: Any | None
    scale: float
    transposed: bool
    embedding: bool

    def delta(self, first: int, count: int) -> Any:
        """scale · B·A for `count` rows of the tensor it is added to."""
        if self.transposed:
            product = _product(self.b, self.a[:, first : first + count]).T
        else:
            product = _product(self.b[first : first + count], self.a)
        product *= product.dtype.type(self.scale)
        return product


def _product(left: Any, right: Any) -> Any:
    """left @ right. In blocks so small that numpy's library computes each on one core: the others have other pieces,
    and its threads wait for one another for milliseconds wherever something else runs."""
    rank, width = right.shape
    if rank > _NUMPY_RANK:
        import torch

        return (torch.from_numpy(left) @ torch.from_numpy(right)).numpy()
    import numpy

    product = numpy.empty((len(left), width), dtype=numpy.float32)
    # A block has two rows or more: the product of a single one is summed in another order.
    blocks = max(1, len(left) // max(2, _ONE_CORE // (rank * width)))
    for block, out in zip(numpy.array_split(left, blocks), numpy.array_split(product, blocks), strict=True):
        numpy.matmul(block, right, out=out)
    return product


def _loaded(update: LowRankUpdate) -> _LoadedUpdate:
    return _LoadedUpdate(
        a=_all(update.a),
        b=_all(update.b),
        magnitude=None if update.magnitude is None else _all(update.magnitude),
        scale=update.scale,
        transposed=update.transposed,
        embedding=update.embedding,
    )


def _add(numbers: Any, update: _LoadedUpdate, dtype: str, first: int, count: int) -> Any:
    """W + scale · B·A in float32."""
    delta = update.delta(first, count)
    if update.magnitude is not None:
        magnitude = update.magnitude if update.transposed else update.magnitude[first : first + count]
        return _with_length(numbers + delta, magnitude, update.transposed)
    if update.embedding:
        delta = _widened(_narrowed(delta, dtype), dtype)
    numbers += delta
    return numbers


def _with_length(numbers: Any, magnitude: Any, transposed: bool) -> Any:
    """DoRA (https://arxiv.org/abs/2402.09353): what an output is made of is set to its trained length."""
    import torch

    weight = torch.from_numpy(numbers)
    length = torch.linalg.norm(weight.T if transposed else weight, dim=1)
    factor = (torch.from_numpy(magnitude) / length).view(-1, 1)
    return ((factor.T if transposed else factor) * weight).numpy()


def _put_tokens(numbers: Any, tokens: TokenRows, first: int) -> None:
    """Put the trained rows that belong among these, the first of which is row `first`, in their places."""
    for number, index in enumerate(tokens.indices):
        if first <= index < first + len(numbers):
            numbers[index - first] = _rows(tokens.rows, number, 1)[0]


def _all(tensor: StoredTensor) -> Any:
    return _rows(tensor, 0, tensor.rows)


def _rows(tensor: StoredTensor, first: int, count: int) -> Any:
    """Some rows as float32."""
    import numpy

    kind = {"F32": numpy.float32, "F16": numpy.float16, "BF16": numpy.uint16}[tensor.dtype]
    stored = numpy.frombuffer(tensor.read_rows(first, count), dtype=kind)
    return _widened(stored.reshape((count, *tensor.shape[1:]) if tensor.shape else ()), tensor.dtype)


def _widened(stored: Any, dtype: str) -> Any:
    """Stored numbers as float32; bfloat16 is float32's upper half."""
    import numpy

    if dtype != "BF16":
        return stored.astype(numpy.float32, copy=False)
    bits = stored.astype(numpy.uint32)
    bits <<= 16
    return bits.view(numpy.float32)


def _narrowed(numbers: Any, dtype: str) -> Any:
    """Finite float32 numbers in the stored format, rounded to the nearest, to the even one of two as near."""
    import numpy

    numbers = numpy.ascontiguousarray(numbers)
    if dtype != "BF16":
        return numbers.astype(numpy.float16 if dtype == "F16" else numpy.float32, copy=False)
    bits = numbers.view(numpy.uint32)
    rounding = bits >> 16
    rounding &= 1
    rounding += 0x7FFF
    rounding += bits
    rounding >>= 16
    return rounding.astype(numpy.uint16)
