"""`python cli.py fit`: how much memory a training run would take, and the largest settings that fit a card."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer
import yaml

from cli.shared import JsonOption, WorkspaceOption, open_workspace, show
from jobs.arguments import spec_values
from jobs.errors import BadInput, Missing
from models.hardware import GB, Gpu, Hardware, probe
from trainer.memory.estimate import MemoryEstimate
from trainer.memory.fit import Fit
from trainer.memory.fit import fit as make_fit
from trainer.memory.known_shapes import known_ids
from trainer.memory.limits import free_for_run
from trainer.memory.rows import CountedRows, counted_rows
from trainer.memory.setting import setting_for
from trainer.memory.shape import shape_of
from trainer.spec import TrainSpec

BAR = 40


def fit(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    gpu_gb: Annotated[
        float | None, typer.Option("--gpu-gb", min=1, help="Free memory of the card in GB. Default: this machine's.")
    ] = None,
) -> None:
    """What a run takes, and the largest settings that fit: [SPEC.yaml] --model M --gpu-gb 8 and any option of train."""
    values, where = spec_values(context.args)
    spec = TrainSpec.parse({"data": "any", **values}, where)
    hardware, place = _hardware(gpu_gb, spec), open_workspace(workspace)
    shape = shape_of(spec.model, place)
    if shape is None:
        raise Missing(
            f"The shape of '{spec.model}' isn't known.",
            "Its files aren't here, and it is not among the models whose shapes come with Hearth.",
            f"Download it (training does), or take one of: {', '.join(known_ids())}.",
        )
    free = round(gpu_gb * GB) if gpu_gb else free_for_run(hardware, spec.safety.memory_limit_gb)
    rows = counted_rows(spec, place) if "data" in values else CountedRows(spec)
    found = make_fit(shape, rows.spec, setting_for(spec, hardware), free)
    held = "" if hardware.gpus else "This machine has no NVIDIA GPU: held against its system memory."
    notes = [note for note in (held, rows.words) if note]
    show({**_as_json(found), "notes": notes}, as_json, "\n".join([*notes, _as_text(shape.name, found)]))


def _hardware(gpu_gb: float | None, spec: TrainSpec) -> Hardware:
    """This machine, or one with a card of that size."""
    hardware = probe()
    if gpu_gb is None:
        return hardware
    if spec.safety.memory_limit_gb is not None:
        raise BadInput(
            "--gpu-gb and safety.memory_limit_gb were both given.", "Each says what the run may take.", "Keep one."
        )
    # A present-day card, for what the choice of backend and number format looks at.
    card = Gpu(0, f"a card with {gpu_gb:g} GB", round(gpu_gb * GB), round(gpu_gb * GB), (8, 9), "")
    return replace(hardware, gpus=[card])


def _as_json(found: Fit) -> dict[str, Any]:
    return {
        "fits": found.fits,
        "free": found.free_bytes,
        "margin": found.margin,
        "asked": found.before.as_json(),
        "estimate": found.after.as_json(),
        "reasons": {part.name: part.reason for part in found.after.parts},
        "changes": [{"option": each.option, "saved": each.saved, "words": each.words} for each in found.changes],
        "words": found.words,
        "values": found.values,
    }


def _as_text(name: str, found: Fit) -> str:
    """The estimate as asked for, then what fits and how to write it down."""
    lines = [f"{name}, as asked for:", *_parts(found.before, found.free_bytes)]
    if found.changes:
        title = "What fits:" if found.fits else "The smallest settings:"
        lines += ["", title, *(f"  - {word}" for word in found.words), *_parts(found.after, found.free_bytes)]
    else:
        lines += ["", *found.words]
    if found.fits and found.values:
        lines += ["", "To write into the spec:", "", yaml.safe_dump(found.values, sort_keys=False).rstrip()]
    return "\n".join(lines)


def _parts(estimated: MemoryEstimate, free_bytes: int) -> list[str]:
    largest = max(part.bytes for part in estimated.parts)
    lines = [
        f"  {part.label:<12} {part.bytes / GB:6.2f} GB  {'█' * round(BAR * part.bytes / largest):<{BAR}}  {part.reason}"
        for part in estimated.parts
    ]
    return [*lines, f"  {'Together':<12} {estimated.total / GB:6.2f} GB of {free_bytes / GB:.2f} GB"]
