"""The most memory that another process held: of the card as NVML counts it, without a card of the system."""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Thread
from typing import Self

import psutil
import pynvml

from trainer.monitor import Nvml, open_card

SECONDS = 0.1
BY_PROCESS = "NVML, the process"
BY_CARD = "NVML, the whole card less what was in use before"
BY_SYSTEM = "the process's system memory"


class Meter:
    """`with Meter(index) as meter:` before the process starts, `meter.watch(pid)` once it has, then `meter.peak`.

    `index` as NVML counts the cards, None for the system's memory; `card` takes the place of that card. In containers
    and under WSL2 the driver doesn't tell processes apart as we know them: then what the whole card has in use counts,
    less what was in use before, and nothing else may use the card meanwhile.
    """

    def __init__(self, index: int | None, *, card: Nvml | None = None) -> None:
        self._card = card or open_card(index)
        self._before = self._card.used() if self._card else 0
        self._pid: int | None = None
        self._of_process: int | None = None
        self._of_card = 0
        self._over = Event()
        self._thread = Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def watch(self, pid: int) -> None:
        """The process to look at from now on."""
        self._pid = pid

    @property
    def peak(self) -> int | None:
        """Bytes; None when nothing was seen."""
        return self._of_process or self._of_card or None

    @property
    def measured_by(self) -> str:
        """How, in words."""
        if self._card is None:
            return BY_SYSTEM
        return BY_PROCESS if self._of_process else BY_CARD

    def look(self) -> None:
        """Ask once."""
        if self._pid is None:
            return
        if self._card is None:
            with suppress(psutil.NoSuchProcess):
                self._of_process = max(self._of_process or 0, psutil.Process(self._pid).memory_info().rss)
            return
        # A card that doesn't answer this once is asked again a moment later.
        with suppress(pynvml.NVMLError):
            self._of_card = max(self._of_card, self._card.used() - self._before)
            held = [each.used for each in self._card.processes() if each.pid == self._pid and each.used]
            if held:
                self._of_process = max(self._of_process or 0, *held)

    def _run(self) -> None:
        while not self._over.wait(SECONDS):
            self.look()
