"""The component of one option, and the events that tell of a value entered into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui.fields import FormField, to_raw

FEW_COLUMNS = 3


def typing(component: Any) -> list[Any]:
    """The events that tell of a value entered. A text field's own tells of keys, leaving it of what was pasted."""
    return [component.input, component.blur] if isinstance(component, gr.Textbox) else [component.input]


def component(option: FormField) -> Any:
    """The component for an option, showing its default."""
    value = to_raw(option, option.default)
    common: dict[str, Any] = {"label": option.label, "info": option.help, "value": value, "min_width": 220}
    match option.shape:
        case "flag":
            return gr.Checkbox(elem_classes="hearth-flag", **common)
        case "choice":
            choices = [*option.choices, *([("(none)", "")] if option.optional else [])]
            return gr.Dropdown(choices, filterable=False, **common)
        case "choices":
            return gr.CheckboxGroup(list(option.choices), **common)
        case "whole":
            return gr.Number(step=1, placeholder="none" if option.optional else None, **common)
        case "number":
            return gr.Number(step=0.01, placeholder="none" if option.optional else None, **common)
        case "options":
            return gr.Textbox(lines=2, max_lines=20, elem_classes="hearth-code", **common)
        case "rows":
            return table(option)
        case _:
            return gr.Textbox(lines=1, max_lines=8, **common)


def table(option: FormField) -> Any:
    """A list of specs: a line each, empty cells take the default."""
    return gr.Dataframe(
        value=to_raw(option, option.default) or [],
        headers=[column.label for column in option.columns],
        datatype="str",
        type="array",
        column_count=len(option.columns),
        interactive=True,
        column_widths=_widths(option.columns),
        label=f"{option.label}: a line each, empty cells take the default; a cell's ⋮ adds or removes lines",
        buttons=[],
    )


def _widths(columns: Sequence[FormField]) -> list[int | str]:
    """A few columns share the room there is; many are as wide as they need, and scroll."""
    if len(columns) <= FEW_COLUMNS:
        return [f"{100 // len(columns)}%"] * len(columns)
    return [260 if column.depth == "essential" else 130 for column in columns]
