"""Presets on the Training tab: the choice among them, what one sets, and a spec's YAML beside its preset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from trainer.presets import PRESETS
from trainer.spec import TrainSpec
from ui.fields import FormField, Raw, form_fields, raw_given
from ui.form import Form
from ui.layers import Layer
from ui.page import SKIP, Page

PATH = "preset"
INFO = "Settings that belong together. What you change yourself stays as it is."


def preset_choice(option: FormField) -> Any:
    """The field that offers the presets, each with what it is for."""
    named = [(f"{name}: {preset.help}", name) for name, preset in PRESETS.items()]
    return gr.Dropdown(
        [("none: the defaults", ""), *named], value="", label=option.label, info=INFO, filterable=False, min_width=220
    )


def preset_layer(raw: Raw) -> Layer | None:
    """What the chosen preset says; None without one."""
    preset = PRESETS.get(raw.get(PATH))  # type: ignore[arg-type]
    return Layer(f"preset {raw[PATH]}", preset.values) if preset else None


def set_by_presets() -> list[str]:
    """The options that any preset sets."""
    fields = form_fields(TrainSpec)
    named = {path for preset in PRESETS.values() for path in raw_given(fields, preset.values)}
    return [each.path for each in fields if each.path in named]


def wire(page: Page, form: Form, error: gr.HTML) -> None:
    """Have a picked preset set the fields that weren't changed by hand."""
    paths = set_by_presets()

    def picked(workspace: Workspace, *values: Any) -> list[Any]:
        return after_picking(form, workspace, values)

    outputs = [*(form.components[path] for path in paths), *form.below]
    page.on(form.components[PATH].input, picked, form.typed, outputs, error, quiet=True)


def after_picking(form: Form, workspace: Workspace, values: Sequence[Any]) -> list[Any]:
    """Keep the form with its newly picked preset: values of the fields that presets set, then of what is below."""
    before = form.raw(values[: len(form.components)])
    form.keep(workspace, values)
    shown = {**form.shows(workspace), **{path: before[path] for path in form.picks}}
    below = form.show_below(workspace, [shown[path] for path in form.components])
    updates = [shown[path] if shown[path] != before[path] else SKIP for path in set_by_presets()]
    return [*updates, *below]
