"""The sources of a dataset on the page: what each is called, a first look into it, and its card.

A look reads the first rows only, as a build would read them; what all rows hold is the check's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import orjson

from datasets_src.inspect import Inspection, inspect_source
from datasets_src.spec import DATASET, HUB, INTERACTIONS, JOB, SourceSpec
from jobs.errors import UserError
from jobs.workspace import Workspace
from ui.column_map import Known
from ui.errors import error_box, explain
from ui.job_view import empty
from ui.paths import inside
from ui.rows_view import inspection_html
from ui.spec_list import Card, Item
from ui.words import count

ROWS_LOOKED_AT = 2_000
FIX_COLUMNS = "Say under “Which column holds what” what its columns mean, or choose another format."
# What decides on a look; a tag or a weight changes nothing about what is in the file.
LOOKED_BY = ("path", "text", "format", "columns", "where")
# The columns of other sources are known, so that there they are chosen from lists.
OF_THE_HUB = ("config", "split", "revision", "columns")


@dataclass(frozen=True)
class Look:
    """What a first look at a source found. `columns` are known as soon as its rows can be read at all.

    Without an `inspection`, `problem` says why; neither is there for what only the check reads.
    """

    inspection: Inspection | None = None
    columns: Known | None = None
    problem: UserError | None = None


def name_of(item: Item) -> str:
    """What a source is called on the page."""
    path = str(item.get("path") or "")
    if not path:
        return "Pasted rows"
    if path == INTERACTIONS:
        return "Logged interactions"
    for prefix, words in ((HUB, "Hub: "), (DATASET, "Dataset: "), (JOB, "Job: ")):
        if path.startswith(prefix):
            return words + path.removeprefix(prefix)
    return path.removeprefix("uploads/")


def option_applies(item: Item, option: str) -> bool:
    """Whether an option of SourceSpec says anything about this source."""
    path = str(item.get("path") or "")
    if option in OF_THE_HUB:
        return path.startswith(HUB)
    return path == INTERACTIONS if option == "where" else option != "text" or not path


def look_at(workspace: Workspace, item: Item) -> Look:
    """The first rows of a source. What the Hub holds is left to the check, which may fetch it."""
    if str(item.get("path") or "").startswith(HUB):
        return Look()
    asked = {name: item[name] for name in LOOKED_BY if name in item}
    return _looked(str(workspace.root), orjson.dumps(asked).decode(), _stamp(workspace, item))


def _stamp(workspace: Workspace, item: Item) -> str:
    """Changes whenever what the source holds may have changed."""
    path = str(item.get("path") or "")
    if path.startswith(JOB):
        places = [workspace.jobs / path.removeprefix(JOB) / "rows.jsonl"]
    elif path.startswith(DATASET):
        places = [workspace.datasets / path.removeprefix(DATASET).partition("@")[0] / "builds.jsonl"]
    elif path == INTERACTIONS:
        places = [workspace.root / name for name in ("interactions.sqlite", "interactions.sqlite-wal")]
    else:
        places = [workspace.root / path]
    known = [place.stat() for place in places if place.is_file()]
    return " ".join(f"{each.st_mtime_ns} {each.st_size}" for each in known)


@lru_cache(maxsize=64)
def _looked(root: str, asked: str, _stamp: str) -> Look:
    workspace, given = Workspace(Path(root)), orjson.loads(asked)
    try:
        source = SourceSpec.parse(given, "This source")
        if source.is_file:
            inside(workspace, str(source.path))
    except UserError as problem:
        return Look(problem=problem)
    try:
        found = inspect_source(source, workspace, base=workspace.root, max_rows=ROWS_LOOKED_AT)
    except UserError as problem:
        return Look(columns=_columns_alone(source, workspace), problem=problem)
    return Look(found, Known.of(found))


def _columns_alone(source: SourceSpec, workspace: Workspace) -> Known | None:
    """The columns of a source whose format or mapping doesn't fit it; None when its rows can't be read either."""
    plain = source.model_copy(update={"format": "auto", "columns": {}})
    try:
        found = inspect_source(plain, workspace, base=workspace.root, max_rows=ROWS_LOOKED_AT)
    except UserError:
        return None
    there = {name: column for name, column in source.columns.items() if column in found.columns}
    return Known(found.columns, there, None if source.format == "auto" else source.format)


def raw_rows_of(workspace: Workspace, item: Item) -> Inspection | None:
    """The rows as they stand in a source that its own format or mapping doesn't fit."""
    plain = {name: value for name, value in item.items() if name not in ("format", "columns")}
    return look_at(workspace, plain).inspection


def card_of(workspace: Workspace, item: Item) -> Card:
    """A source as a card."""
    look = look_at(workspace, item)
    settings = _settings_in_words(item)
    about, state = _look_in_words(look)
    return Card(name_of(item), " · ".join(part for part in (about, settings) if part), state)


def _look_in_words(look: Look) -> tuple[str, str]:
    if look.problem is not None:
        return escape(look.problem.what.splitlines()[0]), "bad"
    found = look.inspection
    if found is None:
        return "read when the rows are checked or built", ""
    rows = count(found.rows, "row") if found.complete else f"more than {count(found.rows, 'row')}"
    if found.format is None:
        return f"{rows} · <b>its columns fit no known format: say what they mean</b>", "bad"
    unusable = f" · <b>{count(found.bad, 'row')} can't be used</b>" if found.bad else ""
    return f"{rows} · {escape(found.title)} ({escape(found.evidence)}){unusable}", "bad" if found.bad else "good"


def _settings_in_words(item: Item) -> str:
    parts = [
        f"tag {escape(str(item['tag']))}" if item.get("tag") else "",
        f"{item['weight']:g} times" if item.get("weight", 1) != 1 else "",
        f"at most {count(int(item['max_rows']), 'row')}" if item.get("max_rows") else "",
        f"for {item['part']} alone" if item.get("part", "auto") != "auto" else "",
    ]
    return " · ".join(part for part in parts if part)


def look_html(workspace: Workspace, item: Item | None) -> str:
    """The chosen source's rows, with the evidence for its format, or why they can't be read."""
    if item is None:
        return ""
    look, name = look_at(workspace, item), name_of(item)
    if look.problem is not None:
        raw = raw_rows_of(workspace, item) if look.columns else None
        if raw is None:
            shown = explain(look.problem)
        else:  # the remedy stands right below, in other words than a spec's
            shown = error_box(look.problem.what, "", FIX_COLUMNS)
            shown += inspection_html(raw, name, raw_only=True)
    elif look.inspection is None:
        shown = empty(f"{name} is fetched when you press “Check rows”; what is in it shows there.")
    else:
        shown = inspection_html(look.inspection, name)
    return f'<div class="hearth-look">{shown}</div>'
