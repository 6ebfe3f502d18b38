"""Pieces come in their order whoever is done first, and what goes wrong on the way is passed on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from export import overlap
from export.overlap import EarlyFlush, cores, in_order


def test_results_come_in_order_and_few_are_held() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def slow_when_even(number: int) -> int:
        time.sleep(0.01 if number % 2 == 0 else 0.0)
        return number * number

    for done, (number, square) in enumerate(in_order(slow_when_even, numbers())):
        assert (number, square) == (done, done * done)
        assert len(taken) <= done + 8 * cores() + 2


def test_an_error_in_a_piece_reaches_the_caller() -> None:
    def refuse_three(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    seen: list[int] = []
    with pytest.raises(ValueError, match="three"):
        seen.extend(made for _, made in in_order(refuse_three, range(100)))
    assert seen == [0, 1, 2]


def test_what_is_written_is_flushed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_FLUSH_BYTES", 1000)
    flushed: list[int] = []
    file = (tmp_path / "a").open("wb")
    monkeypatch.setattr(overlap.os, "fsync", lambda _number: flushed.append((tmp_path / "a").stat().st_size))
    with file, EarlyFlush(file) as flush:
        for _ in range(3):
            file.write(bytes(600))
            flush.wrote(600)
    assert flushed == [1200]


def test_a_disk_that_fails_on_the_way_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_FLUSH_BYTES", 1000)

    def fail(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(overlap.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"), (tmp_path / "a").open("wb") as file, EarlyFlush(file) as flush:
        file.write(bytes(1000))
        flush.wrote(1000)
