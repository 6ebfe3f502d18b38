"""What the card does while a run trains: utilisation, heat, power, energy and memory, asked of NVML every two seconds.

Without a card: the process's memory and its share of the processor. And `Collapse`, which notices that training has
become many times slower than it was and says so once.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from threading import Event, Thread
from typing import Protocol, Self, TypeVar

import psutil
import pynvml

SECONDS = 2.0
# Power is only summed up over stretches in which the card answered: never across a longer silence.
LONGEST_STRETCH = 3 * SECONDS
GB = 1e9
MILLIJOULES_PER_WH = 3.6e6
WATT_SECONDS_PER_WH = 3600.0

Value = TypeVar("Value")


@dataclass(frozen=True)
class CardProcess:
    """A process on the card; `used` bytes of its memory, None where the driver doesn't tell (WSL2 for one)."""

    pid: int
    used: int | None


class Nvml(Protocol):
    """What is asked of one card. Each call raises pynvml.NVMLError for what the card can't say, or when it is gone."""

    def utilisation(self) -> int:
        """Per cent of the last moments in which a kernel ran."""

    def temperature(self) -> int:
        """°C."""

    def power(self) -> int:
        """Milliwatts now."""

    def energy(self) -> int:
        """Millijoules since the driver was loaded (Volta and newer)."""

    def used(self) -> int:
        """Bytes in use on the whole card, by everybody."""

    def processes(self) -> list[CardProcess]:
        """Those that compute on it."""


class Card:
    """NVML's answers about the card of that index. Raises pynvml.NVMLError when there is no driver or no such card."""

    def __init__(self, index: int) -> None:
        pynvml.nvmlInit()
        self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)

    def utilisation(self) -> int:
        return int(pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu)

    def temperature(self) -> int:
        return int(pynvml.nvmlDeviceGetTemperature(self._handle, pynvml.NVML_TEMPERATURE_GPU))

    def power(self) -> int:
        return int(pynvml.nvmlDeviceGetPowerUsage(self._handle))

    def energy(self) -> int:
        return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))

    def used(self) -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)

    def processes(self) -> list[CardProcess]:
        running = pynvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        return [CardProcess(int(each.pid), each.usedGpuMemory) for each in running]


def open_card(index: int | None) -> Nvml | None:
    """The card of that index, None for none: no index, no driver, no such card."""
    if index is None:
        return None
    try:
        return Card(index)
    except pynvml.NVMLError:
        return None


def _ask(question: Callable[[], Value]) -> Value | None:
    """The answer, or None: a card that can't say one thing, or stopped answering, must not end a run."""
    try:
        return question()
    except pynvml.NVMLError:
        return None


@dataclass
class Energy:
    """Watt-hours the whole card took since the first reading.

    From the card's own counter where it has one, else power integrated by the trapezoidal rule.
    """

    watt_hours: float | None = None
    _counter: int | None = None
    _power: float | None = None
    _time: float = 0.0

    def add(self, counter: int | None, watts: float | None, now: float) -> None:
        """`counter` in millijoules, `now` in seconds; None for what isn't known this time."""
        if counter is not None:
            # A counter that went back began anew with the driver; what it stood at before is lost.
            self._grow(max(0, counter - (self._counter or counter)) / MILLIJOULES_PER_WH)
        elif watts is not None and self._counter is None:
            known = self._power is not None and now - self._time <= LONGEST_STRETCH
            seconds = now - self._time if known else 0.0
            self._grow((watts + (self._power or 0.0)) / 2 * seconds / WATT_SECONDS_PER_WH)
        self._counter = counter if counter is not None else self._counter
        self._power, self._time = watts, now

    def _grow(self, watt_hours: float) -> None:
        self.watt_hours = (self.watt_hours or 0.0) + watt_hours


