"""The arena's standing as HTML: ratings with their intervals, who beat whom, and what else may have decided."""

from __future__ import annotations

from html import escape
from typing import Any

from ui.words import count


def arena_html(standing: dict[str, Any]) -> str:
    """`standing`: an ArenaStanding as JSON, its models under the names that people know."""
    lead = standing["lead"]
    first = f'<div class="verdict open">{escape(lead["sentence"])}</div>' if lead else ""
    head = f"{count(standing['votes'], 'vote')}, {standing['blind_votes']:,} of them blind"
    about = [standing["order"]["sentence"], standing["length"]["sentence"], *standing["notes"]]
    return (
        f'<div class="hearth-result"><p class="quiet">{head}</p>'
        f"{first}{_ratings(standing)}{_matrix(standing)}"
        f"<h4>What else may have decided</h4>{''.join(f'<p>{escape(each)}</p>' for each in about)}</div>"
    )


def _ratings(standing: dict[str, Any]) -> str:
    """A line for each model; a bar from the lowest to the highest end of all intervals."""
    ratings = standing["ratings"]
    ends = [end for each in ratings for end in (each["low"], each["high"], each["rating"]) if end is not None]
    low, high = min(ends) - 20, max(ends) + 20
    equal = standing["length"]["ratings"]
    lines = []
    for each in ratings:
        alike = f"{equal[each['model']]:.0f}" if each["model"] in equal else ""
        spread = f"{each['low']:.0f} to {each['high']:.0f}" if each["low"] is not None else "too few votes"
        lines.append(
            f"<tr><td>{escape(each['model'])}</td><td class='gauge'>{_bar(each, low, high)}</td>"
            f"<td class='number rating'>{each['rating']:.0f}</td><td class='number quiet'>{spread}</td>"
            f"<td class='number'>{each['wins']} · {each['ties']} · {each['losses']}</td>"
            f"<td class='number'>{alike}</td></tr>"
        )
    confidence = f"{100 * standing['confidence']:.3g} % interval"
    head = (
        "<tr><th>Model</th><th class='gauge'></th>"
        "<th class='number' title='400 points are odds of ten to one'>Rating</th>"
        f"<th class='number'>{confidence}</th><th class='number'>Won · even · lost</th>"
        "<th class='number' title='The rating with the lengths of answers held equal'>At equal length</th></tr>"
    )
    return f'<div class="scroll"><table>{head}{"".join(lines)}</table></div>'


def _bar(rating: dict[str, Any], low: float, high: float) -> str:
    def at(value: float) -> float:
        return 100 * (value - low) / (high - low)

    dot = f'<circle cx="{at(rating["rating"]):.1f}%" cy="8" r="4" fill="var(--color-accent)"/>'
    if rating["low"] is None:
        return f'<svg width="100%" height="16" role="img" aria-label="rating">{dot}</svg>'
    ends = f'x1="{at(rating["low"]):.1f}%" x2="{at(rating["high"]):.1f}%"'
    line = f'<line {ends} y1="8" y2="8" stroke="var(--color-accent)" stroke-width="2"/>'
    return f'<svg width="100%" height="16" role="img" aria-label="rating with its interval">{line}{dot}</svg>'


def _matrix(standing: dict[str, Any]) -> str:
    """How often the model of a line was preferred to that of a column, an even vote counting half."""
    names = [each["model"] for each in standing["ratings"]]
    shares: dict[tuple[str, str], tuple[float, int]] = {}
    for pair in standing["pairs"]:
        votes = pair["first_wins"] + pair["second_wins"] + pair["ties"] + pair["both_bad"]
        shares[pair["first"], pair["second"]] = (pair["share"], votes)
        shares[pair["second"], pair["first"]] = (1 - pair["share"], votes)
    lines = []
    for name in names:
        cells = "".join(f"<td class='number'>{_cell(shares.get((name, other)))}</td>" for other in names)
        lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    head = "".join(f"<th class='number'>{escape(name)}</th>" for name in names)
    table = f"<table><tr><th>Preferred to</th>{head}</tr>{''.join(lines)}</table>"
    return f'<h4>Who was preferred to whom</h4><div class="scroll">{table}</div>'


def _cell(found: tuple[float, int] | None) -> str:
    return "" if found is None else f"{100 * found[0]:.0f} % <span class='quiet'>of {found[1]}</span>"
