"""What rows are asked for: their part, a text in them, a check that found them, their tag, source and language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from datasets_src.browse import Filter, Part
from ui.length_plots import LANGUAGES
from ui.rows_list import is_filtered
from ui.rows_state import PART_TITLES, PARTS, Browser, Facts

PART_CHOICES: list[tuple[str, str]] = [(title, part) for part, title in PART_TITLES.items()]
# A menu of thousands of tags is slow to open; the search finds the others.
LISTED_NAMES = 200
Choices = list[tuple[str, str]]


@dataclass
class Filters:
    """The components; the menus are those of `Filter`'s fields of the same name."""

    part: Any
    text: Any
    menus: dict[str, Any]
    clear: Any

    @property
    def inputs(self) -> list[Any]:
        return [self.part, self.text, *self.menus.values()]

    @property
    def outputs(self) -> list[Any]:
        return [*self.inputs, self.clear]


def lay_out() -> Filters:
    """Draw the filters here."""
    part = gr.Radio(
        PART_CHOICES,
        value="train",
        label="Rows",
        info="Training: to learn from. Evaluation: kept aside to judge by. Left out: dropped by a check, or unusable.",
        elem_id="rows-part",
    )
    with gr.Row(equal_height=True, elem_classes="hearth-filters"):
        text = gr.Textbox(
            label="Search", placeholder="Words in a row, then Enter", lines=1, max_lines=1, min_width=180, scale=2,
            elem_id="rows-text",
        )  # fmt: skip
        menus = {
            name: gr.Dropdown(
                [], label=label, allow_custom_value=True, visible=False, min_width=150, elem_id=f"rows-{name}"
            )
            for name, label in (
                ("check", "Found by check"),
                ("tag", "Tag"),
                ("source", "Source"),
                ("language", "Language"),
            )
        }
    clear = gr.Button("Show all rows", size="sm", visible=False, elem_id="rows-clear")
    return Filters(part, text, menus, clear)


def wanted_of(part: str, text: str | None, *names: str | None) -> Filter:
    """What stands in `Filters.inputs` as a filter."""
    known: Part = next((known for known in PARTS if known == part), "train")
    check, tag, source, language = (name or "" for name in names)
    return Filter(known, (text or "").strip(), check, tag, source, language)


def shown(browser: Browser) -> list[Any]:
    """Values of `Filters.outputs`."""
    wanted, facts = browser.view.wanted, browser.facts
    parts = [(f"{title} · {facts.counts[part]:,}", part) for part, title in PART_TITLES.items()]
    return [
        gr.Radio(choices=parts, value=wanted.part),
        wanted.text,
        _menu(check_choices(facts, wanted.part), wanted.check, fewest=1),
        _menu(name_choices(facts.tags), wanted.tag),
        _menu(name_choices(facts.sources), wanted.source),
        _menu(name_choices(facts.languages, LANGUAGES), wanted.language),
        gr.Button(visible=is_filtered(browser)),
    ]


def check_choices(facts: Facts, part: Part) -> Choices:
    """Every check that found rows anywhere, with the number of them in this part; titles instead of names."""
    found = {name for counts in facts.found.values() for name in counts}
    return [
        (f"{title}: {facts.found[part].get(name, 0):,}", name) for name, title in facts.titles.items() if name in found
    ]


def name_choices(values: Mapping[str, int], names: Mapping[str, str] | None = None) -> Choices:
    """Each value with its number of training and evaluation rows, the most frequent first."""
    return [(f"{(names or {}).get(value, value)}: {number:,}", value) for value, number in values.items()][
        :LISTED_NAMES
    ]


def _menu(choices: Sequence[tuple[str, str]], value: str, fewest: int = 2) -> Any:
    """A menu; hidden where there is nothing to choose between."""
    return gr.Dropdown(choices=[("any", ""), *choices], value=value, visible=len(choices) >= fewest or bool(value))
