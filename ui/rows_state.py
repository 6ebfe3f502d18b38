"""What the rows browser shows: which rows are asked for, which page of them, which one is looked at. Kept as a draft.

Reading it opens the folder of a dataset version or of a check and checks what is kept against what is there now.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from datasets_src.browse import Filter, Page, Part, Rows
from datasets_src.rows import Kind, Row
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft
from ui.edits import Layer, layer_of, origin_of
from ui.words import count

DRAFT = "rows"
PAGE_ROWS = 25
PARTS: tuple[Part, ...] = get_args(Part)
PART_TITLES: dict[Part, str] = {"train": "Training", "eval": "Evaluation", "left_out": "Left out"}
Look = Literal["chat", "tokens", "edit"]
LOOKS: tuple[Look, ...] = get_args(Look)


@dataclass(frozen=True)
class Chosen:
    """The row that is looked at: its place in a part (from 1), and its source and number there, which stay its own."""

    part: Part
    place: int
    source: str
    row: int


@dataclass(frozen=True)
class View:
    """`start`: the first row shown among those of the filter, from 0."""

    wanted: Filter = field(default_factory=Filter)
    start: int = 0
    chosen: Chosen | None = None
    look: Look = "chat"


@dataclass(frozen=True)
class Facts:
    """What is known of a folder's rows without reading any. `found` counts by part and check's name."""

    report: dict[str, Any]
    counts: dict[Part, int]
    found: dict[Part, dict[str, int]]
    tags: dict[str, int]
    sources: dict[str, int]
    languages: dict[str, int]

    @property
    def kind(self) -> Kind:
        kind: Kind = self.report["kind"]
        return kind

    @property
    def titles(self) -> dict[str, str]:
        """What people read for a check's name."""
        return {check["name"]: check["title"] for check in self.report["checks"]}

    @property
    def counted(self) -> bool:
        """Whether lengths are known in tokens."""
        return self.report["tokens"] is not None


@dataclass(frozen=True)
class Browser:
    """A folder's rows as they are looked at now."""

    rows: Rows
    facts: Facts
    layer: Layer
    view: View
    page: Page

    @property
    def chosen(self) -> Row | None:
        """The row that is looked at, as the edits have it."""
        chosen = self.view.chosen
        return self.layer.shown(self.rows.row(chosen.part, chosen.place)) if chosen else None


def is_there(folder: Path | None) -> bool:
    """Whether a folder holds finished rows: the report is written after them."""
    return folder is not None and (folder / "index.parquet").is_file() and (folder / "report.json").is_file()


def open_browser(workspace: Workspace, folder: Path) -> Browser:
    """Read what the draft asks for; what the folder doesn't have is not asked for any longer."""
    rows = Rows(folder)
    facts = facts_of(folder)
    view = _fitting(read_view(workspace), rows, facts)
    page = rows.page(view.wanted, view.start, PAGE_ROWS)
    if view.start and not page.rows:
        view = replace(view, start=last_start(page.total))
        page = rows.page(view.wanted, view.start, PAGE_ROWS)
    return Browser(rows, facts, layer_of(workspace, folder), view, page)


def facts_of(folder: Path) -> Facts:
    """What is known of the rows in a folder; worked out once as long as they stay the same."""
    return _facts(folder, (folder / "index.parquet").stat().st_mtime_ns, (folder / "report.json").stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _facts(folder: Path, _index_ns: int, _report_ns: int) -> Facts:
    rows = Rows(folder)
    report = rows.report
    found: dict[Part, dict[str, int]] = {part: {} for part in PARTS}
    for part, flags, number in rows.index.group_by("part", "checks").len().iter_rows():
        for name in rows.names_of(flags):
            found[part][name] = found[part].get(name, 0) + number
    # A source whose rows were all left out is in the report alone.
    sources = {**{source["source"]: 0 for source in report["sources"]}, **rows.values("source")}
    return Facts(
        report=report,
        counts={part: rows.count(part) for part in PARTS},
        found=found,
        tags=rows.values("tag"),
        sources=sources,
        languages=rows.values("language"),
    )


def read_view(workspace: Workspace) -> View:
    """What is kept; what can't be read (a draft edited by hand) is as at first."""
    draft = read_draft(workspace, DRAFT)
    given = draft.get("filter")
    kept = given if isinstance(given, dict) else {}
    texts = {each.name: str(kept[each.name]) for each in fields(Filter) if each.name in kept and each.name != "part"}
    part: Part = next((part for part in PARTS if part == kept.get("part")), "train")
    look: Look = next((look for look in LOOKS if look == draft.get("look")), "chat")
    start = draft.get("start", 0)
    return View(
        wanted=Filter(part, **texts),
        start=start if isinstance(start, int) and start >= 0 else 0,
        chosen=_chosen(draft.get("chosen")),
        look=look,
    )


def _chosen(kept: Any) -> Chosen | None:
    try:
        chosen = Chosen(**kept)
    except TypeError:
        return None
    return chosen if chosen.part in PARTS and isinstance(chosen.place, int) else None


def _fitting(view: View, rows: Rows, facts: Facts) -> View:
    """The view without what these rows don't have."""
    wanted = view.wanted
    checks = {name for found in facts.found.values() for name in found}
    fitting = replace(
        wanted,
        check=wanted.check if wanted.check in checks else "",
        tag=wanted.tag if wanted.tag in facts.tags else "",
        source=wanted.source if wanted.source in facts.sources else "",
        language=wanted.language if wanted.language in facts.languages else "",
    )
    return replace(view, wanted=fitting, chosen=_still_there(view.chosen, rows))


def _still_there(chosen: Chosen | None, rows: Rows) -> Chosen | None:
    """The chosen row, unless another stands in its place by now."""
    if chosen is None or not 1 <= chosen.place <= rows.count(chosen.part):
        return None
    return chosen if origin_of(rows.row(chosen.part, chosen.place)) == (chosen.source, chosen.row) else None


def last_start(total: int) -> int:
    """Where the last page begins."""
    return max(0, (total - 1) // PAGE_ROWS * PAGE_ROWS)


def ask_for(workspace: Workspace, wanted: Filter) -> None:
    """Ask for other rows, from the first one on."""
    save_draft(workspace, DRAFT, filter=asdict(wanted), start=None)


def turn_to(workspace: Workspace, start: int) -> None:
    """Show the rows from there on."""
    save_draft(workspace, DRAFT, start=start)


def keep_look(workspace: Workspace, look: Look) -> None:
    """How rows are looked at."""
    save_draft(workspace, DRAFT, look=look)


def choose(workspace: Workspace, folder: Path, part: Part, place: int) -> None:
    """Look at a row. Raises BadInput for a place that the part doesn't have."""
    rows = Rows(folder)
    total = rows.count(part)
    if not 1 <= place <= total:
        raise BadInput(
            f"There is no row {place:,} in {PART_TITLES[part]}.",
            f"That part has {count(total, 'row')}.",
            f"Enter a number from 1 to {total:,}." if total else "Choose another part.",
        )
    source, number = origin_of(rows.row(part, place))
    save_draft(workspace, DRAFT, chosen=asdict(Chosen(part, place, source, number)))


def go_to(workspace: Workspace, folder: Path, place: int) -> None:
    """Look at a row of the part that is shown, and turn to its page; filters that could hide it are taken away."""
    part = read_view(workspace).wanted.part
    choose(workspace, folder, part, place)
    ask_for(workspace, Filter(part=part))
    turn_to(workspace, (place - 1) // PAGE_ROWS * PAGE_ROWS)
