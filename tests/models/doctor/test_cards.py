"""Reading cards through a fake driver that answers as NVML does: no card is here to ask."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import psutil
import pynvml
import pytest

from models.doctor.facts import Holder
from models.doctor.reading.cards import read_cards

GIB = 1024**3
NAMES = ("NVIDIA GeForce RTX 4060", "NVIDIA GeForce RTX 4090")


@pytest.fixture
def fake_driver(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two cards, driver 570.86 for CUDA 12.8, and this very process on the first of them, which also draws."""

    def fake(name: str, answer: Any) -> None:
        monkeypatch.setattr(pynvml, name, answer)

    def memory(_card: int) -> Any:
        return SimpleNamespace(total=8 * GIB, free=5 * GIB)

    def computing(_card: int) -> list[Any]:
        return [SimpleNamespace(pid=os.getpid(), usedGpuMemory=2 * GIB)]

    def drawing(_card: int) -> list[Any]:
        return [SimpleNamespace(pid=os.getpid(), usedGpuMemory=2 * GIB), SimpleNamespace(pid=2**22, usedGpuMemory=None)]

    fake("nvmlInit", lambda: None)
    fake("nvmlShutdown", lambda: None)
    fake("nvmlDeviceGetCount", lambda: len(NAMES))
    fake("nvmlDeviceGetHandleByIndex", lambda index: index)
    fake("nvmlDeviceGetMemoryInfo", memory)
    fake("nvmlDeviceGetName", lambda card: NAMES[card])
    fake("nvmlDeviceGetCudaComputeCapability", lambda _card: (8, 9))
    fake("nvmlSystemGetDriverVersion", lambda: "570.86")
    fake("nvmlSystemGetCudaDriverVersion", lambda: 12080)
    fake("nvmlDeviceGetComputeRunningProcesses", computing)
    fake("nvmlDeviceGetGraphicsRunningProcesses", drawing)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def test_cards_their_driver_and_who_holds_memory_are_read(fake_driver: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    cards = read_cards()
    assert [card.name for card in cards.usable] == list(NAMES)
    assert cards.driver_cuda == (12, 8) and cards.hidden == 0 and not cards.silent
    assert cards.holders == (Holder(psutil.Process().name(), 2 * GIB), Holder("a program", None))


def test_cards_that_a_variable_hides_are_counted(fake_driver: pytest.MonkeyPatch) -> None:
    fake_driver.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [card.index for card in read_cards().usable] == [1]
    assert read_cards().hidden == 1
    fake_driver.setenv("CUDA_VISIBLE_DEVICES", "")
    assert read_cards().usable == () and read_cards().hidden == 2 and read_cards().holders == ()


def test_a_driver_that_does_not_tell_who_holds_memory_is_no_error(fake_driver: pytest.MonkeyPatch) -> None:
    def refuse(_card: int) -> list[Any]:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    fake_driver.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", refuse)
    fake_driver.setattr(pynvml, "nvmlDeviceGetGraphicsRunningProcesses", refuse)
    assert read_cards().holders == ()
    assert len(read_cards().usable) == 2
