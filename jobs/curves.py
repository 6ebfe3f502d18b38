"""What a job's events say so far, read as they are written: the lines of its metrics, and its sample answers.

Each event is read once for the whole process, however many pages watch: a reader goes on from where it stopped. It
keeps a bounded number of points per metric, so that a run of a hundred thousand steps costs no more than a short one.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from jobs.directory import JobDirectory

KEPT_POINTS = 600
KEPT_SAMPLES = 400
KEPT_READERS = 16
CHUNK_BYTES = 1 << 20
SMOOTHING = 0.95
NOT_FIGURES = ("type", "attempt", "step", "time")


@dataclass(frozen=True, slots=True)
class Point:
    """A metric at a step; `smoothed` is the bias-corrected moving average of all points up to it."""

    step: int
    value: float
    smoothed: float


@dataclass(frozen=True)
class Sample:
    """What the model answered to a fixed prompt at a step."""

    step: int
    prompt: str
    answer: str


@dataclass(frozen=True)
class Curves:
    """A job's metrics by name, each in order of steps and thinned evenly, and its sample answers in order."""

    lines: dict[str, list[Point]]
    samples: list[Sample]

    def latest(self, metric: str) -> float | None:
        """The last value of a metric; None when there is none."""
        points = self.lines.get(metric)
        return points[-1].value if points else None


@dataclass
class Line:
    """A metric while it grows: every `stride`-th point is kept, and the last one.

    The average is exponential with bias correction, m / (1 - SMOOTHING^n), as for Adam's moments (Kingma and Ba 2015).
    """

    points: list[Point] = field(default_factory=list)
    last: Point | None = None
    stride: int = 1
    count: int = 0
    mean: float = 0.0

    def add(self, step: int, value: float) -> None:
        self.mean = SMOOTHING * self.mean + (1 - SMOOTHING) * value
        smoothed = self.mean / (1 - SMOOTHING ** (self.count + 1))
        self.last = Point(step, value, smoothed)
        if self.count % self.stride == 0:
            self.points.append(self.last)
        self.count += 1
        if len(self.points) >= 2 * KEPT_POINTS:
            self.points, self.stride = self.points[::2], 2 * self.stride

    def thinned(self) -> list[Point]:
        """The points kept, the last one among them."""
        if self.last is None or self.points[-1] is self.last:
            return list(self.points)
        return [*self.points, self.last]


class EventReader:
    """Reads a file of events from where it stopped. Safe for several threads.

    When a later attempt begins again at a step, what earlier ones did from there on is left out, as `events` does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._began: dict[int, int] = {}
        self._inode = 0
        self._forget()

    def _forget(self) -> None:
        self._offset = 0
        self._lines: dict[str, Line] = {}
        self._samples: list[Sample] = []

    def read(self) -> Curves:
        """Everything up to the last whole line."""
        with self._lock:
            self._read_new()
            return Curves({name: line.thinned() for name, line in self._lines.items()}, list(self._samples))

    def _read_new(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            status = self.path.stat()
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._inode, self._began = status.st_ino, {}
                self._forget()
            while not self._take_all(file):
                self._forget()  # an attempt began again at an earlier step: what it replaces was counted already

    def _take_all(self, file: Any) -> bool:
        """Take what is new. False when the beginning of a later attempt was met, so that all has to be read anew."""
        file.seek(self._offset)
        for line in _whole_lines(file):
            self._offset += len(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue  # cut short by a kill
            if isinstance(event, dict) and not self._take(event):
                return False
        return True

    def _take(self, event: dict[str, Any]) -> bool:
        if event.get("type") not in ("metric", "sample"):
            return True
        attempt, step = int(event.get("attempt", 1)), int(event["step"])
        if event["type"] == "metric" and step < self._began.get(attempt, step + 1):
            self._began[attempt] = step
            if any(known < attempt for known in self._began):
                return False
        if any(step >= began for later, began in self._began.items() if later > attempt):
            return True
        if event["type"] == "sample":
            self._samples.append(Sample(step, str(event["prompt"]), str(event["answer"])))
            del self._samples[:-KEPT_SAMPLES]
            return True
        for name, value in event.items():
            if name not in NOT_FIGURES and isinstance(value, int | float) and math.isfinite(value):
                self._lines.setdefault(name, Line()).add(step, float(value))
        return True


def _whole_lines(file: Any) -> Iterator[bytes]:
    """The lines that are there in full, a chunk of the file at a time."""
    rest = b""
    while chunk := file.read(CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


_READERS: OrderedDict[Path, EventReader] = OrderedDict()
_READERS_LOCK = Lock()


def curves(job: JobDirectory) -> Curves:
    """The job's metrics and sample answers so far; only what was written since the last call is read."""
    with _READERS_LOCK:
        reader = _READERS.pop(job.events_path, None) or EventReader(job.events_path)
        _READERS[job.events_path] = reader
        while len(_READERS) > KEPT_READERS:
            _READERS.popitem(last=False)
    return reader.read()


def stamp(job: JobDirectory) -> str:
    """Changes whenever the job has written an event; costs one look at the file's entry."""
    try:
        status = job.events_path.stat()
    except FileNotFoundError:
        return ""
    return f"{status.st_ino}-{status.st_size}"
