"""Numbers, times and sizes in words."""

from __future__ import annotations

import re
import time

STATES = {
    "queued": "Waiting",
    "running": "Running",
    "succeeded": "Done",
    "stopped": "Stopped",
    "failed": "Failed",
    "lost": "Lost",
}


def without_visitors(text: str) -> str:
    """`text` without the workspaces of a demo's visitors: their names are what keeps them apart."""
    return re.sub(r",? ?(workspace )?[^\s(]*/visitors/[0-9a-f]+[^\s):]*", "", text)


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{minutes} min"
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min"


def when(moment: float) -> str:
    """`14:05` today, else `3 Mar 14:05`, in this machine's time."""
    then, now = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%-d %b %H:%M", then)


def size(count: float) -> str:
    """Bytes as kB, MB or GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} bytes"


def count(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
