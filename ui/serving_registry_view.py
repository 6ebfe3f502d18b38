"""Registered models as HTML: a table of versions, one version with its origin and evidence, a name's history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from serving.registry.records import Change, Evidence, Version
from ui.clicks import button
from ui.job_view import empty
from ui.words import when

NOTHING = (
    "No model is registered yet. Register a finished training or an exported file below; servers that serve "
    "registry:NAME then follow whichever version is in production."
)
STAGE_CHIPS = {"production": "succeeded", "candidate": "running", "retired": ""}
TONES = {"better": "better", "worse": "worse"}
UNKNOWN = "<span class='quiet'>not known</span>"


def versions_html(versions: Sequence[Version], chosen: str) -> str:
    """Every version as a line, the one in production marked. `chosen`: the label of the one that is open below."""
    if not versions:
        return empty(NOTHING)
    head = "<tr><th>Version</th><th>Stage</th><th>Base</th><th>Data</th><th>Verdict</th><th>Registered</th></tr>"
    lines = "".join(_line(version, version.label == chosen) for version in versions)
    return f"<div class='hearth-result hearth-registry scroll'><table>{head}{lines}</table></div>"


def _line(version: Version, chosen: bool) -> str:
    tags = "".join(f' <span class="chip tag">{escape(tag)}</span>' for tag in version.tags)
    quiet = " class=quiet" if version.stage == "retired" else ""
    return (
        f"<tr{quiet}><td>{button('choose', version.label, version.label, pressed=chosen)}{tags}</td>"
        f"<td>{stage_chip(version)}</td><td>{_known(version.lineage.base)}</td><td>{_known(version.lineage.data)}</td>"
        f"<td class='said'>{escape(verdict_of(version))}</td><td>{when(version.created)}</td></tr>"
    )


def stage_chip(version: Version) -> str:
    return f'<span class="chip {STAGE_CHIPS[version.stage]}">{version.stage}</span>'


def verdict_of(version: Version) -> str:
    """The newest verdict on the version, in words."""
    main = [each for each in version.evidence if each.main]
    said = next((each for each in main if each.sentence), None)
    if said is not None:
        return f"{said.task}: {said.sentence}"
    return _measured(main[0]) if main else "not evaluated yet"


def _measured(evidence: Evidence) -> str:
    figure = f"{100 * evidence.mean:.1f} %" if evidence.unit == "points" else f"{evidence.mean:.3g}"
    return f"{evidence.task}: {evidence.metric} {figure}"


def version_html(version: Version) -> str:
    """One version: what stands for it, where it came from, what was measured of it."""
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in _facts(version))
    note = f"<p>{escape(version.note)}</p>" if version.note else ""
    verdicts = "".join(
        f'<div class="verdict small {TONES.get(each.outcome or "", "open")}">{escape(each.sentence or _measured(each))}'
        f'<span class="plain quiet">{escape(each.task)} on {escape(each.data or "its own questions")}, '
        f"{when(each.time)}</span></div>"
        for each in version.evidence
        if each.main
    )
    none = "<p class='quiet'>No evaluation measured it yet. Make one on the Evaluation tab.</p>"
    head = f"<h3>{escape(version.label)} {stage_chip(version)}</h3>"
    return f"<div class='hearth-result hearth-version'>{head}{note}<table>{rows}</table>{verdicts or none}</div>"


def _facts(version: Version) -> Iterator[tuple[str, str]]:
    lineage, licences = version.lineage, version.licences
    yield "Model", f"<code>{escape(version.ref)}</code>"
    yield "Base", _known(lineage.base)
    if lineage.parent:
        yield "Trained on from", escape(lineage.parent)
    yield "Data", _known(lineage.data)
    yield "Method", _known(lineage.method)
    if lineage.job:
        yield "Made by", escape(f"{lineage.job}{f', exported by {lineage.export}' if lineage.export else ''}")
    base, data = (licence or "not stated" for licence in (licences.base, licences.data))
    yield "Licences", f"base {escape(base)}, data {escape(data)}"


def _known(value: str | None) -> str:
    return escape(value) if value else UNKNOWN


def history_html(changes: Sequence[Change]) -> str:
    """What was done to a name's versions and why, the newest first."""
    lines = "".join(
        f"<tr><td>{when(change.time)}</td><td>{escape(change.action)} {escape(change.name)}@{change.number}</td>"
        f"<td>{_moved(change)}</td><td>{escape(change.reason)}</td></tr>"
        for change in reversed(changes)
    )
    head = "<tr><th>When</th><th>What</th><th>In production</th><th>Why</th></tr>"
    return f"<div class='hearth-result scroll'><table>{head}{lines}</table></div>"


def _moved(change: Change) -> str:
    if change.before == change.after:
        return "<span class='quiet'>as before</span>"
    before, after = (f"@{number}" if number is not None else "none" for number in (change.before, change.after))
    return f"{before} → {after}"
