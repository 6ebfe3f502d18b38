"""After how long the machine goes to sleep by itself, asked of what each system has for that."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from models.doctor.facts import Sleep, System

SECONDS = 10
SCHEMA = "org.gnome.settings-daemon.plugins.power"
MASKED = Path("/etc/systemd/system/sleep.target")
WINDOWS_INDEX = re.compile(r"0x(?P<value>[0-9a-fA-F]{8})")
MAC_SLEEP = re.compile(r"^\s*sleep\s+(?P<minutes>\d+)", re.MULTILINE)


def read_sleep(system: System) -> Sleep | None:
    """None where nothing tells."""
    if system in ("windows", "wsl"):
        program = "powercfg" if system == "windows" else "powercfg.exe"
        return windows_sleep(_said(program, "/query", "SCHEME_CURRENT", "SUB_SLEEP", "STANDBYIDLE"))
    if system == "mac":
        return mac_sleep(_said("pmset", "-g", "custom"))
    if MASKED.is_symlink() and MASKED.resolve() == Path("/dev/null"):
        return Sleep(None)
    kind = _said("gsettings", "get", SCHEMA, "sleep-inactive-ac-type")
    return gnome_sleep(kind, _said("gsettings", "get", SCHEMA, "sleep-inactive-ac-timeout")) if kind else None


def _said(*command: str) -> str:
    """What a program prints; nothing where it isn't there, fails or takes too long."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=SECONDS, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""


def windows_sleep(said: str) -> Sleep | None:
    """Of powercfg's values the last two are seconds, plugged in and on battery; its words depend on the language."""
    values = [int(match["value"], 16) for match in WINDOWS_INDEX.finditer(said)]
    return _after(values[-2] / 60) if len(values) >= 2 else None


def mac_sleep(said: str) -> Sleep | None:
    """pmset's minutes while plugged in, which it lists under AC Power."""
    match = MAC_SLEEP.search(said.partition("AC Power")[2] or said)
    return _after(int(match["minutes"])) if match else None


def gnome_sleep(kind: str, seconds: str) -> Sleep | None:
    """GNOME's action and its delay while plugged in."""
    if "nothing" in kind:
        return Sleep(None)
    last = seconds.split()[-1:]  # uint32 1200
    return _after(int(last[0]) / 60) if last and last[0].isdigit() else None


def _after(minutes: float) -> Sleep:
    """All systems write 0 for never."""
    return Sleep(round(minutes) or None)
