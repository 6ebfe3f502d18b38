"""What in a text is private: e-mail addresses, numbers that belong to somebody, keys and passwords."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from datasets_src.checks.private.emails import emails
from datasets_src.checks.private.numbers import addresses, cards, ibans, ipv6_addresses
from datasets_src.checks.private.phones import phones
from datasets_src.checks.private.secrets import secrets
from datasets_src.checks.private.span import Kind, Span, Stretch

__all__ = ["Kind", "Span", "forget", "private_spans"]

# Every number that is looked for has such a stretch in it. Few texts have one, and only there it is looked for.
NUMERIC = re.compile(r"[0-9][0-9 .()/-]{6,}")
FEWEST_DIGITS = 4
COLONS_OF_IPV6 = 7
# In this order: what one has found is out of reach for the next.
IN_NUMBERS: tuple[Callable[[str, list[Stretch]], Iterator[Span]], ...] = (ibans, cards, addresses, phones)
LONG = 20_000


def private_spans(text: str) -> tuple[Span, ...]:
    """Everything private in a text, in order and without overlaps."""
    return _remembered(text) if len(text) < LONG else _remembered_long(text)


def _scan(text: str) -> tuple[Span, ...]:
    found: list[Span] = []
    rest = _without(text, secrets(text), found)
    if "@" in rest or "(at)" in rest or "[at]" in rest:
        rest = _without(rest, emails(rest), found)
    if "::" in rest or rest.count(":") >= COLONS_OF_IPV6:
        rest = _without(rest, ipv6_addresses(rest), found)
    stretches = [Stretch(*match.span()) for match in NUMERIC.finditer(rest) if _digits(match[0]) >= FEWEST_DIGITS]
    for recognise in IN_NUMBERS if stretches else ():
        rest = _without(rest, recognise(rest, stretches), found)
    return tuple(sorted(found))


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


# Each kind has a check of its own, and all of them look at the same texts one after another. Few long ones are kept.
_remembered = lru_cache(maxsize=128)(_scan)
_remembered_long = lru_cache(maxsize=4)(_scan)


def forget() -> None:
    """Look at texts anew; for measuring."""
    _remembered.cache_clear()
    _remembered_long.cache_clear()


def _without(text: str, spans: Iterable[Span], found: list[Span]) -> str:
    """Add the spans to those found; the text with them blotted out, of the same length."""
    pieces, at = [], 0
    for span in spans:
        if span.start >= at:
            found.append(span)
            pieces += [text[at : span.start], "\0" * (span.end - span.start)]
            at = span.end
    return "".join([*pieces, text[at:]]) if pieces else text
