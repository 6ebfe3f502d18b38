"""The Training tab's form: what everybody chooses, presets, origins beside the fields, memory, and three depths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

import recipes.snake
from jobs.errors import Missing
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from trainer.check import require_trainable
from trainer.spec import TrainSpec
from ui import demo, filling, memory_panel, preset_panel
from ui import form as forms
from ui.choices import dataset_of, dataset_options, is_snake
from ui.fields import FormField, Raw
from ui.form import Follower, Form
from ui.layers import FROM_RUN
from ui.memory_panel import MemoryPanel
from ui.origins import idle_options, origins_css
from ui.page import Page, Settings
from ui.parts import open_part
from ui.paths import check_model
from ui.picks import Pick

TAB = "training"
FIRST = ("model", "data", preset_panel.PATH)
SNAKE_SPEC = Path(recipes.snake.__file__).with_name("train.yaml")


@dataclass(frozen=True)
class TrainingForm:
    """The form, the button that starts the run, and where an error of the form shows."""

    form: Form
    train: Any
    error: Any


def lay_out(page: Page) -> TrainingForm:
    """Draw the form here and wire it, all but the button."""
    begin: list[Any] = []

    def essentials(form: Form) -> None:
        begin.extend(_draw_essentials(form))

    form = forms.lay_out(
        TrainSpec,
        TAB,
        "python cli.py train spec.yaml",
        replace={"model": model_choice, preset_panel.PATH: preset_panel.preset_choice},
        picked={"data": dataset_options},
        base=defaults,
        base_name="Snake recipe",
        above=preset_panel.preset_layer,
        plain=TrainSpec.beside_preset,
        essentials=essentials,
    )
    train, error, memory = begin
    follow(page, form, memory)
    forms.lay_out_yaml(page, form, error)
    memory_panel.wire(page, form, memory, error)
    preset_panel.wire(page, form, error)
    filling.fill(page, form, "data", error)
    return TrainingForm(form, train, error)


def _draw_essentials(form: Form) -> tuple[Any, Any, MemoryPanel]:
    """Model, dataset, preset, the button and the memory; below them the other essential options."""
    with gr.Group(elem_classes="hearth-form"):
        with gr.Row(equal_height=False):
            form.draw("model")
            form.draw("data")
        form.draw(preset_panel.PATH)
    train = gr.Button("Train", variant="primary", elem_id="train")
    error = gr.HTML(visible=False)
    memory = memory_panel.lay_out()
    with gr.Accordion("Essentials", open=True), gr.Row(equal_height=False):
        for each in form.shown:
            if each.depth == "essential" and each.path not in FIRST:
                form.draw(each.path)
    return train, error, memory


def follow(page: Page, form: Form, memory: MemoryPanel) -> None:
    """Have origins and memory follow the form."""

    def origins(workspace: Workspace, raw: Raw) -> str:
        return origins_css(TAB, form.origins(workspace), idle_options(raw), form.groups)

    forms.remember(form)
    form.followers.append(Follower(gr.HTML("", elem_id="training-origins"), origins))
    memory_panel.follow(page, form, memory)


def model_choice(option: FormField) -> Any:
    """A field that offers the embedded model and takes any other."""
    return gr.Dropdown(
        [("embedded (SmolLM2-135M)", "embedded")],
        value=option.default,
        label=option.label,
        info=option.help,
        allow_custom_value=True,
        min_width=220,
    )


def defaults(workspace: Workspace) -> dict[str, Any]:
    """What the form shows before anything is entered: for Snake the recipe's, which suits a machine without a GPU."""
    data = Pick(TAB, "data", dataset_options, None, None).value(workspace)
    if is_snake(dataset_of(workspace, data)):
        return snake_values()
    return {}


@cache
def snake_values() -> dict[str, Any]:
    """The recipe's options; read once, since every keystroke asks what stands under it."""
    return {key: value for key, value in dict(read_yaml(SNAKE_SPEC)).items() if key != "data"}


def spec_to_start(settings: Settings, workspace: Workspace, form: Form, values: Sequence[Any]) -> TrainSpec:
    """The run on screen, checked. Raises BadInput or Missing."""
    require_dataset(workspace)
    spec = form.parse(workspace, values)
    assert isinstance(spec, TrainSpec)
    check_model(settings, workspace, spec.model)
    require_trainable(spec, workspace)
    demo.check_nothing_sent(settings, spec.saving.trackers)
    demo.check_small(settings, "At most steps", spec.optimisation.max_steps, demo.MOST_STEPS)
    return spec


def require_dataset(workspace: Workspace) -> None:
    """Raises Missing when there is nothing to train on."""
    if not dataset_options(workspace):
        raise Missing("There is no dataset yet.", "A model is trained on one.", "Build one on the Datasets tab.")


def take_run(form: Form, workspace: Workspace, spec: dict[str, Any]) -> None:
    """Enter an earlier run's spec into the form. Raises BadInput where it can't be read any more."""
    form.put(workspace, TrainSpec.parse(spec, "The earlier run").model_dump(mode="json"), FROM_RUN)
    forms.tell_entered(workspace, TAB)
    open_part(workspace, TAB, "train")
