"""One of several names by weights: the same asker gets the same one, on every machine and after every restart."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping


def sticky_choice(weights: Mapping[str, float], salt: str, purpose: str, asker: str) -> str:
    """The name that `asker` belongs to. Another `purpose` (a rule's name) or `salt` shares askers out independently.

    Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): each name draws an exponential time with its weight
    as rate, from a hash of asker and name; the earliest wins. So names win in proportion to their weights, and a
    changed weight moves only those askers that it has to.
    """

    def time_drawn(name: str) -> float:
        return -math.log(_fraction(salt, purpose, asker, name)) / weights[name]

    return min(sorted(weights), key=time_drawn)


def drawn_choice(weights: Mapping[str, float], fraction: float) -> str:
    """The name at `fraction` (0 up to 1) of the way through all weights: for who can't be told apart from others."""
    left = fraction * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return next(reversed(list(weights)))


def _fraction(*parts: str) -> float:
    """A number between 0 and 1, both excluded, from a SHA-256 of the parts; where one ends counts."""
    joined = b"".join(b"%d:%s" % (len(each), each) for each in (part.encode("utf-8", "replace") for part in parts))
    number = int.from_bytes(hashlib.sha256(joined).digest()[:8], "big") >> 12
    return (number + 0.5) / 2**52
