"""Rows changed or deleted by hand: a layer over the sources, kept in the Datasets tab's draft.

Every change is appended, so that the last one can be taken back; `edits_of` gives what a spec takes: the last state of
each row. A row is known by its source and its number there, so an edit meets every copy that weights made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from datasets_src.checks import ROW_CHECKS, CheckSettings
from datasets_src.rows import PARTS, Kind, Row, from_canonical, kind_of
from datasets_src.spec import EditSpec
from jobs.errors import BadInput
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft
from ui.words import count

TAB = "datasets"
Origin = tuple[str, int]
Mark = Literal["", "edited", "deleted", "taken back"]
# What an edit replaces; the rest of a row (source, tag, group) stays.
CONTENT = (*dict.fromkeys(name for parts in PARTS.values() for name in parts), "label", "tools", "answer")
KINDS_IN_WORDS: dict[Kind, str] = {
    "conversation": "conversations (`messages`)",
    "preference": "preference pairs (`prompt`, `chosen`, `rejected`)",
    "unpaired": "answers marked good or bad (`prompt`, `completion`, `label`)",
    "text": "plain text (`text`)",
}


@dataclass(frozen=True)
class Layer:
    """The edits beside the rows of a folder.

    `waiting` aren't in these rows yet (None: shall be deleted), `applied` are; `taken_back` are in these rows, but no
    longer wanted.
    """

    waiting: dict[Origin, Row | None]
    applied: dict[Origin, Row | None]
    taken_back: frozenset[Origin]

    def mark(self, row: Row) -> Mark:
        """What was done to a row by hand."""
        origin = origin_of(row)
        if origin in self.taken_back:
            return "taken back"
        edited = {**self.applied, **self.waiting}
        return "" if origin not in edited else "deleted" if edited[origin] is None else "edited"

    def shown(self, row: Row) -> Row:
        """The row with the change that waits for it."""
        value = self.waiting.get(origin_of(row))
        if value is None:
            return row
        return {**value, **{name: kept for name, kept in row.items() if name not in (*CONTENT, "raw")}}

    def waits_for(self, row: Row) -> bool:
        """Whether the row will read otherwise once the edits are applied."""
        return origin_of(row) in self.waiting or origin_of(row) in self.taken_back

    @property
    def in_words(self) -> str:
        """How many edits there are and what applies them; "" without any."""
        edited = {**self.applied, **self.waiting}
        deleted = sum(value is None for value in edited.values())
        parts = [
            f"{count(len(edited) - deleted, 'row')} changed" if len(edited) > deleted else "",
            f"{count(deleted, 'row')} deleted" if deleted else "",
        ]
        said = " and ".join(part for part in parts if part)
        waiting = len(self.waiting) + len(self.taken_back)
        if not waiting:
            return f"{said} by hand, as shown here." if said else ""
        taken_back = f"{count(len(self.taken_back), 'edit')} taken back" if self.taken_back else ""
        said = "; ".join(part for part in (f"{said} by hand" if said else "", taken_back) if part)
        waits = "1 edit waits" if waiting == 1 else f"{waiting:,} edits wait"
        them = "it" if waiting == 1 else "them"
        return f"{said}. {waits}: press Check or Build to apply {them}. The files stay as they are."


def edits_of(workspace: Workspace) -> list[dict[str, Any]]:
    """The edits as a DatasetSpec takes them: one for each row, the last."""
    last = {(edit["source"], edit["row"]): edit for edit in _history(workspace)}
    return list(last.values())


def change(workspace: Workspace, source: str, row: int, value: Row, kind: Kind | None = None) -> None:
    """Have a row read `value` from now on. Raises BadInput for a value that no row of this `kind` can have."""
    check_value(value, kind)
    _append(workspace, source, row, value)


def delete(workspace: Workspace, source: str, row: int) -> None:
    """Leave a row out from now on."""
    _append(workspace, source, row, None)


def undo(workspace: Workspace) -> EditSpec | None:
    """Take the last edit back and return it; None when there is none."""
    history = _history(workspace)
    if not history:
        return None
    *rest, last = history
    save_draft(workspace, TAB, edits=rest or None, undone_edits=[*_undone(workspace), last])
    return EditSpec.parse(last, "the edit")


def redo(workspace: Workspace) -> EditSpec | None:
    """Do again what was taken back last and return it; None when there is none."""
    undone = _undone(workspace)
    if not undone:
        return None
    *rest, last = undone
    save_draft(workspace, TAB, edits=[*_history(workspace), last], undone_edits=rest or None)
    return EditSpec.parse(last, "the edit")


def restore(workspace: Workspace, source: str, row: int) -> None:
    """Forget every edit of one row."""
    rest = [edit for edit in _history(workspace) if (edit["source"], edit["row"]) != (source, row)]
    save_draft(workspace, TAB, edits=rest or None, undone_edits=None)


def undo_all(workspace: Workspace) -> None:
    """Take every edit back; each can be done again, the first one first."""
    undone = [*_undone(workspace), *reversed(_history(workspace))]
    save_draft(workspace, TAB, edits=None, undone_edits=undone or None)


def can_undo(workspace: Workspace) -> bool:
    return bool(_history(workspace))


def can_redo(workspace: Workspace) -> bool:
    return bool(_undone(workspace))


def origin_of(row: Row) -> Origin:
    """The source and number that a row is known by."""
    return str(row.get("source", "")), int(row.get("row", 0))


def value_of(row: Row) -> Row:
    """What an edit would replace of a row; empty for one that can't be read."""
    return {name: row[name] for name in CONTENT if name in row}


