"""From facts to findings, subject by subject."""

from __future__ import annotations

from collections.abc import Callable

from models.doctor.facts import Facts
from models.doctor.finding import Finding, State
from models.doctor.subjects import card, card_memory, interpreter, kernels, network, power, pytorch, storage, tools

SUBJECTS: tuple[Callable[[Facts], list[Finding]], ...] = (
    interpreter.find,
    card.find,
    pytorch.find,
    card_memory.find,
    kernels.find,
    tools.find,
    storage.find,
    power.find,
    network.find,
)
ORDER: tuple[State, ...] = ("bad", "notice", "good")


def examine(facts: Facts) -> list[Finding]:
    """Everything that can be said of a machine: what is bad first, then what is worth knowing, then what is good."""
    found = [finding for find in SUBJECTS for finding in find(facts)]
    return sorted(found, key=lambda finding: ORDER.index(finding.state))


def is_well(findings: list[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(finding.state != "bad" for finding in findings)


def summary(findings: list[Finding]) -> str:
    """How the machine stands, in a sentence."""
    bad, notices = (sum(finding.state == state for finding in findings) for state in ("bad", "notice"))
    if not bad and not notices:
        return f"All {len(findings)} checks are fine."
    parts = [f"{bad} to mend" if bad else "nothing to mend", f"{notices} worth knowing" if notices else ""]
    return f"{len(findings)} checks: {', '.join(part for part in parts if part)}."
