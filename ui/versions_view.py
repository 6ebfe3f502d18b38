"""Dataset versions as HTML: the list of them, where one comes from, and how two differ. Knows nothing of gradio."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from datasets_src.compare import Change, Comparison
from datasets_src.store import DatasetVersion
from ui.clicks import button
from ui.job_view import empty
from ui.rows_view import rows_table
from ui.words import count, size, when

OPEN = "open"
LISTED = 50
LISTED_CHANGES = 5
NOTHING = "No dataset was built here yet. “Build dataset” makes the first version; each later one is kept beside it."
DIFFERENCES = {
    "added": "new in the second",
    "removed": "gone from the first",
    "changed": "reading otherwise",
    "moved": "moved to the other part",
}
# How much of a hash is shown: enough to compare by eye.
SHOWN_OF_HASH = 12


def versions_html(versions: Sequence[DatasetVersion], chosen: str | None) -> str:
    """All versions, the latest built first; a click on one opens it."""
    if not versions:
        return empty(NOTHING)
    lines = "".join(
        f'<tr class="{"chosen" if each.id == chosen else ""}"><td>'
        f"{button(OPEN, each.id, each.id, pressed=each.id == chosen)}</td>"
        f"<td class='number'>{each.train_rows:,}</td><td class='number'>{each.eval_rows:,}</td>"
        f"<td>{when(each.built)}</td><td class='quiet'>{escape(_made_of(each))}</td></tr>"
        for each in versions[:LISTED]
    )
    head = _heading("Version", "#Training rows", "#Evaluation rows", "Built", "From")
    rest = f"<p class='quiet'>and {len(versions) - LISTED:,} older ones</p>" if len(versions) > LISTED else ""
    table = f"<table>{head}{lines}</table>"
    return f'<div class="hearth-versions scroll">{table}</div>{rest}'


def _made_of(version: DatasetVersion) -> str:
    names = [source["source"] for source in version.report["sources"]]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def lineage_html(version: DatasetVersion) -> str:
    """What a version was made of: each source, what told its content, how it was read, what was used of it."""
    lines = "".join(
        f"<tr><td>{escape(source['source'])}</td><td>{escape(source['format'])}"
        f"<div class='quiet'>{escape(source['evidence'])}</div></td>"
        f"<td class='quiet'>{escape(source['identity'][:SHOWN_OF_HASH])}</td>"
        f"<td class='number'>{source['read']:,}</td><td class='number'>{source['train'] + source['eval']:,}</td></tr>"
        for source in version.report["sources"]
    )
    head = _heading("Source", "Read as", "Content", "#Rows read", "#Rows used")
    table = f'<div class="scroll lineage"><table>{head}{lines}</table></div>'
    summary = escape(version.report["summary"][0])
    note = f"Content: the beginning of the source's hash, or its version. Seed {version.report['seed']}."
    title = f"<h3>{escape(version.id)}</h3><p>{summary}</p>"
    return f'<div class="hearth-result">{title}{table}<p class="quiet">{note}</p></div>'


def _heading(*titles: str) -> str:
    """The first line of a table; a # marks a column of numbers."""
    cells = "".join(
        f'<th class="number">{title[1:]}</th>' if title.startswith("#") else f"<th>{title}</th>" for title in titles
    )
    return f"<tr>{cells}</tr>"


def card_markdown(version: DatasetVersion) -> str:
    """The dataset card without the lines that only the Hub reads."""
    text = version.card
    if text.startswith("---\n"):
        _, _, text = text.removeprefix("---\n").partition("\n---\n")
    return text.strip()


def comparison_html(comparison: Comparison) -> str:
    """How many rows differ and in what way, with examples."""
    counts: dict[str, int] = {name: getattr(comparison, name) for name in DIFFERENCES}
    head = f"<h4>{escape(comparison.first)} → {escape(comparison.second)}</h4>"
    if not any(counts.values()):
        same = f"Both hold the same {count(comparison.same, 'row')}."
        return f'<div class="hearth-result">{head}<p class="good">{same}</p></div>'
    said = ", ".join(f"{number:,} {DIFFERENCES[name]}" for name, number in counts.items() if number)
    parts = [f"<p>{count(comparison.same, 'row')} in common; {said}.</p>"]
    parts += [_examples(name, comparison.examples[name], counts[name]) for name in DIFFERENCES if counts[name]]
    return f'<div class="hearth-result">{head}{"".join(parts)}</div>'


def _examples(name: str, changes: Sequence[Change], number: int) -> str:
    shown = changes[:LISTED_CHANGES]
    if name == "changed":
        pairs = "".join(
            f'<p class="quiet">Before, then after</p>{rows_table([change.before, change.after])}'
            for change in shown
            if change.before is not None and change.after is not None
        )
        return _fold(name, number, pairs)
    rows = [row for change in shown if (row := change.after or change.before) is not None]
    return _fold(name, number, rows_table(rows))


def _fold(name: str, number: int, body: str) -> str:
    return f"<details><summary>{count(number, 'row')} {DIFFERENCES[name]}</summary>{body}</details>"


def saved_html(version: DatasetVersion, files: Sequence[Path]) -> str:
    """Links that download a version's files."""
    links = "".join(
        f'<a href="gradio_api/file={quote(str(path))}" download="{escape(f"{version.name}-{path.name}")}">'
        f'{escape(path.name)} <span class="quiet">{size(path.stat().st_size)}</span></a>'
        for path in files
    )
    return f'<div class="hearth-files"><b>{escape(version.id)}</b>{links}</div>'


def push_question(version: DatasetVersion, repository: str, *, private: bool) -> str:
    """What would be uploaded, where to, and who could see it."""
    rows = count(version.train_rows + version.eval_rows, "row")
    who = "you and those you let in" if private else "everybody on the internet"
    return (
        f'<div class="warning"><p>Upload <b>{escape(version.id)}</b>: {rows} and the dataset card, to '
        f"<b>{escape(repository)}</b> on the Hugging Face Hub, where <b>{who}</b> can see it. "
        "What is on the Hub may be copied before you take it back.</p></div>"
    )


def pushed_html(address: str) -> str:
    safe = escape(address)
    return f'<p class="good">It is at <a href="{safe}" target="_blank" rel="noreferrer">{safe}</a>.</p>'
