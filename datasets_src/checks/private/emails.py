"""E-mail addresses, also those that are hidden from robots as in `name [at] firm [dot] com`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datasets_src.checks.private.span import Span

PLAIN = re.compile(
    r"(?<![\w+%@])(\w[\w.+%'-]{0,63})@((?:[\w-]{1,63}\.){1,6}([^\W\d_]{2,24}|xn--[\w-]{2,40}))(?![\w(@])"
)
_DOT = r"(?:\.|\s?[\[(]\s?(?:dot|\.)\s?[\])]\s?)"
HIDDEN = re.compile(
    rf"(?<![\w+%])(\w[\w.+%-]{{0,63}})\s?[\[(]\s?(?:at|"
    rf"@)\s?[\])]\s?((?:[\w-]{{1,63}}{_DOT}){{1,6}}([^\W\d_]{{2,24}}))(?!\w)"
)
# Top-level domains of more than two letters that addresses end in; others (`logo@2x.png`, `a@b.data`) are no addresses.
_GENERIC = (
    "com org net edu gov mil int info biz name pro aero coop museum jobs mobi travel app dev xyz online site "
    "store shop "
    "tech cloud blog email live media agency studio design digital group team world today life club space website "
    "company systems solutions services consulting software network center academy school university college berlin "
    "wien paris london amsterdam tokyo nyc bank law legal health care clinic global international news press"
)
GENERIC = frozenset(_GENERIC.split())
# Reserved for examples (RFC 2606), and what everybody writes in their place.
EXAMPLE_DOMAIN = re.compile(
    r"(?:^|\.)(?:(?:example|test|invalid|localhost)(?:\.[a-z]{2,3}){0,2}|(?:your|my)?-?(?:domain|company)\.(?:com|"
    r"org|net))$"
)
# Accounts of version control, as in `git@github.com:owner/project.git`.
NOBODY = ("git", "hg", "svn")


def emails(text: str) -> Iterator[Span]:
    """The addresses of real domains."""
    patterns = (PLAIN, HIDDEN) if "(at)" in text or "[at]" in text else (PLAIN,)
    found = [match for pattern in patterns for match in pattern.finditer(text)]
    for match in sorted(found, key=lambda match: match.start()):
        domain = re.sub(_DOT, ".", match[2]).lower()
        if _is_real(match[1], domain, match[3].lower()):
            yield Span(match.start(), match.end(), "email", f"{match[1]}@{domain}".lower())


def _is_real(local: str, domain: str, top: str) -> bool:
    known = len(top) == 2 or top in GENERIC or not top.isascii() or top.startswith("xn--")
    return known and local not in NOBODY and not EXAMPLE_DOMAIN.search(domain)
