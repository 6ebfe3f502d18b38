"""Python itself, and the system memory that everything runs in."""

from __future__ import annotations

from models.doctor.facts import Facts
from models.doctor.finding import Finding, dotted
from models.hardware import GB

OLDEST = (3, 11)
# The first that Unsloth's packages don't take (its Requires-Python: <3.15).
TOO_NEW = (3, 15)
SMALL_MEMORY = 8 * GB
LITTLE_FREE = 2 * GB
NEW_PYTHON = "uv venv --python 3.12 .venv && uv pip install -r requirements.txt"


def find(facts: Facts) -> list[Finding]:
    return [_python(facts), _memory(facts)]


def _python(facts: Facts) -> Finding:
    seen = f"Python {dotted(facts.python)}."
    if facts.python < OLDEST:
        why = f"Hearth is written for Python {dotted(OLDEST)} and newer."
        return Finding("Python", "bad", seen, why, NEW_PYTHON)
    if facts.python >= TOO_NEW:
        why = f"The training libraries aren't made for Python {dotted(TOO_NEW)} yet."
        return Finding("Python", "bad", seen, why, NEW_PYTHON)
    return Finding("Python", "good", seen)


def _memory(facts: Facts) -> Finding:
    total, free = facts.memory_total / GB, facts.memory_free / GB
    seen = f"{free:.1f} of {total:.1f} GB of system memory are free."
    if facts.memory_total < SMALL_MEMORY:
        why = "Loading and merging a model also takes system memory, and the system ends what takes too much."
        # By default WSL gives Linux half of what Windows has.
        todo = "Give Linux more: set memory=12GB under [wsl2] in the file .wslconfig of your Windows user folder, then"
        if facts.system == "wsl":
            return Finding("System memory", "notice", seen, why, "wsl.exe --shutdown", todo)
        return Finding("System memory", "notice", seen, why, todo="Take small models, and close other programs.")
    if facts.memory_free < LITTLE_FREE:
        why = "A run that finds no room is ended by the system, or moved to the disk, many times slower."
        return Finding("System memory", "notice", seen, why, todo="Close other programs before you train.")
    return Finding("System memory", "good", seen)
