"""`python cli.py doctor`: what is wrong with this machine, and the commands that mend it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.shared import JsonOption, WorkspaceOption, console, open_workspace, show
from models.doctor.finding import Finding
from models.doctor.findings import examine, is_well, summary

MARKS = {"bad": "✗", "notice": "!", "good": "✓"}
INDENT = " " * 24


def doctor(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what takes more than a second.")] = False,
) -> None:
    """Check this machine: Python, card and driver, libraries, disk, tools. Exit status 1 when something is bad."""
    from models.doctor.reading import read_facts
    from models.doctor.reading.trying import try_everything

    facts = read_facts(open_workspace(workspace).root)
    if not quick:
        facts = try_everything(facts, lambda share, words: console.print(f"{share:4.0%} {words} …"))
    findings = examine(facts)
    show(as_document(findings), as_json, as_text(findings))
    raise typer.Exit(0 if is_well(findings) else 1)


def as_document(findings: list[Finding]) -> dict[str, Any]:
    return {
        "well": is_well(findings),
        "summary": summary(findings),
        "findings": [asdict(finding) for finding in findings],
    }


def as_text(findings: list[Finding]) -> str:
    """Every finding with its mark; below it why it matters and what mends it."""
    return "\n".join([*(line for finding in findings for line in _lines(finding)), "", summary(findings)])


def _lines(finding: Finding) -> list[str]:
    beside = (("why: ", finding.matters), ("do:  ", finding.todo), ("run: ", finding.command))
    return [
        f"{MARKS[finding.state]} {finding.name:<20}  {finding.seen}",
        *(f"{INDENT}{label}{text}" for label, text in beside if text),
    ]
