"""A piece of text that gives something private away."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["email", "phone", "ip_address", "card_number", "iban", "secret", "person", "location"]


class Stretch(NamedTuple):
    """A part of a text with many digits: `text[start:end]`."""

    start: int
    end: int


class Span(NamedTuple):
    """`text[start:end]` is private. `value` is equal for what means the same, however it is written."""

    start: int
    end: int
    kind: Kind
    value: str
