"""What the GPU benchmark runs, the most important first, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Contestant = Literal["plain", "peft", "unsloth"]
# Hearth's default comes first, then the two it is compared with: a short slot on a card then has at least the former.
CONTESTANTS: tuple[Contestant, ...] = ("unsloth", "plain", "peft")
CAPS_GB = (8.0, 12.0, 16.0)


@dataclass(frozen=True)
class Setting:
    """One run. Every row is `length` tokens long; `cap_gb` is what the process may take, None for the whole card.

    `contestant`: plain is a bare PEFT + bitsandbytes + TRL script; peft and unsloth are Hearth's backends.
    """

    model: str
    contestant: Contestant
    adapter: Literal["lora", "qlora"] = "qlora"
    objective: Literal["sft", "dpo"] = "sft"
    batch_size: int = 1
    length: int = 2048
    cap_gb: float | None = None

    def describe(self) -> str:
        """One line for people."""
        cap = f", within {self.cap_gb:g} GB" if self.cap_gb else ""
        what = f"{self.model} {self.adapter} {self.objective}, {self.batch_size} × {self.length:,} tokens"
        return f"{what}, {self.contestant}{cap}"


@dataclass(frozen=True)
class Result:
    """What a run showed; bytes are of the process at its peak, and None is what was not measured.

    `did_fit` is False where memory was full, None where the run ended for another reason (`problem` says which).
    `estimated` and `said_fits` are what Hearth said beforehand; nothing is said of the plain script.
    """

    setting: Setting
    seconds: float
    tokens_per_second: float | None = None
    peak: int | None = None
    peak_measured_by: str = ""
    estimated: int | None = None
    said_fits: bool | None = None
    did_fit: bool | None = None
    problem: str = ""

    @property
    def error(self) -> float | None:
        """How far the estimate was off the peak: 0.1 is 10 % too much, below 0 too little."""
        return self.estimated / self.peak - 1 if self.estimated and self.peak and self.did_fit else None


@dataclass(frozen=True)
class Scale:
    """The sizes that are run. `batch` and `batch_length`: of the runs with the same batch for all contestants.

    `largest_batch` ends the doubling where memory doesn't; `beside` are further models, compared when time is left.
    """

    main: str
    large: str
    beside: tuple[str, ...]
    length: int
    pair_length: int
    batch: int
    batch_length: int
    caps_gb: tuple[float, ...]
    largest_batch: int

    @property
    def longest(self) -> int:
        """Tokens of the longest row of any run."""
        return max(self.length, self.pair_length, self.batch_length)


REAL = Scale("8B", "14B", ("3B", "1B"), 2048, 1024, 4, 1024, CAPS_GB, 64)
TINY = Scale("tiny Llama", "tiny Qwen3", (), 64, 64, 1, 64, (), 2)


@dataclass(frozen=True)
class Step:
    """A setting to run; with `doubling` also with twice the batch, again and again, until memory is full."""

    setting: Setting
    doubling: bool = False


def memory_aims(scale: Scale) -> tuple[Setting, Setting, Setting]:
    """The three settings whose memory has an aim: the main model, DPO of it, and the large model.

    Each under the cap of the smallest of the common cards that it is meant for: 8, 12 and 12 GB.
    """
    small, middle = (scale.caps_gb[0], scale.caps_gb[1]) if scale.caps_gb else (None, None)
    return (
        Setting(scale.main, "unsloth", length=scale.length, cap_gb=small),
        Setting(scale.main, "unsloth", objective="dpo", length=scale.pair_length, cap_gb=middle),
        Setting(scale.large, "unsloth", length=scale.length, cap_gb=middle),
    )


def same_batch(scale: Scale, model: str, adapter: Literal["lora", "qlora"] = "qlora") -> list[Setting]:
    """All contestants at one batch, with the whole card."""
    return [
        Setting(model, contestant, adapter, batch_size=scale.batch, length=scale.batch_length)
        for contestant in CONTESTANTS
    ]


def make_plan(scale: Scale, card_gb: float | None) -> list[Step]:
    """All steps, the most important first: the aims, the same batch, each contestant's own best, then the rest.

    Best batches are looked for under the caps that a card of `card_gb` has room for; without caps, without one.
    """
    steps = [Step(setting) for setting in (*memory_aims(scale), *same_batch(scale, scale.main))]
    caps: list[float | None] = [cap for cap in scale.caps_gb if card_gb is not None and cap <= card_gb]
    # The middle cap first: there the plain script of the real scale's main model has a batch that fits.
    for cap in sorted(caps or [None], key=lambda cap: abs((cap or 0) - 12.0)):
        base = Setting(scale.main, "unsloth", length=scale.length, cap_gb=cap)
        steps += [Step(replace(base, contestant=contestant), doubling=True) for contestant in CONTESTANTS]
    for model in scale.beside:
        steps += [Step(setting) for setting in same_batch(scale, model)]
    if not scale.beside:
        return steps
    steps += [Step(setting) for setting in same_batch(scale, scale.large)]
    steps += [Step(replace(setting, contestant="peft")) for setting in memory_aims(scale)]
    for model in scale.beside:
        base = Setting(model, "unsloth", length=scale.length, cap_gb=scale.caps_gb[0])
        steps += [Step(replace(base, contestant=contestant), doubling=True) for contestant in CONTESTANTS]
        steps += [Step(setting) for setting in same_batch(scale, model, "lora")]
    return steps


def next_setting(plan: list[Step], results: dict[Setting, Result], largest_batch: int) -> Setting | None:
    """The first setting of the plan that has no result yet; None when all is done."""
    wanted = (setting for step in plan for setting in _settings(step, results, largest_batch))
    return next((setting for setting in wanted if setting not in results), None)


def _settings(step: Step, results: dict[Setting, Result], largest_batch: int) -> Iterator[Setting]:
    """The settings of a step, as far as the results so far tell: doubling ends where a run did not fit."""
    setting = step.setting
    while True:
        yield setting
        known = results.get(setting)
        larger = replace(setting, batch_size=2 * setting.batch_size)
        if not step.doubling or known is None or not known.did_fit or larger.batch_size > largest_batch:
            return
        setting = larger
