"""Monitoring as HTML: figures of each model or version, quality by group, and how running servers stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from evaluation.intervals import Interval
from serving.monitoring.differences import Share
from serving.monitoring.figures import Figures, Percentiles
from serving.monitoring.groups import GroupQuality
from ui.job_view import empty
from ui.words import count, size

NO_REQUESTS = (
    "No request in this time. Start a server under “Serve” and ask it something; every request is counted here, "
    "whether chats are kept or not."
)
NO_GROUPS = "Nothing to compare yet: ratings and corrections are those of kept chats (“Keep chats”)."
NONE = "–"


@dataclass(frozen=True)
class Standing:
    """A running server now. `resting`: its models are closed while another job has the machine."""

    title: str
    address: str
    answering: int
    waiting: int
    memory_bytes: int | None
    state: str


def standings_html(servers: Sequence[Standing]) -> str:
    """A line for each running server."""
    lines = "".join(_standing(each) for each in servers)
    return f"<div class='hearth-result'><ul>{lines}</ul></div>" if lines else ""


def _standing(server: Standing) -> str:
    memory = f", {size(server.memory_bytes)} of memory" if server.memory_bytes else ""
    state = "" if server.state == "ok" else f", {escape(server.state)}"
    asked = f"{count(server.answering, 'request')} being answered, {server.waiting} waiting"
    return f"<li><b>{escape(server.title)}</b> at {escape(server.address)}: {asked}{memory}{state}</li>"


def figures_html(found: Sequence[Figures]) -> str:
    """A line for each model or version, and what all take together."""
    if not found:
        return empty(NO_REQUESTS)
    names = ("Requests", "Failed", "Answer, s", "First token, s", "Queue, s", "Tokens/s", "Tokens", "Rating, 1 to 5")
    head = f"<th>Model</th>{''.join(f'<th class=number>{name}</th>' for name in names)}"
    read, written = (sum(values) for values in zip(*((e.prompt_tokens, e.answer_tokens) for e in found), strict=True))
    about = (
        "Times and speeds: the middle one (p50) and what 95 of 100 stay within (p95). Failed: a fault here; refused: "
        "the request's own; left: the client did not wait. "
        f"Together {count(sum(each.requests for each in found), 'request')}, {read + written:,} tokens."
    )
    table = f"<table><tr>{head}</tr>{''.join(_figures(each) for each in found)}</table>"
    return f"<div class='hearth-result hearth-figures scroll'>{table}<p class='quiet'>{about}</p></div>"


def _figures(found: Figures) -> str:
    name = escape(found.model or "none (no model was reached)")
    version = f"<div class='quiet'>{escape(found.version)}</div>" if found.version else ""
    cells = [
        f"{found.requests:,}",
        _failed(found),
        _both(found.seconds),
        _both(found.first_token_seconds),
        _both(found.queue_seconds),
        _both(found.tokens_per_second, digits=0),
        f"{found.answer_tokens:,} written<div class='quiet'>{found.prompt_tokens:,} read</div>",
        _rating(found.rating, found.rating_interval, f"{found.ratings:,} by {found.people:,} people"),
    ]
    return f"<tr><td>{name}{version}</td>{''.join(f'<td class=number>{cell}</td>' for cell in cells)}</tr>"


def _failed(found: Figures) -> str:
    share = f"<b class='bad'>{found.failed:,} ({100 * found.failed / found.requests:.1f} %)</b>"
    others = [(found.refused, "refused"), (found.left, "left")]
    beside = ", ".join(f"{number:,} {what}" for number, what in others if number)
    return f"{share if found.failed else '0'}<div class='quiet'>{beside}</div>"


def _both(found: Percentiles, digits: int = 2) -> str:
    if found.p50 is None or found.p95 is None:
        return NONE
    return f"{found.p50:,.{digits}f}<div class='quiet'>p95 {found.p95:,.{digits}f}</div>"


def _rating(rating: float | None, interval: Interval | None, of: str) -> str:
    """A mean never stands alone: with its interval, and of how many it is."""
    if rating is None:
        return NONE
    sure = f"95 % CI {interval.low:.2f} to {interval.high:.2f}" if interval else "too few people for an interval"
    return f"{rating:.2f}<div class='quiet'>{sure}; {of}</div>"


def groups_html(found: Sequence[GroupQuality], by: str) -> str:
    """What is surely worse first, in words; then a line for each group."""
    if not found:
        return empty(NO_GROUPS)
    worse = [sentence for each in found for sentence in each.worse]
    said = "".join(f'<div class="verdict small worse">{escape(sentence)}</div>' for sentence in worse)
    if not worse and len(found) > 1:
        said = f'<div class="verdict small">No {escape(by)} is shown to be served worse than the rest.</div>'
    lines = "".join(
        f"<tr><td>{escape(each.group)}</td><td class=number>{each.people:,}</td>"
        f"<td class=number>{_rating(each.rating, each.rating_interval, f'of {each.ratings:,}')}</td>"
        f"<td class=number>{_share(each.edited)}</td><td class=number>{_share(each.failed)}</td></tr>"
        for each in found
    )
    head = (
        f"<tr><th>{escape(by.capitalize())}</th><th class=number>People</th><th class=number>Rating, 1 to 5</th>"
        "<th class=number>Corrected</th><th class=number>Failed</th></tr>"
    )
    return f"<div class='hearth-result scroll'>{said}<table>{head}{lines}</table></div>"


def _share(share: Share | None) -> str:
    if share is None:
        return NONE
    interval = share.interval
    sure = f"95 % CI {100 * interval.low:.0f} to {100 * interval.high:.0f}, " if interval else ""
    return f"{100 * share.share:.0f} %<div class='quiet'>{sure}of {share.count:,}</div>"
