"""Which of a source's own columns means what: one list of columns for each name that a format knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from datasets_src.formats import COMMON_COLUMNS, FORMATS
from datasets_src.inspect import Inspection
from datasets_src.spec import FormatName

NOT_HERE = "(not in this file)"
# What is asked for while no format is known: most rows have a question and an answer, whatever they call them.
USUAL = ("prompt", "completion")
# In the order in which they are asked for: what is asked, what is answered, what stands beside it.
MEANINGS = {
    "messages": "all turns, as a list",
    "conversations": "all turns, as a list",
    "prompt": "what is asked",
    "instruction": "what is asked",
    "question": "what is asked",
    "completion": "the answer",
    "output": "the answer",
    "answer": "the answer",
    "chosen": "the better answer",
    "rejected": "the worse answer",
    "label": "whether the answer is good",
    "text": "plain text",
    "input": "what it is about, or asked",
    "system": "a system prompt",
    "history": "earlier turns",
    "tools": "the tools that may be called",
    "tag": "topic or author",
    "group": "rows to keep in one part",
    "split": "train or eval",
}


@dataclass(frozen=True)
class Known:
    """What is known of a source's columns: its own names, the mapping in effect, and the format that it is read as."""

    columns: Sequence[str]
    mapping: Mapping[str, str]
    format: FormatName | None

    @classmethod
    def of(cls, inspection: Inspection) -> Known:
        return cls(inspection.columns, inspection.mapping, inspection.format)


def names_to_map(known: Known) -> list[str]:
    """The names that the source's columns can be given: those of the format, and what was mapped already."""
    format_ = next((each for each in FORMATS if each.name == known.format), None)
    if format_ is None:
        return list(dict.fromkeys([*USUAL, *known.mapping, *COMMON_COLUMNS]))
    there = (set(known.columns) - set(known.mapping.values())) | set(known.mapping)
    needed = format_.fitting(there) or format_.required[0]
    return list(dict.fromkeys([*needed, *known.mapping, *format_.optional, *COMMON_COLUMNS]))


def column_of(known: Known, name: str) -> str:
    """The source's column that stands for a known name; NOT_HERE when there is none."""
    return known.mapping.get(name, name if name in known.columns else NOT_HERE)


def options(known: Known, name: str) -> list[str]:
    """The columns to choose from. A column of the very name can be exchanged for another, but not left out."""
    absent = [] if name in known.columns else [NOT_HERE]
    return [*absent, *known.columns]


def mapping_of(known: Known, values: Mapping[str, str | None]) -> dict[str, str]:
    """The `columns` of a SourceSpec from what was chosen for each name."""
    chosen = {name: str(values.get(name) or NOT_HERE) for name in names_to_map(known)}
    return {name: column for name, column in chosen.items() if column not in (NOT_HERE, name)}


def lay_out(tab: str) -> dict[str, Any]:
    """Draw a list of columns for every name, hidden."""
    components = {}
    with gr.Row(equal_height=False):
        for name, meaning in MEANINGS.items():
            components[name] = gr.Dropdown(
                [],
                label=name,
                info=meaning,
                allow_custom_value=True,
                interactive=True,
                visible=False,
                min_width=180,
                elem_id=f"{tab}-column-{name}",
            )
    return components


def show(known: Known | None) -> list[Any]:
    """A value for each list of columns, in the order of `lay_out`."""
    if known is None:
        return [gr.update(visible=False) for _ in MEANINGS]
    names = names_to_map(known)
    return [
        gr.update(choices=options(known, name), value=column_of(known, name), visible=True)
        if name in names
        else gr.update(visible=False)
        for name in MEANINGS
    ]
