"""What the health checks found, as cards: how many rows, what it means, examples, and what shall happen to them.

Made from the report of a check or a build. Knows nothing of gradio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from datasets_src.checks import Remedy
from ui.clicks import button
from ui.words import count

Found = dict[str, Any]
GROUP_TITLES = {
    "structure": "Rows that can't be used as they are",
    "privacy": "Private data",
    "quality": "Quality",
    "between rows": "Rows compared with one another",
    "length": "Lengths",
}
CHIPS = {"stop": "stops the build", "fix": "mended", "drop": "left out", "keep": "kept"}
CHOICES = {"drop": "Drop these rows", "keep": "Keep them as they are", "stop": "Stop the build"}
LISTED_EXAMPLES = 5
REMEDY, SHOW, SKIP_BAD = "remedy", "show", "skip"


def health_html(report: dict[str, Any], remedies: Mapping[str, Remedy], changed: str = "") -> str:
    """A card for each check that found something, by group, and the names of the others.

    `remedies`: those chosen now, one for each check; `changed` says what is otherwise since the report was made.
    """
    read = sum(source["read"] for source in report["sources"])
    found = [each for each in report["checks"] if each["count"]]
    clean = [each for each in report["checks"] if not each["count"]]
    parts = [_head(report, read, found), _stops(found, remedies), _changed(report, remedies, changed)]
    for group, checks in groupby(found, key=lambda each: each["group"]):
        cards = "".join(_card(each, read, remedies[each["name"]]) for each in checks)
        parts.append(f"<h4>{GROUP_TITLES[group]}</h4>{cards}")
    parts.append(_clean(clean))
    return f'<div class="hearth-health">{"".join(parts)}</div>'


def _head(report: dict[str, Any], read: int, found: Sequence[Found]) -> str:
    rows = f"{count(read, 'row')} read from {count(len(report['sources']), 'source')}"
    if not found:
        return f'<p class="good"><b>{rows}. No check found anything.</b></p>'
    number = count(len(found), "check")
    return f"<p><b>{rows}. {number} found something</b>; choose for each what happens to its rows.</p>"


def _stops(found: Sequence[Found], remedies: Mapping[str, Remedy]) -> str:
    """That the build will stop, and how to go on whatever was found."""
    stopping = [each for each in found if remedies[each["name"]] == "stop"]
    if not stopping:
        return ""
    names = ", ".join(each["title"].lower() for each in stopping)
    skip = button(SKIP_BAD, "", "Leave out every row that can't be used")
    return (
        f'<div class="warning"><p>A build would stop now: {escape(names)}. Choose below what happens to these rows, or '
        f"leave out all of them; the report lists what was left out.</p>{skip}</div>"
    )


def _changed(report: dict[str, Any], remedies: Mapping[str, Remedy], changed: str) -> str:
    chosen = any(remedies[each["name"]] != each["remedy"] for each in report["checks"])
    what = changed or ("What happens to rows was changed since then." if chosen else "")
    return f'<p class="warning stale">{escape(what)} Check again, or build.</p>' if what else ""


def _card(check: Found, read: int, remedy: Remedy) -> str:
    share = f" <span class='quiet'>({_percent(check['count'], read)} of all)</span>" if read else ""
    head = (
        f"<b>{count(check['count'], 'row')}</b>{share} <span class='title'>{escape(check['title'])}</span>"
        f'<span class="chip {remedy}">{CHIPS[remedy]}</span>'
    )
    choices = "".join(_choice(check, each, remedy) for each in check["remedies"])
    show = button(SHOW, check["name"], "Show these rows")
    return (
        f'<article class="hearth-check" data-check="{escape(check["name"])}"><header>{head}</header>'
        f"<p>{escape(check['explanation'])}</p>"
        f'<div class="choices" role="group" aria-label="What happens to these rows">{choices}</div>'
        f'<div class="more">{_examples(check)}{show}</div></article>'
    )


def _percent(number: int, of: int) -> str:
    share = number / of
    return "less than 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %").replace(".0 ", " ")


def _choice(check: Found, choice: Remedy, chosen: Remedy) -> str:
    words = f"Fix: {check['fix_in_words']}" if choice == "fix" else CHOICES[choice]
    return button(REMEDY, f"{check['name']}={choice}", words, pressed=choice == chosen)


def _examples(check: Found) -> str:
    """Behind a fold: where some of the rows are and what was found there."""
    examples = check["examples"][:LISTED_EXAMPLES]
    if not examples:
        return ""
    lines = "".join(
        f"<tr><td>{escape(str(each['file']))}</td><td class='number'>{each['row']:,}</td>"
        f"<td>{escape(str(each['field']))}</td><td>{escape(str(each['what']))}"
        f"<div class='quiet'>{escape(str(each['why']))}</div></td></tr>"
        for each in examples
    )
    head = "<tr><th>File</th><th>Row</th><th>Field</th><th>Found</th></tr>"
    table = f'<div class="scroll"><table>{head}{lines}</table></div>'
    return f"<details><summary>Show {count(len(examples), 'example')}</summary>{table}</details>"


def _clean(clean: Sequence[Found]) -> str:
    if not clean:
        return ""
    names = "".join(f"<li>{escape(each['title'])}</li>" for each in clean)
    return f"<details><summary>{count(len(clean), 'check')} found nothing</summary><ul>{names}</ul></details>"
