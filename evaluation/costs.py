"""What a model's answers cost: time, tokens, memory and energy, measured while they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from evaluation.item_log import Reply

SAMPLE_SECONDS = 0.05
MILLIJOULES_PER_JOULE = 1000.0
# Where a model is held: on a GPU, by this process in the machine's memory, or by a server that isn't ours to measure.
Memory = Literal["card", "process", "elsewhere"]


@dataclass(frozen=True)
class ModelCost:
    """One model's cost over all its answers; None for what can't be known.

    `seconds` is the time spent answering (loading is not in it), `tokens_per_second` the answers' tokens over it, with
    as many questions at once as the batch holds. `time_to_first_token` is of one question alone, from the prompt to
    the first token (median of a few). `peak_memory_bytes`: what PyTorch held of the GPU, else the whole worker
    process; None for a server whose memory isn't ours. `energy_joules`: of the whole card.
    """

    seconds: float
    answer_tokens: int
    tokens_per_answer: float | None
    tokens_per_second: float | None
    time_to_first_token: float | None
    peak_memory_bytes: int | None
    energy_joules: float | None

    def as_values(self) -> dict[str, Any]:
        """As the report's JSON holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Reading:
    """What one stretch of answering took: the most memory held (bytes) and the card's energy (joules)."""

    peak_memory_bytes: int | None
    energy_joules: float | None


def cost_of(replies: Sequence[Reply], readings: Sequence[Reading], first_tokens: Sequence[float]) -> ModelCost | None:
    """The cost over all of a model's answers; None for a model that wrote none."""
    if not replies:
        return None
    seconds = sum(reply.seconds for reply in replies)
    tokens = sum(reply.tokens or 0 for reply in replies)
    told = any(reply.tokens is not None for reply in replies)
    peaks = [each.peak_memory_bytes for each in readings if each.peak_memory_bytes is not None]
    joules = [each.energy_joules for each in readings if each.energy_joules is not None]
    return ModelCost(
        seconds=seconds,
        answer_tokens=tokens,
        tokens_per_answer=tokens / len(replies) if told else None,
        tokens_per_second=tokens / seconds if told and seconds > 0 else None,
        time_to_first_token=median(first_tokens) if first_tokens else None,
        peak_memory_bytes=max(peaks, default=None),
        energy_joules=sum(joules) if joules else None,
    )


class CostMeter:
    """`with meter.stretch() as reading:` measures what happens inside; `reading()` gives the result afterwards.

    `memory`: where the model is held.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._card = _open_card()

    @contextmanager
    def stretch(self) -> Iterator[Callable[[], Reading]]:
        """Measure until the block ends."""
        found: list[Reading] = []
        before = self._joules()
        with _peak_memory(self._memory) as peak:
            yield lambda: found[0]
        after = self._joules()
        joules = after - before if before is not None and after is not None else None
        found.append(Reading(peak(), joules))

    def _joules(self) -> float | None:
        """The card's counter of energy since the driver was loaded; None where it has none (before Volta)."""
        import pynvml

        if self._card is None:
            return None
        try:
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._card)) / MILLIJOULES_PER_JOULE
        except pynvml.NVMLError:
            return None


def _open_card() -> Any | None:
    """NVML's handle of the card that models are loaded on (the first that is visible); None without one."""
    import pynvml

    from models.hardware import probe

    cards = probe().gpus
    if not cards:
        return None
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByIndex(cards[0].index)
    except pynvml.NVMLError:
        return None


@contextmanager
def _peak_memory(memory: Memory) -> Iterator[Callable[[], int | None]]:
    """The most memory held inside the block: of the GPU as PyTorch counts it, or of this process, looked at often."""
    import psutil
    import torch

    if memory == "elsewhere":
        yield lambda: None
        return
    if memory == "card":
        torch.cuda.reset_peak_memory_stats()
        yield lambda: int(torch.cuda.max_memory_allocated())
        return
    process, over = psutil.Process(), Event()
    peaks = [process.memory_info().rss]

    def look() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peaks[0] = max(peaks[0], process.memory_info().rss)

    thread = Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield lambda: peaks[0]
    finally:
        peaks[0] = max(peaks[0], process.memory_info().rss)
        over.set()
        thread.join()
