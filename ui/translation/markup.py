"""HTML in another language: the texts between its tags, and the attributes that are read out or shown."""

from __future__ import annotations

import re
from html import escape, unescape

from ui.origins import css_text
from ui.translation.catalogue import Catalogue

TAG = re.compile(r"(<[^<>]*>)")
NAME = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
SPOKEN = re.compile(r'\b(title|aria-label|placeholder|alt|data-label)="([^"]*)"')
FRAMED = re.compile(r'\bsrcdoc="([^"]*)"')
# What stands in these is code, or what somebody typed.
LEFT_ALONE = frozenset({"code", "pre", "kbd", "samp", "style", "script", "textarea", "var"})
# Words that a style sheet shows.
SAID = re.compile(r'(--(?:un)?said: )"([^"\\]*)"')
# What looks like a tag in these is none.
RAW = frozenset({"script", "style"})
EMPTY = frozenset({"br", "img", "input", "hr", "meta", "link", "col", "wbr"})


def translated_html(html: str, texts: Catalogue) -> str:
    """`html` with its texts in the language; nothing within translate="no", or within code, is changed."""
    told: list[str] = []
    left: list[str] = []  # the open elements of what is left alone, the outermost first
    for piece in TAG.split(html):
        tag = NAME.match(piece)
        if tag is None and left == ["style"]:
            told.append(SAID.sub(lambda found: f"{found[1]}{css_text(texts.text(found[2]))}", piece))
            continue
        if tag is None:
            told.append(piece if left or piece.startswith("<") else _text(piece, texts))
            continue
        closing, name = tag[1], tag[2].lower()
        if left:
            if closing and name == left[-1]:
                left.pop()
            elif not closing and left[-1] not in RAW and name not in EMPTY and not piece.endswith("/>"):
                left.append(name)
            told.append(piece)
        elif not closing and (name in LEFT_ALONE or re.search(r"translate=.no.", piece)) and name not in EMPTY:
            left.append(name)
            told.append(piece)
        else:
            told.append(FRAMED.sub(lambda found: _framed(found, texts), piece) if name == "iframe" else piece)
            told[-1] = SPOKEN.sub(lambda found: f'{found[1]}="{escape(texts.text(unescape(found[2])))}"', told[-1])
    return "".join(told)


def _framed(found: re.Match[str], texts: Catalogue) -> str:
    """A page within the page, such as a report, which names its language itself."""
    inner = translated_html(unescape(found[1]), texts).replace('lang="en"', f'lang="{texts.language}"', 1)
    return f'srcdoc="{escape(inner)}"'


def _text(piece: str, texts: Catalogue) -> str:
    plain = unescape(piece)
    found = texts.text(plain)
    return piece if found == plain else escape(found, quote=False)
