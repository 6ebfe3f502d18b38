"""A page of rows as an HTML table: what each says, how long it is, where it comes from, and what was found in it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from datasets_src.rows import PARTS, Row, kind_of
from ui.edits import Mark
from ui.job_view import empty
from ui.row_cards import has_content, short_row_html
from ui.rows_state import PART_TITLES, Browser
from ui.words import count

MARKS: dict[Mark, str] = {
    "edited": '<span class="chip running">edited</span>',
    "deleted": '<span class="chip failed">deleted</span>',
    "taken back": '<span class="chip stopped" title="Check shows it as its source has it">edit taken back</span>',
}
# One listener for every row that the list holds now or later: its HTML is replaced on every page.
ON_LOAD = """
element.addEventListener('click', event => {
  const row = event.target.closest('[data-place]');
  if (!row) return;
  trigger('select', {place: row.dataset.place});
  // Where the row stands below the list, it would come up unseen.
  setTimeout(() => document.getElementById('rows-row')?.scrollIntoView({block: 'nearest', behavior: 'smooth'}), 500);
});
"""


def list_html(browser: Browser) -> str:
    """The rows of the page; where there are none, why and what to do."""
    page = browser.page
    if not page.rows:
        return empty(_nothing(browser))
    lines = "".join(_line(browser, number) for number in range(len(page.rows)))
    return f'<div class="rows-list"><table><tbody>{lines}</tbody></table></div>'


def _line(browser: Browser, number: int) -> str:
    page = browser.page
    row, place = page.rows[number], page.places[number]
    shown, mark = browser.layer.shown(row), browser.layer.mark(row)
    chosen = browser.view.chosen
    is_chosen = chosen is not None and (chosen.part, chosen.place) == (browser.view.wanted.part, place)
    names = " ".join(name for name in ("chosen" if is_chosen else "", mark.split(" ")[0]) if name)
    length = _length(shown, page.tokens[number], browser.layer.waits_for(row), browser.facts.counted)
    turns = turns_of(shown)
    told = [text for text in (length, count(turns, "turn") if turns else "") if text]
    found = MARKS.get(mark, "") + "".join(chips(page.checks[number], browser.facts.titles))
    cells = [
        f'<td class="place"><button type="button" aria-label="Look at row {place}">{place:,}</button></td>',
        f'<td class="says">{short_row_html(shown)}</td>',
        f'<td class="about"><span class="length">{" · ".join(told)}</span> {from_html(row)} {found}</td>',
    ]
    return f'<tr data-place="{place}" class="{names}">{"".join(cells)}</tr>'


def _length(row: Row, tokens: int | None, waits: bool, counted: bool) -> str:
    if counted and waits:
        return '<span title="Counted when the edit is applied">? tokens</span>'
    if counted:
        return count(tokens, "token") if tokens is not None else ""
    return count(characters_of(row), "character") if has_content(row) else ""


def chips(checks: Sequence[str], titles: dict[str, str]) -> list[str]:
    """What found a row, for people."""
    return [f'<span class="chip tag" title="{escape(name)}">{escape(titles.get(name, name))}</span>' for name in checks]


def from_html(row: Row) -> str:
    """Where a row comes from: source, number there, tag."""
    tag = f' <span class="chip tag">{escape(str(row["tag"]))}</span>' if row.get("tag") else ""
    return f'<span class="from">{escape(str(row.get("source", "?")))}, row {row.get("row", 0):,}</span>{tag}'


def turns_of(row: Row) -> int:
    """Turns of all parts; 0 for plain text and for a row that can't be read."""
    if not has_content(row) or kind_of(row) == "text":
        return 0
    return sum(len(row[part]) for part in PARTS[kind_of(row)])


def characters_of(row: Row) -> int:
    """Characters of all that is said."""
    if not has_content(row):
        return 0
    if kind_of(row) == "text":
        return len(row["text"])
    return sum(len(str(turn.get("content") or "")) for part in PARTS[kind_of(row)] for turn in row[part])


def words_of(browser: Browser) -> str:
    """How many rows there are, and which of them are shown."""
    page, wanted = browser.page, browser.view.wanted
    total = browser.facts.counts[wanted.part]
    name = {"train": "training row", "eval": "evaluation row", "left_out": "left-out row"}[wanted.part]
    shown = f"Rows {browser.view.start + 1:,} to {browser.view.start + len(page.rows):,}" if page.rows else "No rows"
    if not is_filtered(browser):
        return f"{shown} of {count(total, name)}"
    more = (
        f"the first {page.total:,} found; there are more: search for more words"
        if page.more
        else f"{page.total:,} found"
    )
    return f"{shown} of {more} among {count(total, name)}"


def is_filtered(browser: Browser) -> bool:
    wanted = browser.view.wanted
    return any((wanted.text, wanted.check, wanted.tag, wanted.source, wanted.language))


def _nothing(browser: Browser) -> str:
    """Why no row is shown, and what to do."""
    wanted, facts = browser.view.wanted, browser.facts
    part = PART_TITLES[wanted.part]
    if not is_filtered(browser):
        return {
            "train": "There is no row to train on.",
            "eval": "No row is kept for evaluation: give “Part kept for evaluation” a share, and press Check.",
            "left_out": "No row was left out.",
        }[wanted.part]
    elsewhere = [
        f"{facts.found[other][wanted.check]:,} in {PART_TITLES[other]}"
        for other in PART_TITLES
        if other != wanted.part and facts.found[other].get(wanted.check)
    ]
    if wanted.check and not facts.found[wanted.part].get(wanted.check) and elsewhere:
        return f"This check found no row in {part}, but {' and '.join(elsewhere)}. Choose that part above."
    return f"No row in {part} is what you asked for. Change the search or press “Show all rows”."
