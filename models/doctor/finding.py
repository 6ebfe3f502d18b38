"""One finding about a machine, and how its remedies are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from models.doctor.facts import Facts, Version

State = Literal["good", "notice", "bad"]
PROJECT = Path(__file__).resolve().parents[2]
REQUIREMENTS = PROJECT / "requirements.txt"
ALL_PACKAGES = "-r requirements.txt"


@dataclass(frozen=True)
class Finding:
    """`seen` and `matters` are a sentence each. `command` mends it when it is run where Hearth lies; `todo` says in a
    sentence what no command can do, or what comes first."""

    name: str
    state: State
    seen: str
    matters: str = ""
    command: str = ""
    todo: str = ""


@cache
def wanted(package: str) -> str:
    """A package as the list of requirements has it, such as torch==2.10.0."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    names = {
        re.split(r"[\s=<>!~;\[]", line, maxsplit=1)[0]: line.strip() for line in lines if line[:1] not in ("", "#")
    }
    return names[package]


def pip(facts: Facts, *arguments: str) -> str:
    """A command that installs into the Python that runs Hearth."""
    words = [f'"{each}"' if re.search(r"[<>]", each) else each for each in arguments]
    return " ".join([facts.program, "-m pip install", *words])


def version_of(text: str) -> Version:
    """2.10.0+cu128 as (2, 10, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0]))


def dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
