"""What a dataset's rows are like, as plots: lengths beside the context length, turns, sources, languages, tags.

Drawn with HTML alone: bars keep their shape and texts their size at any width, and colours follow the page's theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from datasets_src.browse import Histogram, Rows
from ui.words import count

LISTED_NAMES = 12
TICKS = 4
LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
Unit = Literal["tokens", "characters", "turns"]


@dataclass(frozen=True)
class Fit:
    """How many of the rows with counted tokens have at most `limit` of them."""

    limit: int
    fitting: int
    rows: int

    @property
    def in_words(self) -> str:
        """`97 % of rows fit into 512 tokens (30 of 1,000 are longer)`; never 100 % while one is longer."""
        longer = self.rows - self.fitting
        if not longer:
            return f"Every row fits into {self.limit:,} tokens."
        share = 100 * self.fitting / self.rows
        shown = f"{min(share, 99.9):.1f}" if share > 99 else f"{share:.0f}"
        are = "is" if longer == 1 else "are"
        return f"{shown} % of rows fit into {self.limit:,} tokens ({longer:,} of {self.rows:,} {are} longer)."


def plots_html(rows: Rows, limit: int) -> str:
    """Every plot that has something to tell. `limit`: the context length in tokens."""
    lengths = lengths_html(rows, limit)
    turns = turns_html(rows.histogram("turns"))
    sources, tags = names_html("Sources", rows.values("source"), {}), names_html("Tags", rows.values("tag"), {})
    languages = names_html("Languages", rows.values("language"), LANGUAGES)
    return f'<div class="plots">{lengths}{turns}{sources}{tags}{languages}</div>'


def lengths_html(rows: Rows, limit: int) -> str:
    """Lengths in tokens with the context length as a line; in characters where tokens weren't counted."""
    counted = fit(rows, limit)
    if counted is None:
        note = (
            "Tokens aren't counted yet: choose a model under “Lengths for model” and press Check. Until then lengths "
            "are told in characters (about four to a token in English)."
        )
        return bars_html("Lengths", "characters per row", rows.histogram("characters"), "characters", note=note)
    return bars_html(
        "Lengths", "tokens per row", rows.histogram("tokens"), "tokens", note=counted.in_words, limit=limit
    )


def turns_html(histogram: Histogram) -> str:
    """How many turns rows have; a sentence where all have as many, nothing for plain text."""
    found = [place for place, number in enumerate(histogram.counts) if number]
    if len(found) == 1 and histogram.edges[1] - histogram.edges[0] == 1:
        if histogram.edges[found[0]] < 2:
            return ""
        return f'<p class="said">Every row has {count(int(histogram.edges[found[0]]), "turn")}.</p>'
    return bars_html("Turns", "turns per row", histogram, "turns")


def fit(rows: Rows, limit: int) -> Fit | None:
    """How many training and evaluation rows fit; None where tokens weren't counted."""
    used = rows.index.filter(rows.index["part"] != "left_out")
    tokens = used["tokens"].drop_nulls()
    return Fit(limit, int((tokens <= limit).sum()), len(tokens)) if len(tokens) else None


def bars_html(
    title: str, axis: str, histogram: Histogram, unit: Unit, *, note: str = "", limit: int | None = None
) -> str:
    """A histogram: upright bars over an axis with its unit."""
    if not histogram.counts or len(histogram.edges) < 2:
        return ""
    edges, counts = _without_empty_ends(histogram)
    top = max(counts)
    whole = edges[1] - edges[0] == 1
    bars = "".join(
        f'<i style="height:{100 * number / top:.2f}%" title="{escape(_bin(edges, place, unit, whole))}: '
        f'{count(number, "row")}"></i>'
        for place, number in enumerate(counts)
    )
    line = _limit_line(edges, limit) if limit else ""
    said = f'<p class="said">{escape(note)}</p>' if note else ""
    label = escape(f"{title}: {note} {sum(counts):,} rows, {_bin(edges, counts.index(top), unit, whole)} most often")
    return (
        f'<figure class="plot"><figcaption>{escape(title)}</figcaption>{said}'
        f'<div class="frame" role="img" aria-label="{label}"><div class="y"><span>{top:,}</span>'
        f'<span class="name">rows</span><span>0</span></div><div class="bars">{bars}{line}</div></div>'
        f'<div class="x">{_ticks(edges, whole)}</div><div class="x-name">{escape(axis)}</div></figure>'
    )


def names_html(title: str, values: Mapping[str, int], names: Mapping[str, str]) -> str:
    """Numbers of rows by name: lying bars, the most frequent first. Nothing where there is only one name."""
    if len(values) < 2:
        return ""
    listed = list(values.items())[:LISTED_NAMES]
    top, total = max(values.values()), sum(values.values())
    lines = "".join(
        f'<div class="name" title="{escape(name)}">{escape(names.get(name, name))}</div>'
        f'<div class="lying"><i style="width:{100 * number / top:.2f}%"></i></div>'
        f'<div class="number">{number:,} <span class="quiet">{100 * number / total:.0f} %</span></div>'
        for name, number in listed
    )
    rest = len(values) - len(listed)
    fewer = sum(list(values.values())[LISTED_NAMES:])
    more = f'<p class="quiet">and {rest:,} more, with {count(fewer, "row")} together</p>' if rest else ""
    head = f'<figcaption>{escape(title)} <span class="quiet">(rows)</span></figcaption>'
    return f'<figure class="plot">{head}<div class="names">{lines}</div>{more}</figure>'


def _without_empty_ends(histogram: Histogram) -> tuple[Sequence[float], Sequence[int]]:
    """The bars from the first to the last one that counts something."""
    full = [place for place, number in enumerate(histogram.counts) if number]
    return histogram.edges[: full[-1] + 2], histogram.counts[: full[-1] + 1]


def _bin(edges: Sequence[float], place: int, unit: Unit, whole: bool) -> str:
    """`3 turns`, `64 to 95 tokens`, or for the last bar, which holds all longer rows, `640 tokens or more`."""
    low, high = int(edges[place]), int(edges[place + 1]) - 1
    if place == len(edges) - 2 and place:
        return f"{low:,} {unit} or more"
    return f"{low:,} {unit if low != 1 else unit.removesuffix('s')}" if whole else f"{low:,} to {high:,} {unit}"


def _limit_line(edges: Sequence[float], limit: int) -> str:
    """The context length across the bars; at the right edge where it lies beyond all of them."""
    share = (limit - edges[0]) / (edges[-1] - edges[0])
    beyond = share > 1
    side = "left" if share > 0.6 else "right"
    words = f"context length {limit:,}" + (" →" if beyond else "")
    place = f"left:{100 * min(share, 1.0):.2f}%"
    return f'<b class="limit" style="{place}"><span class="{side}">{words}</span></b>'


def _ticks(edges: Sequence[float], whole: bool) -> str:
    """Numbers below the axis: at the edges of bars, or below their middles where each stands for one number."""
    bars = len(edges) - 1
    step = max(1, -(-bars // TICKS))
    width = 100 / bars
    places = range(0, bars, step) if whole else range(0, bars + 1, step)
    offset = width / 2 if whole else 0.0
    return "".join(f'<span style="left:{place * width + offset:.2f}%">{int(edges[place]):,}</span>' for place in places)
