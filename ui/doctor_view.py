"""The doctor's findings as HTML: what is to mend, what is worth knowing, and in a fold what is good."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from models.doctor.finding import Finding
from models.doctor.findings import summary
from ui.words import count, when

CHIPS = {"bad": ("failed", "To mend"), "notice": ("lost", "Worth knowing"), "good": ("succeeded", "Fine")}


def findings_html(findings: Sequence[Finding], checked: float | None) -> str:
    """`checked`: when everything was tried last, None where only what is quickly read is known."""
    shown = [finding for finding in findings if finding.state != "good"]
    good = [finding for finding in findings if finding.state == "good"]
    lines = "".join(_finding(finding) for finding in shown)
    fold = "".join(_finding(finding) for finding in good)
    fine = f"<details><summary>{count(len(good), 'check')} fine</summary><ul>{fold}</ul></details>" if good else ""
    thorough = (
        f"Everything was checked at {when(checked)}."
        if checked
        else "These are the quick ones; the button adds those that take a minute."
    )
    return (
        f'<div class="hearth-doctor"><p>{escape(summary(list(findings)))} <span class="quiet">{thorough}</span></p>'
        f"<ul>{lines}</ul>{fine}</div>"
    )


def _finding(finding: Finding) -> str:
    kind, word = CHIPS[finding.state]
    beside = [f"<p>{_text(text)}</p>" for text in (finding.matters, finding.todo) if text]
    command = f'<code class="command">{escape(finding.command)}</code>' if finding.command else ""
    return (
        f'<li class="{finding.state}"><div class="head"><span class="chip {kind}">{word}</span>'
        f"<b>{escape(finding.name)}</b></div><p>{_text(finding.seen)}</p>{''.join(beside)}{command}</li>"
    )


def _text(text: str) -> str:
    """A sentence, with what one would type set apart."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def checking_html(share: float, words: str) -> str:
    """How far the checks are that take longer."""
    label = f'role="progressbar" aria-valuenow="{share:.0%}" aria-valuemin="0" aria-valuemax="100"'.replace("%", "")
    return (
        f'<div class="hearth-job"><div class="message">{escape(words)} …</div>'
        f'<div class="bar running" {label}><i style="width:{share:.0%}"></i></div></div>'
    )
