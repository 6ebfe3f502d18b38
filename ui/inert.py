"""What a model wrote, as HTML that can do nothing: escaped, bounded, with control characters made visible."""

from __future__ import annotations

import re
from html import escape

MOST_CHARACTERS = 20_000
# All of C0 but tab and line feed, DEL, C1, and the characters that turn the direction of text around.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """Control characters as signs: the picture of the C0 ones (␛ for ESC), the code point of the others."""
    return CONTROL.sub(lambda found: _sign(ord(found[0])), text.replace("\r\n", "\n"))


def _sign(code: int) -> str:
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else f"[U+{code:04X}]"


def inert(text: str, most: int = MOST_CHARACTERS) -> str:
    """HTML that shows `text`, its first `most` characters and how many more there are."""
    cut = len(text) - most
    body = escape(visible(text[:most])).replace("\n", "<br>")
    return body + (f' <span class="quiet">… {cut:,} more characters</span>' if cut > 0 else "")
