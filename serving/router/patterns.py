"""Regular expressions that a person wrote, searched in texts that strangers send: bounded in length and in time.

Some patterns take a time that doubles with each character of the text ("catastrophic backtracking"). The `regex`
package gives up after a time that is set, which Python's own `re` can't.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import regex

LONGEST_PATTERN = 1000
PATTERN_SECONDS = 0.02


class TooSlow(Exception):
    """The search was given up: the time for it ran out."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The pattern, ready for use. Raises ValueError with the reason where it is no regular expression."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has at most {LONGEST_PATTERN:,} characters; this one has {len(pattern):,}")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"no regular expression: {reason}") from error


class PatternClock:
    """The time that all searches for one request may take together, in seconds."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def search(self, pattern: str, text: str) -> Any | None:
        """The first match, or None. Raises TooSlow after PATTERN_SECONDS, or when nothing is left for this request."""
        if self.left <= 0:
            raise TooSlow(pattern)
        began = time.perf_counter()
        try:
            return compiled(pattern).search(text, timeout=min(PATTERN_SECONDS, self.left))
        except TimeoutError as error:
            raise TooSlow(pattern) from error
        finally:
            self.left -= time.perf_counter() - began
