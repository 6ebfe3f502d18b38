"""What a model wrote, as HTML that can do nothing: escaped, bounded, with control characters made visible."""

from __future__ import annotations

from html import escape

from evaluation.report.text import visible

MOST_CHARACTERS = 20_000


def inert(text: str, most: int = MOST_CHARACTERS) -> str:
    """HTML that shows `text`, its first `most` characters and how many more there are."""
    cut = len(text) - most
    body = escape(visible(text[:most])).replace("\n", "<br>")
    more = f' <span class="quiet">… {cut:,} more characters</span>' if cut > 0 else ""
    return f'<span translate="no">{body}</span>{more}'
