"""What a training run takes of the memory there is, as a bar with its legend. Numbers in, HTML out; no gradio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from models.hardware import GB
from trainer.memory.estimate import MemoryEstimate, Part
from trainer.memory.fit import fits, margin
from trainer.spec import TrainSpec


@dataclass(frozen=True)
class Room:
    """What a run may take: bytes, and what they are of, in words such as `on the card (NVIDIA RTX 4060)`."""

    bytes: int
    where: str


@dataclass(frozen=True)
class Outlook:
    """What is known of a run's memory before it starts. `problem` says why nothing is, else it is empty.

    `time`: how long it should take, in words; `rows`: how long the rows are, where that was counted; `gave_up`: what
    was changed to make it fit, a sentence each; `told`: what the last press of the button found.
    """

    estimated: MemoryEstimate | None = None
    room: Room | None = None
    problem: str = ""
    time: str = ""
    rows: str = ""
    gave_up: Sequence[str] = ()
    told: Sequence[str] = ()


def memory_html(outlook: Outlook) -> str:
    """The bar, the words above it, the legend, what was given up, and the reasons in a fold."""
    estimated, room = outlook.estimated, outlook.room
    if estimated is None or room is None:
        return f'<div class="hearth-memory unknown"><div class="head">{escape(outlook.problem)}</div></div>'
    enough = fits(estimated, room.bytes)
    lines = "".join(f"<li>{escape(line)}</li>" for line in estimated.explain())
    fold = f"<details><summary>How this is reckoned</summary><ul>{lines}</ul></details>"
    state = "fits" if enough else "over"
    counted = f'<p class="quiet">{escape(outlook.rows)}</p>' if outlook.rows else ""
    time = f'<p class="time">{escape(outlook.time)}</p>' if outlook.time else ""
    parts = [
        _head(estimated, room),
        time,
        counted,
        _bar(estimated, room),
        _legend(estimated.parts),
        _lists(outlook),
        fold,
    ]
    return f'<div class="hearth-memory {state}">{"".join(parts)}</div>'


def _head(estimated: MemoryEstimate, room: Room) -> str:
    needed, there = _gb(estimated.total), f"{_gb(room.bytes)} {escape(room.where)}"
    if fits(estimated, room.bytes):
        return f'<div class="head"><b>Memory: fits.</b> About {needed} needed; {there}.</div>'
    lacking = estimated.total + margin(estimated) - room.bytes
    words = f"About {needed}, and {_gb(margin(estimated))} that the estimate may be off, of {there}"
    return (
        f'<div class="head" role="alert"><b>Memory: does not fit, {_gb(lacking)} too much.</b> {words}. '
        "“Make it fit” finds settings that do.</div>"
    )


def _bar(estimated: MemoryEstimate, room: Room) -> str:
    """Parts on a scale that holds both what is needed and what is there; a line where the room ends."""
    scale = max(estimated.total, room.bytes)
    pieces = "".join(
        f'<i class="part {part.name}" style="width:{100 * part.bytes / scale:.2f}%" '
        f'title="{escape(part.label)}: {_gb(part.bytes)}"></i>'
        for part in estimated.parts
        if part.bytes
    )
    end = (
        f'<span class="end" style="left:{100 * room.bytes / scale:.2f}%"></span>'
        if estimated.total > room.bytes
        else ""
    )
    spoken = f"{_gb(estimated.total)} needed, {_gb(room.bytes)} there"
    return f'<div class="stack" role="img" aria-label="{spoken}">{pieces}{end}</div>'


def _legend(parts: Sequence[Part]) -> str:
    items = "".join(
        f'<li title="{escape(part.reason)}"><i class="part {part.name}"></i>{escape(part.label)} '
        f"<span>{_gb(part.bytes)}</span></li>"
        for part in parts
    )
    return f'<ul class="legend">{items}</ul>'


def _lists(outlook: Outlook) -> str:
    told = "".join(f"<p>{escape(line)}</p>" for line in outlook.told)
    items = "".join(f"<li>{escape(line)}</li>" for line in outlook.gave_up)
    given = f'<div class="gave-up"><b>Changed to make it fit</b><ul>{items}</ul></div>' if items else ""
    return (f'<div class="told">{told}</div>' if told else "") + given


def _gb(count: int) -> str:
    return f"{count / GB:.2f} GB" if count < GB else f"{count / GB:.1f} GB"


def larger_batch(spec: TrainSpec, roomy: TrainSpec) -> str:
    """A sentence about the rows at once that there would be room for; empty where there are as many already."""
    before, after = spec.optimisation.batch_size, roomy.optimisation.batch_size
    if after <= before:
        return ""
    return (
        f"There would be room for batches of {after} (now {before}), with accumulation "
        f"{roomy.optimisation.gradient_accumulation}: the same training, quicker."
    )
