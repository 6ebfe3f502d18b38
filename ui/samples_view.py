"""What the model answers to the same prompts as it learns: for each prompt its answers by step, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from jobs.curves import Sample

SHOWN_AT_ONCE = 3


def samples_html(samples: Sequence[Sample]) -> str:
    """The answers as HTML; empty without any."""
    by_prompt: dict[str, dict[int, str]] = {}
    for sample in samples:
        by_prompt.setdefault(sample.prompt, {})[sample.step] = sample.answer
    shown = "".join(_prompt(prompt, answers) for prompt, answers in by_prompt.items())
    return f'<div class="hearth-result hearth-samples">{shown}</div>' if shown else ""


def _prompt(prompt: str, answers: dict[int, str]) -> str:
    newest = sorted(answers.items(), reverse=True)
    rows = [_row(step, answer) for step, answer in newest]
    rest = rows[SHOWN_AT_ONCE:]
    fold = f"<details><summary>{len(rest)} earlier</summary><table>{''.join(rest)}</table></details>" if rest else ""
    return f"<h4 translate='no'>{escape(prompt)}</h4><table>{''.join(rows[:SHOWN_AT_ONCE])}</table>{fold}"


def _row(step: int, answer: str) -> str:
    said = escape(answer.strip()).replace("\n", "<br>") or '<span class="quiet">(nothing)</span>'
    return f'<tr><td class="number quiet">step {step:,}</td><td translate="no">{said}</td></tr>'