class Monitor:
    """`with Monitor(index) as monitor:` asks every two seconds in a thread; `figures()` gives the latest answers.

    `index` as NVML counts the cards; None, or one that isn't there, watches the process alone. `card` takes its place.
    """

    def __init__(self, index: int | None, *, card: Nvml | None = None) -> None:
        self._card = card or open_card(index)
        self._process = psutil.Process()
        self._energy = Energy()
        self._figures: dict[str, float] = {}
        self._over = Event()
        self._thread = Thread(target=self._run, name="monitor", daemon=True)
        self.peak_process_bytes: int | None = None
        """The most memory this process was seen to hold: the card's, or without a card the system's."""

    def __enter__(self) -> Self:
        self._process.cpu_percent()  # the first call only begins the measuring
        self.look(time.monotonic())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def figures(self) -> dict[str, float]:
        """The latest values, only those known: gpu_utilisation (%), gpu_temperature (°C), gpu_power_w, energy_wh,
        gpu_process_gb, gpu_card_gb; without a card memory_gb and cpu_percent (100 is one core).
        """
        return dict(self._figures)

    def look(self, now: float) -> None:
        """Ask once. `now` in seconds, of any clock that only goes forward."""
        self._figures = self._look_at_process() if self._card is None else self._look_at_card(self._card, now)

    def _run(self) -> None:
        while not self._over.wait(SECONDS):
            self.look(time.monotonic())

    def _look_at_process(self) -> dict[str, float]:
        held = self._process.memory_info().rss
        self._note_peak(held)
        return {"memory_gb": held / GB, "cpu_percent": self._process.cpu_percent()}

    def _look_at_card(self, card: Nvml, now: float) -> dict[str, float]:
        power, used, held = _ask(card.power), _ask(card.used), self._held_on(card)
        watts = None if power is None else power / 1000
        self._energy.add(_ask(card.energy), watts, now)
        self._note_peak(held)
        figures = {
            "gpu_utilisation": _ask(card.utilisation),
            "gpu_temperature": _ask(card.temperature),
            "gpu_power_w": watts,
            "energy_wh": self._energy.watt_hours,
            "gpu_process_gb": None if held is None else held / GB,
            "gpu_card_gb": None if used is None else used / GB,
        }
        return {name: float(value) for name, value in figures.items() if value is not None}

    def _held_on(self, card: Nvml) -> int | None:
        """Bytes of the card that this process holds; None where the driver doesn't say, or counts pids otherwise."""
        own = [each.used for each in _ask(card.processes) or [] if each.pid == os.getpid() and each.used is not None]
        return sum(own) if own else None

    def _note_peak(self, held: int | None) -> None:
        if held is not None:
            self.peak_process_bytes = max(held, self.peak_process_bytes or 0)


WINDOW = 10
SLOW_OF_WINDOW = 8
LASTING_SECONDS = 20.0
COLLAPSED = 1 / 3
FULL = 0.95


@dataclass
class _Pace:
    """Throughput (tokens/s) of batches of about the same number of tokens; `best` is the best median of ten."""

    rates: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    best: float | None = None

    def add(self, rate: float) -> None:
        self.rates.append(rate)
        if len(self.rates) == WINDOW:
            self.best = max(self.best or 0.0, median(self.rates))


@dataclass(frozen=True)
class _Step:
    """`share` of the throughput that batches of this size had at their best."""

    number: int
    share: float
    seconds: float

    @property
    def slow(self) -> bool:
        return self.share < COLLAPSED


class Collapse:
    """Notices that throughput fell to less than a third of what it was, and stays there.

    A step is measured by the best median of ten batches of about as many tokens (the same power of two), since short
    ones are slower for each token without anything being wrong. Eight of the last ten steps have to be slow, for at
    least twenty seconds, so that what interrupts now and then (measuring, saving, a pause) does not count.
    """

    def __init__(self) -> None:
        self._paces: dict[int, _Pace] = {}
        self._window: deque[_Step] = deque(maxlen=WINDOW)
        self._since: int | None = None
        self._slow_seconds = 0.0
        self._said = False

    def add(self, step: int, tokens: int, seconds: float, memory_share: float | None = None) -> str | None:
        """One step: its tokens, how long it took, and which share (0 to 1) of the card's memory is in use.

        Returns the sentence to say, once; None otherwise.
        """
        if self._said or tokens <= 0 or seconds <= 0:
            return None
        pace = self._paces.setdefault(tokens.bit_length(), _Pace())
        pace.add(tokens / seconds)
        if pace.best is None:
            return None
        self._window.append(_Step(step, tokens / seconds / pace.best, seconds))
        if not self._lasts():
            return None
        self._said = True
        now = pace.best * median(each.share for each in self._window if each.slow)
        return _sentence(self._since or step, now, pace.best, memory_share)

    def _lasts(self) -> bool:
        """Whether the last steps are slow, and have been for long enough."""
        slow = [each for each in self._window if each.slow]
        if len(slow) < SLOW_OF_WINDOW:
            self._since = None
            return False
        if self._since is None:
            self._since, self._slow_seconds = slow[0].number, sum(each.seconds for each in slow)
        else:
            self._slow_seconds += self._window[-1].seconds
        return self._slow_seconds >= LASTING_SECONDS


def _sentence(step: int, now: float, before: float, memory_share: float | None) -> str:
    said = f"From step {step:,} on training runs at {now:,.0f} tokens/s, before {before:,.0f}: "
    if memory_share is None:
        return said + (
            "other programs probably take the processor or the memory. Close them, or let this run go on slowly."
        )
    if memory_share >= FULL:
        return said + (
            "the card's memory is full, and the driver is probably using system memory in its place. Stop, and resume "
            "when other programs have let go of the card; or train with a smaller batch (and more accumulation), "
            "shorter rows or gradient checkpointing. On Windows, “Prefer No Sysmem Fallback” in the NVIDIA Control "
            "Panel makes this an error instead."
        )
    return said + (
        "the card's memory is not full, so another program probably uses the card, or it was slowed down because it "
        "is hot or short of power. Look at temperature and power, and at what else runs."
    )
