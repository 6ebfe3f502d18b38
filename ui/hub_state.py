"""Whether the Hub can be reached, asked in the background and rarely: no page waits for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Literal

from models.download import hub_reachable, turned_off

State = Literal["unknown", "online", "offline", "off"]
FRESH_SECONDS = 60.0


@dataclass
class _Asked:
    """What the last answer was, and when it was asked for."""

    state: State = "unknown"
    moment: float = 0.0


_ASKED = _Asked()
_ASKING = Lock()


def hub_state() -> State:
    """What is known now; asks anew in the background where that is old. `off`: HF_HUB_OFFLINE is set."""
    if turned_off():
        return "off"
    with _ASKING:
        if not _ASKED.moment or time.monotonic() - _ASKED.moment > FRESH_SECONDS:
            _ASKED.moment = time.monotonic()
            Thread(target=_ask, daemon=True).start()
        return _ASKED.state


def _ask() -> None:
    _ASKED.state = "online" if hub_reachable() else "offline"
