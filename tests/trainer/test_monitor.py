"""Watching the card, with a fake in its place, and noticing a collapse of throughput in synthetic series."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import psutil
import pynvml
import pytest

from trainer.monitor import CardProcess, Collapse, Monitor, open_card


@dataclass
class FakeNvml:
    """A card that answers what it is told to; a name in `mute` raises as NVML does."""

    watts: float = 100.0
    millijoules: int = 5_000_000
    held: int | None = 2_000_000_000
    mute: set[str] = field(default_factory=lambda: {"energy"})
    lost: bool = False

    def _answer(self, name: str, value: int) -> int:
        if self.lost:
            raise pynvml.NVMLError_GpuIsLost
        if name in self.mute:
            raise pynvml.NVMLError_NotSupported
        return value

    def utilisation(self) -> int:
        return self._answer("utilisation", 97)

    def temperature(self) -> int:
        return self._answer("temperature", 71)

    def power(self) -> int:
        return self._answer("power", round(self.watts * 1000))

    def energy(self) -> int:
        return self._answer("energy", self.millijoules)

    def used(self) -> int:
        return self._answer("used", 7_500_000_000)

    def processes(self) -> list[CardProcess]:
        self._answer("processes", 0)
        return [CardProcess(1, 5_000_000_000), CardProcess(os.getpid(), self.held)]


def test_all_figures_of_a_card_come_in_their_units() -> None:
    monitor = Monitor(None, card=FakeNvml())
    monitor.look(0.0)
    assert monitor.figures() == {
        "gpu_utilisation": 97.0,
        "gpu_temperature": 71.0,
        "gpu_power_w": 100.0,
        "energy_wh": 0.0,
        "gpu_process_gb": 2.0,
        "gpu_card_gb": 7.5,
    }


def test_without_a_counter_power_is_integrated() -> None:
    card = FakeNvml(watts=100)
    monitor = Monitor(None, card=card)
    monitor.look(0.0)
    for second in range(2, 1801, 2):
        monitor.look(float(second))
    assert monitor.figures()["energy_wh"] == pytest.approx(50.0)
    card.watts = 300  # two seconds that rise from 100 to 300 W
    monitor.look(1802.0)
    assert monitor.figures()["energy_wh"] == pytest.approx(50 + 200 * 2 / 3600)


def test_the_cards_own_counter_is_preferred_and_may_begin_anew() -> None:
    card = FakeNvml(millijoules=5_000_000, mute=set())
    monitor = Monitor(None, card=card)
    monitor.look(0.0)
    card.millijoules += 7_200_000
    monitor.look(2.0)
    assert monitor.figures()["energy_wh"] == pytest.approx(2.0)
    card.millijoules = 1000  # the driver was loaded anew
    monitor.look(4.0)
    card.millijoules += 3_600_000
    monitor.look(6.0)
    assert monitor.figures()["energy_wh"] == pytest.approx(3.0)


def test_what_a_card_cannot_say_is_left_out() -> None:
    monitor = Monitor(None, card=FakeNvml(held=None, mute={"energy", "power", "utilisation"}))
    monitor.look(0.0)
    assert monitor.figures() == {"gpu_temperature": 71.0, "gpu_card_gb": 7.5}
    assert monitor.peak_process_bytes is None


def test_a_card_that_stops_answering_leaves_what_was_summed_up_and_no_stale_values() -> None:
    card = FakeNvml(watts=3600)
    monitor = Monitor(None, card=card)
    monitor.look(0.0)
    monitor.look(2.0)
    card.lost = True
    for second in range(4, 100, 2):
        monitor.look(float(second))
    assert monitor.figures() == {"energy_wh": pytest.approx(2.0)}
    card.lost = False  # it comes back: nothing is known of the time between
    monitor.look(100.0)
    monitor.look(102.0)
    assert monitor.figures()["energy_wh"] == pytest.approx(4.0)
    assert monitor.figures()["gpu_temperature"] == 71.0


def test_the_peak_is_the_most_this_process_held() -> None:
    card = FakeNvml()
    monitor = Monitor(None, card=card)
    for held in (1_000, 9_000, 4_000):
        card.held = held
        monitor.look(0.0)
    assert monitor.peak_process_bytes == 9_000


def test_without_a_card_the_process_is_watched() -> None:
    assert open_card(None) is None
    with Monitor(None) as monitor:
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
        monitor.look(time.monotonic())
        figures = monitor.figures()
    assert figures["memory_gb"] == pytest.approx(psutil.Process().memory_info().rss / 1e9, rel=0.2)
    assert figures["cpu_percent"] > 0
    assert monitor.peak_process_bytes is not None and monitor.peak_process_bytes >= figures["memory_gb"] * 1e9


def test_the_thread_looks_by_itself_and_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.monitor.SECONDS", 0.01)
    card = FakeNvml()
    with Monitor(None, card=card) as monitor:
        card.held = 3_000_000_000
        deadline = time.monotonic() + 5
        while monitor.peak_process_bytes != 3_000_000_000 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert monitor.figures()["gpu_process_gb"] == 3.0
    assert not any(thread.name == "monitor" for thread in threading.enumerate())


def test_looking_costs_next_to_nothing() -> None:
    monitor = Monitor(None)
    monitor.look(0.0)
    began = time.process_time()
    for _ in range(100):
        monitor.look(0.0)
    assert (time.process_time() - began) / 100 < 0.005, "of every two seconds"


def steady(
    rate: float, steps: int, tokens: int = 4000, *, seed: int = 0, first: int = 1
) -> Iterator[tuple[int, int, float]]:
    """Steps with the noise of a real run: ±20 % of pace, ±30 % of length."""
    chance = random.Random(seed)
    for step in range(first, first + steps):
        count = round(tokens * chance.uniform(0.7, 1.3))
        yield step, count, count / (rate * chance.uniform(0.8, 1.2))


def said(series: Iterable[tuple[int, int, float]], share: float | None = 0.99) -> list[str]:
    collapse = Collapse()
    return [words for each in series if (words := collapse.add(*each, memory_share=share))]


def test_a_lasting_collapse_is_said_once_with_step_and_speeds() -> None:
    series = [*steady(2900, 411), *steady(310, 300, seed=1, first=412)]
    (words,) = said(series)
    assert words.startswith("From step 41")
    step = int(words.split()[2])
    assert abs(step - 412) <= 2
    assert "system memory" in words and "Sysmem" in words
    now, before = words.split("at ")[1].split(" tokens")[0], words.split("before ")[1].split(":")[0]
    assert float(now.replace(",", "")) == pytest.approx(310, rel=0.2)
    assert float(before.replace(",", "")) == pytest.approx(2900, rel=0.2)


def test_it_is_noticed_within_thirty_steps() -> None:
    assert said([*steady(2900, 100), *steady(500, 30, seed=1, first=101)])


def test_with_memory_to_spare_the_driver_is_not_blamed() -> None:
    series = [*steady(2900, 100), *steady(300, 60, seed=1, first=101)]
    (words,) = said(series, share=0.5)
    assert "another program" in words and "system memory" not in words
    (words,) = said(series, share=None)
    assert "processor" in words


@pytest.mark.parametrize("every", [1, 2, 3, 10, 50])
def test_measuring_and_saving_now_and_then_raise_no_alarm(every: int) -> None:
    series = [(step, tokens, seconds + (60 if step % every == 0 else 0)) for step, tokens, seconds in steady(2900, 600)]
    assert said(series) == []


def test_a_pause_of_the_machine_raises_no_alarm() -> None:
    series = [(step, tokens, 36_000.0 if 200 <= step < 204 else seconds) for step, tokens, seconds in steady(2900, 400)]
    assert said(series) == []


def test_short_batches_are_compared_with_short_ones_alone() -> None:
    """Each step costs 0.9 s whatever it holds, so short batches are 20 times slower for each token."""
    chance = random.Random(3)
    lengths = [4000] * 200 + [200] * 40 + [chance.choice([200, 4000]) for _ in range(200)]
    series = [(step, tokens, 0.9 + tokens / 20_000) for step, tokens in enumerate(lengths, 1)]
    assert said(series) == []
    slow = [(step, tokens, 8 * seconds) for step, tokens, seconds in series[:100]]
    slow = [(440 + step, tokens, seconds) for step, tokens, seconds in slow]
    assert len(said([*series, *slow])) == 1, "and yet a real collapse after them is noticed"


def test_a_second_or_two_of_slow_steps_is_no_collapse() -> None:
    """A small model makes many steps a second: ten slow ones are over before anybody could do anything."""
    quick = [(step, 400, 0.05) for step in range(1, 200)]
    hiccup = [(step, 400, 0.5) for step in range(200, 215)]
    assert said([*quick, *hiccup, *((step, 400, 0.05) for step in range(215, 400))]) == []


def test_half_the_speed_is_no_collapse() -> None:
    assert said([*steady(2900, 200), *steady(1450, 200, seed=1, first=201)]) == []
