"""Advice that a build gives for the training, and what it means for its form. Knows nothing of gradio."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from trainer.spec import TrainSpec
from ui.fields import form_fields, to_raw

# Advice on what: which option of the training takes its value.
OPTIONS = {
    "context_length": "max_length",
    "epochs": "optimisation.epochs",
    "learning_rate": "optimisation.learning_rate",
}
TITLES = {
    "context_length": "Context length",
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "model": "Model",
    "rows": "Rows",
    "evaluation": "Evaluation",
    "cut_answers": "Cut answers",
    "duplicates": "Duplicates",
    "answers": "Answers",
}


def advice_html(advice: list[dict[str, Any]]) -> str:
    """What to set, then what to beware of, each with its reason."""
    lines = "".join(
        f'<tr class="{"warned" if each["warning"] else ""}"><th>{TITLES[each["topic"]]}</th>'
        f"<td>{with_code(each['sentence'])}</td></tr>"
        for each in advice
    )
    return f'<div class="hearth-advice"><table>{lines}</table></div>' if lines else ""


def with_code(sentence: str) -> str:
    """A sentence as HTML, what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(sentence))


def settings_advised(advice: list[dict[str, Any]]) -> dict[str, Any]:
    """The values for the training's form, by option name, as its components show them."""
    fields = {each.path: each for each in form_fields(TrainSpec)}
    known = [each for each in advice if each["topic"] in OPTIONS and each["value"] is not None]
    return {OPTIONS[each["topic"]]: to_raw(fields[OPTIONS[each["topic"]]], each["value"]) for each in known}


def in_words(settings: dict[str, Any]) -> str:
    """The settings by their labels, as in `Epochs 3, Learning rate 0.0002`."""
    labels = {each.path: each.label for each in form_fields(TrainSpec)}
    return ", ".join(f"{labels[path]} {value}" for path, value in settings.items())
