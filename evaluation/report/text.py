"""What a model wrote, made inert: bounded, with control characters made visible, and escaped for where it is shown.

Nothing of it can act in a browser (HTML, scripts), in a terminal (escape sequences), in Markdown or as JSON in a page;
nothing can turn the direction of other text around, and nothing is longer than its place.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from evaluation.tasks import NLL

LONGEST_TEXT = 3000
LONGEST_LINE = 160
# All of C0 but tab and line feed, DEL, C1, what turns the direction of text around or can't be seen, and surrogates.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """Control characters as signs: the picture of the C0 ones (␛ for ESC), the code point of the others."""
    return CONTROL.sub(lambda found: _sign(ord(found[0])), text.replace("\r\n", "\n"))


def _sign(code: int) -> str:
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else f"[U+{code:04X}]"


def bounded(text: str, most: int = LONGEST_TEXT) -> str:
    """The first `most` characters, visible, and how many more there are."""
    cut = len(text) - most
    return visible(text[:most]) + (f"… ({cut:,} more characters)" if cut > 0 else "")


def html(text: object, most: int = LONGEST_TEXT) -> str:
    """As the content of an element or of an attribute."""
    return escape(bounded(str(text), most))


def first_line(text: str) -> str:
    """The last line of a prompt, which is mostly the question, as one short line."""
    lines = text.strip().splitlines() or [""]
    return bounded(lines[-1], LONGEST_LINE)


def embedded_json(value: Any) -> str:
    """JSON that may stand inside a script element: no `<` can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def mended(value: Any) -> Any:
    """The same JSON value with lone surrogates, which no file in UTF-8 can hold, as signs."""
    if isinstance(value, str):
        return SURROGATE.sub(lambda found: _sign(ord(found[0])), value)
    if isinstance(value, dict):
        return {mended(key): mended(each) for key, each in value.items()}
    return [mended(each) for each in value] if isinstance(value, list | tuple) else value


def plain(name: str) -> str:
    """A metric's name as people write it; what is kept as nats per token is told as perplexity."""
    return "perplexity" if name == NLL else name.replace("_", " ")


def number(value: float | None) -> str:
    """Whole numbers as such; one decimal from 10 on, else up to three."""
    if value is None:
        return ""
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