def layer_of(workspace: Workspace, folder: Path) -> Layer:
    """The edits that there are now beside those that the rows in `folder` were made with."""
    wanted = {(edit["source"], edit["row"]): edit["value"] for edit in edits_of(workspace)}
    path = folder / "spec.yaml"
    inside = _edits_in(path, path.stat().st_mtime_ns) if path.is_file() else {}
    applied = {origin: value for origin, value in wanted.items() if origin in inside and inside[origin] == value}
    return Layer(
        waiting={origin: value for origin, value in wanted.items() if origin not in applied},
        applied=applied,
        taken_back=frozenset(inside) - frozenset(wanted),
    )


def check_value(value: Any, kind: Kind | None = None) -> None:
    """Raises BadInput for a value that isn't a row of this kind, or that a build would stop at."""
    if not isinstance(value, dict):
        raise BadInput("This is no row.", "A row is a JSON object: names with values.", "Begin with { and end with }.")
    unknown = [name for name in value if name not in CONTENT]
    found = kind_of(value)
    missing = [part for part in PARTS[found] if part not in value]
    if unknown or missing or (kind is not None and kind != found):
        given = ", ".join(value) or "nothing"
        raise BadInput(
            f"This row has {given}.",
            f"The dataset holds {KINDS_IN_WORDS[kind or found]}; other columns of a row can't be changed here.",
            f"Give it {', '.join(PARTS[kind or found])}" + (", label." if (kind or found) == "unpaired" else "."),
        )
    _check_shape(value, found)
    row = from_canonical(value)
    faults = [
        finding for check in ROW_CHECKS if check.default == "stop" for finding in check.find(row, CheckSettings())
    ]
    if faults:
        lines = "\n".join(f"- {fault.field or 'the row'}: {fault.what} ({fault.why})" for fault in faults)
        raise BadInput(
            f"A model can't be trained on this row:\n{lines}",
            "A build would stop at it.",
            "Mend it, or delete the row. What you typed is still there.",
        )


def _check_shape(value: Row, kind: Kind) -> None:
    """Raises BadInput where a part isn't text, a list of turns, or a mark."""
    if kind == "text":
        faults = [] if isinstance(value["text"], str) else ["`text` has to be text"]
    else:
        faults = [fault for part in PARTS[kind] for fault in _turn_faults(part, value[part])]
    if kind == "unpaired" and not isinstance(value.get("label"), bool):
        faults.append("`label` has to be true (a good answer) or false (a bad one)")
    tools = value.get("tools", [])
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        faults.append("`tools` has to be a list of objects")
    if faults:
        raise BadInput(
            "This row can't be read:\n" + "\n".join(f"- {fault}" for fault in faults),
            'A turn is written {"role": "user", "content": "…"}; roles are system, user, assistant and tool.',
            "Mend these places. What you typed is still there.",
        )


def _turn_faults(part: str, turns: Any) -> list[str]:
    if not isinstance(turns, list):
        return [f"`{part}` has to be a list of turns"]
    return [
        f"`{part}`, turn {number}: a turn needs a `role` and a `content`"
        for number, turn in enumerate(turns, start=1)
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str) or "content" not in turn
    ]


def _append(workspace: Workspace, source: str, row: int, value: Row | None) -> None:
    edit = EditSpec.parse({"source": source, "row": row, "value": value}, "the edit")
    save_draft(workspace, TAB, edits=[*_history(workspace), edit.model_dump(mode="json")], undone_edits=None)


def _history(workspace: Workspace) -> list[dict[str, Any]]:
    return list(read_draft(workspace, TAB).get("edits", []))


def _undone(workspace: Workspace) -> list[dict[str, Any]]:
    return list(read_draft(workspace, TAB).get("undone_edits", []))


@lru_cache(maxsize=4)
def _edits_in(spec: Path, _modified_ns: int) -> dict[Origin, Row | None]:
    """The edits that the rows beside a spec were made with. Most specs have none, and YAML is slow to read."""
    if b"\nedits: []" in spec.read_bytes():
        return {}
    listed = read_yaml(spec).get("edits", [])
    return {(edit["source"], edit["row"]): edit.get("value") for edit in listed}
