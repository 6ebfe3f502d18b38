"""What takes a while to make and changes with every request: made seldom, once for all pages that look at the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

REDRAW_SECONDS = 10.0
# A log of millions takes seconds: at most a tenth of the time goes into it.
REST = 10.0
KEPT = 16


@dataclass(frozen=True)
class Drawing:
    """What is shown, made from what `stamp` names; it may stand until `due` (monotonic)."""

    stamp: str
    due: float
    values: list[Any]

    @property
    def copies(self) -> list[Any]:
        """Gradio takes the value out of an update that it is given, and other pages need it too."""
        return [dict(value) if isinstance(value, dict) else value for value in self.values]


class Drawings:
    """The newest drawings, by what they are of."""

    def __init__(self) -> None:
        self._kept: dict[str, Drawing] = {}

    def newest(self, key: str, stamp: str, make: Callable[[], list[Any]]) -> Drawing:
        """The drawing that is kept under `key`; made anew where `stamp` is another one and it stood long enough."""
        known = self._kept.get(key)
        if known is not None and (known.stamp == stamp or time.monotonic() < known.due):
            return known
        if len(self._kept) >= KEPT:
            self._kept.clear()
        began = time.monotonic()
        values = make()
        took = time.monotonic() - began
        made = Drawing(stamp, began + took + max(REDRAW_SECONDS, REST * took), values)
        self._kept[key] = made
        return made

    def forget(self) -> None:
        """Have all of them made anew, such as after a change by hand, which is to show at once."""
        self._kept.clear()
