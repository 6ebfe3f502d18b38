"""The GPU benchmark's results as JSON and Markdown, and read again to go on from."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.gpu_aims import Aim, aims, best, ratio
from benchmarks.gpu_plan import CONTESTANTS, Result, Scale, Setting
from jobs.errors import BadInput
from jobs.files import read_json, write_json, write_text
from models.hardware import GB, Hardware

LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "unsloth", "unsloth_zoo", "triton", "xformers")


@dataclass(frozen=True)
class Conditions:
    """What results have to share to stand in one table. `weights` of QLoRA's models on the disk: 16 bit or 4 bit."""

    machine: str
    on_card: bool
    tiny: bool
    driver: str
    python: str
    libraries: dict[str, str]
    steps: int
    weights: str

    @property
    def file_name(self) -> str:
        """Without an ending."""
        words = f"tiny shapes on {self.machine}" if self.tiny else self.machine
        return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")

    @property
    def counts(self) -> bool:
        """Whether the aims can be judged by it."""
        return self.on_card and not self.tiny


def conditions_here(hardware: Hardware, *, tiny: bool, steps: int, four_bit: bool) -> Conditions:
    """Those of this machine."""
    card = hardware.gpus[0] if hardware.gpus else None
    installed = {each.metadata["Name"].lower().replace("-", "_"): each.version for each in _installed()}
    return Conditions(
        machine=card.name if card else "CPU",
        on_card=card is not None,
        tiny=tiny,
        driver=card.driver if card else "",
        python=platform.python_version(),
        libraries={name: installed[name] for name in LIBRARIES if name in installed},
        steps=steps,
        weights="4 bit" if four_bit else "16 bit",
    )


def _installed() -> list[importlib.metadata.Distribution]:
    return [each for each in importlib.metadata.distributions() if each.metadata["Name"]]


def write_report(out: Path, conditions: Conditions, results: list[Result], scale: Scale) -> None:
    """Everything so far, as `<machine>.json` and `<machine>.md`."""
    judged = aims(results, scale, on_card=conditions.counts)
    known: dict[str, Any] = {
        "conditions": asdict(conditions),
        "measured": time.strftime("%Y-%m-%d"),
        "aims": [asdict(aim) for aim in judged],
        "results": [{**asdict(result), "error": result.error} for result in results],
    }
    write_json(out / f"{conditions.file_name}.json", known)
    write_text(out / f"{conditions.file_name}.md", markdown(conditions, results, judged, scale))


def read_results(out: Path, conditions: Conditions) -> list[Result]:
    """What an earlier call measured; runs that ended for another reason than memory are left out, to be tried again.

    Raises BadInput where it measured under other conditions.
    """
    path = out / f"{conditions.file_name}.json"
    known = read_json(path)
    if known is None:
        return []
    before, now = known["conditions"], asdict(conditions)
    changed = [f"{name}: {before.get(name)}, now {now[name]}" for name in now if before.get(name) != now[name]]
    if changed:
        raise BadInput(
            f"{path} can't be gone on with.",
            f"It was measured under other conditions ({'; '.join(changed)}).",
            "Leave out --resume to begin anew, or give another --out.",
        )
    return [_result(entry) for entry in known["results"] if entry["did_fit"] is not None]


def _result(entry: dict[str, Any]) -> Result:
    values = {name: value for name, value in entry.items() if name != "error"}
    return Result(**{**values, "setting": Setting(**entry["setting"])})


def markdown(conditions: Conditions, results: list[Result], judged: list[Aim], scale: Scale) -> str:
    """Conditions, aims, the best batches, and every run."""
    versions = ", ".join(f"{name} {version}" for name, version in conditions.libraries.items())
    driver = f", driver {conditions.driver}" if conditions.driver else ""
    parts = [
        f"# Training on {conditions.machine}",
        "Tiny shapes: these figures only show that the benchmark runs." if conditions.tiny else "",
        f"Measured {time.strftime('%Y-%m-%d')}{driver}, Python {conditions.python}, {versions}. Median of "
        f"{conditions.steps} steps, the first ones left out; weights of QLoRA on the disk in {conditions.weights}. "
        "`plain` is a bare PEFT + bitsandbytes + TRL script, `peft` and `unsloth` are Hearth's backends.",
        "## Aims",
        "\n".join(["| aim | verdict | found |", "|---|---|---|", *(_aim_line(aim) for aim in judged)]),
        "## Each at its own best batch",
        best_table(results, scale) or "Not measured.",
        "## Every run",
        table(results),
        f"Memory is the process's peak: {'; '.join(sorted({each.peak_measured_by for each in results} - {''}))}."
        if results
        else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _aim_line(aim: Aim) -> str:
    return f"| {aim.what} | {aim.verdict} | {aim.found} |"


def table(results: list[Result]) -> str:
    """A line for each run, against the plain script at the same setting."""
    lines = [
        "| model | method | batch × tokens | cap | contestant | tokens/s | peak | against plain | estimate | error "
        "| said it fits | did it fit |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    known = {result.setting: result for result in results}
    for result in results:
        setting = result.setting
        plain = known.get(replace(setting, contestant="plain"))
        cells = [
            setting.model, f"{setting.adapter} {setting.objective}", f"{setting.batch_size} × {setting.length:,}",
            _cap(setting), setting.contestant, _speed(result),
            _gb(result.peak) if result.did_fit else "", against(result, plain), _gb(result.estimated),
            "" if result.error is None else f"{100 * result.error:+.0f} %",
            _yes(result.said_fits), _yes(result.did_fit),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def best_table(results: list[Result], scale: Scale) -> str:
    """The quickest batch of each contestant where larger and larger ones were tried; empty when none were."""
    doubled = [result.setting for result in results if result.setting.batch_size == 2]
    families = dict.fromkeys(replace(setting, batch_size=1, contestant="plain") for setting in doubled)
    lines = []
    for family in families:
        plain = best(results, family, scale.largest_batch)
        for contestant in CONTESTANTS:
            found = best(results, replace(family, contestant=contestant), scale.largest_batch)
            if found is not None:
                where = f"{family.model} | {family.length:,} | {_cap(family)} | {contestant}"
                figures = f"{found.setting.batch_size} | {_speed(found)} | {_gb(found.peak)} | {against(found, plain)}"
                lines.append(f"| {where} | {figures} |")
    head = "| model | tokens | cap | contestant | batch | tokens/s | peak | against plain |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *lines]) if lines else ""


def against(result: Result, plain: Result | None) -> str:
    """Speed and memory as ratios to the plain script's; empty where one of the two is lacking."""
    if plain is None or plain is result or not (result.did_fit and plain.did_fit):
        return ""
    quicker, smaller = ratio(result.tokens_per_second, plain.tokens_per_second), ratio(result.peak, plain.peak)
    return f"{quicker:.2f} × speed, {smaller:.2f} × memory" if quicker and smaller else ""


def _speed(result: Result) -> str:
    if result.did_fit:
        return f"{result.tokens_per_second:,.0f}"
    return "memory full" if result.did_fit is False else result.problem.replace("|", "/")[:100]


def _cap(setting: Setting) -> str:
    return f"{setting.cap_gb:g} GB" if setting.cap_gb else "none"


def _gb(size: int | None) -> str:
    return f"{size / GB:.2f} GB" if size else ""


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[value]
