"""What the GPU benchmark wants to see, held against its results: met, not met, or not measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.gpu_plan import Contestant, Result, Scale, Setting, memory_aims, same_batch
from models.hardware import GB

Verdict = Literal["met", "not met", "not measured"]
# GB of process memory: 8B QLoRA at 2,048 tokens, DPO of it at 1,024, 14B QLoRA at 2,048.
MOST_GB = (7.2, 11.0, 11.0)
SPEED, MEMORY = 2.0, 0.5
ESTIMATE_ERROR = 0.10


@dataclass(frozen=True)
class Aim:
    """What is wanted, what was found, and the verdict."""

    what: str
    verdict: Verdict
    found: str


def aims(results: list[Result], scale: Scale, *, on_card: bool) -> list[Aim]:
    """All aims. Only a card's figures on real shapes say anything (`on_card`): others leave every aim not measured."""
    known = {result.setting: result for result in results} if on_card else {}
    return [
        *(_memory_aim(known, setting, most) for setting, most in zip(memory_aims(scale), MOST_GB, strict=True)),
        *_same_batch_aims(known, scale),
        _best_batch_aim(known, scale),
        *_estimate_aims(known.values()),
    ]


def best(results: Iterable[Result], family: Setting, largest_batch: int) -> Result | None:
    """The quickest batch of a setting, whatever its own batch; None while the search for it hasn't come to an end."""
    tried = [result for result in results if replace(result.setting, batch_size=family.batch_size) == family]
    ended = any(each.did_fit is False or each.setting.batch_size >= largest_batch for each in tried)
    fitting = [each for each in tried if each.did_fit and each.tokens_per_second]
    return max(fitting, key=lambda each: each.tokens_per_second or 0.0) if ended and fitting else None


def ratio(value: float | None, other: float | None) -> float | None:
    """How many times `other` the value is."""
    return value / other if value and other else None


def _memory_aim(known: dict[Setting, Result], setting: Setting, most: float) -> Aim:
    """By the better of Hearth's backends."""
    what = f"{setting.model} {setting.adapter} {setting.objective} at {setting.length:,} tokens: at most {most:g} GB"
    contestants: tuple[Contestant, ...] = ("unsloth", "peft")
    found = [known[each] for name in contestants if (each := replace(setting, contestant=name)) in known]
    measured = [result for result in found if result.did_fit and result.peak]
    if measured:
        least = min(measured, key=lambda result: result.peak or 0)
        gb = (least.peak or 0) / GB
        return Aim(what, "met" if gb <= most else "not met", f"{gb:.2f} GB ({least.setting.contestant})")
    if any(result.did_fit is False for result in found):
        return Aim(what, "not met", f"memory was full within {setting.cap_gb:g} GB" if setting.cap_gb else "full")
    return Aim(what, "not measured", "")


def _same_batch_aims(known: dict[Setting, Result], scale: Scale) -> list[Aim]:
    runs = {each.contestant: known.get(each) for each in same_batch(scale, scale.main)}
    unsloth, plain = runs["unsloth"], runs["plain"]
    where = f"{scale.main}, {scale.batch} × {scale.batch_length:,} tokens"
    fitted = unsloth is not None and plain is not None and unsloth.did_fit and plain.did_fit
    quicker = ratio(unsloth.tokens_per_second, plain.tokens_per_second) if fitted and unsloth and plain else None
    smaller = ratio(unsloth.peak, plain.peak) if fitted and unsloth and plain else None
    return [
        _ratio_aim(f"Twice plain PEFT's speed, {where}", quicker, met=quicker is not None and quicker >= SPEED),
        _ratio_aim(f"Half plain PEFT's memory, {where}", smaller, met=smaller is not None and smaller <= MEMORY),
    ]


def _best_batch_aim(known: dict[Setting, Result], scale: Scale) -> Aim:
    """Met when it is met under every cap where both have a best batch."""
    found: dict[str, float] = {}
    for cap in (*scale.caps_gb, None):
        base = Setting(scale.main, "unsloth", length=scale.length, cap_gb=cap)
        unsloth = best(known.values(), base, scale.largest_batch)
        plain = best(known.values(), replace(base, contestant="plain"), scale.largest_batch)
        if unsloth and plain:
            quicker = ratio(unsloth.tokens_per_second, plain.tokens_per_second) or 0.0
            found[f"{cap:g} GB" if cap else "whole card"] = quicker
    what = f"Twice plain PEFT's speed, {scale.main}, each at its own best batch"
    worst = min(found.values(), default=None)
    aim = _ratio_aim(what, worst, met=worst is not None and worst >= SPEED)
    return replace(aim, found=", ".join(f"{times:.2f} × within {cap}" for cap, times in found.items()))


def _ratio_aim(what: str, found: float | None, *, met: bool) -> Aim:
    if found is None:
        return Aim(what, "not measured", "")
    return Aim(what, "met" if met else "not met", f"{found:.2f} ×")


def _estimate_aims(results: Iterable[Result]) -> list[Aim]:
    results = list(results)
    errors = [(result.error, result.setting) for result in results if result.error is not None]
    close = Aim(f"Estimates within {ESTIMATE_ERROR:.0%}", "not measured", "")
    if errors:
        worst, setting = max(errors, key=lambda pair: abs(pair[0]))
        within = sum(abs(error) <= ESTIMATE_ERROR for error, _ in errors)
        said = f"{within} of {len(errors)}, at worst {worst:+.0%} ({setting.describe()})"
        close = replace(close, verdict="met" if within == len(errors) else "not met", found=said)
    told = [result for result in results if result.said_fits and result.did_fit is not None]
    wrong = [result.setting.describe() for result in told if not result.did_fit]
    never = Aim("Never “fits” when it does not", "not measured", "")
    if told:
        said = f"said of {len(told)} runs, wrong of {len(wrong)}" + (f": {'; '.join(wrong)}" if wrong else "")
        never = replace(never, verdict="not met" if wrong else "met", found=said)
    return [close, never]
