"""A form made from a spec: its fields as components, its values back again, kept as a draft, and as YAML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import gradio as gr
import yaml

from jobs.errors import BadInput
from jobs.spec import Spec
from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft
from ui.fields import FormField, Raw, form_fields, raw_of_values, to_raw, values_of_raw
from ui.page import SKIP, Page
from ui.picks import Options, Pick
from ui.picks import lay_out as lay_out_pick
from ui.picks import wire as wire_pick

DEPTHS = {"common": "More settings", "everything": "Everything"}
Complete = Callable[[Workspace, dict[str, Any]], dict[str, Any]]
Take = Callable[[Workspace, dict[str, Any]], None]
Base = Callable[[Workspace], dict[str, Any]]


@dataclass(frozen=True)
class Beside:
    """Components beside a form, and what they are to show."""

    show: Callable[[Workspace], Sequence[Any]]
    outputs: Sequence[Any]


NOTHING_BESIDE = Beside(lambda _: (), ())


@dataclass
class Form:
    """The components of one spec, by dotted option name, in order; `picks` are those that offer what was made before.

    `complete` adds what the tab knows and the form doesn't show, such as which models are compared; `take` keeps these
    when they come from a YAML text. `base` gives the values (nested, as in YAML) that stand there before anything is
    entered, where they are others than the defaults.
    """

    spec: type[Spec]
    tab: str
    command: str
    complete: Complete
    take: Take
    base: Base
    shown: list[FormField]
    components: dict[str, Any] = field(default_factory=dict)
    picks: dict[str, Pick] = field(default_factory=dict)
    yaml: Any = None

    @property
    def inputs(self) -> list[Any]:
        return list(self.components.values())

    def raw(self, values: Sequence[Any]) -> Raw:
        """The components' values by option name. Tables arrive as rows of cells."""
        return dict(zip(self.components, values, strict=True))

    def values(self, workspace: Workspace, values: Sequence[Any]) -> dict[str, Any]:
        """What the spec is parsed from."""
        raw = self.raw(values)
        for path, pick in self.picks.items():
            raw[path] = raw[path] or pick.value(workspace)  # a list that is not filled in yet shows nothing
        given = {path: value for path, value in raw.items() if path not in self.picks or value}
        return self.complete(workspace, values_of_raw(self.shown, given))

    def parse(self, workspace: Workspace, values: Sequence[Any]) -> Spec:
        """The spec as it stands on screen. Raises BadInput that names every problem."""
        return self.spec.parse(self.values(workspace, values), "The form")

    def kept(self, workspace: Workspace) -> Raw:
        """The draft's raw values: only what was entered."""
        return dict(read_draft(workspace, self.tab).get("form", {}))

    def keep(self, workspace: Workspace, values: Sequence[Any]) -> None:
        """Keep what differs from what stood there before, so that what was never touched follows it."""
        untouched = raw_of_values(self.shown, self.base(workspace))
        raw = {path: value for path, value in self.raw(values).items() if path not in self.picks}
        save_draft(workspace, self.tab, form={path: value for path, value in raw.items() if value != untouched[path]})

    def keep_picks(self, workspace: Workspace, values: Sequence[Any]) -> None:
        """Keep what was chosen among what was made before. What stands there untouched may be others then."""
        raw = self.raw(values)
        for path, pick in self.picks.items():
            pick.keep(workspace, raw[path])

    def initial(self, workspace: Workspace) -> list[Any]:
        """What the components show at first, and over it what was entered; then its YAML."""
        picked = {path: pick.value(workspace) for path, pick in self.picks.items()}
        raw = {**raw_of_values(self.shown, self.base(workspace)), **self.kept(workspace), **picked}
        shown = [raw[path] for path in self.components]
        return [*shown, self.as_yaml(workspace, shown)]

    def as_yaml(self, workspace: Workspace, values: Sequence[Any]) -> str:
        """The YAML of what is on screen; its problems as comments while it can't be written."""
        try:
            spec = self.parse(workspace, values)
        except BadInput as problem:
            return "".join(f"# {line}\n" for line in problem.what.splitlines())
        return f"# {self.command}\n{spec.to_yaml(only_changed=True)}"

    def from_yaml(self, text: str) -> Raw:
        """Raw values of a YAML text. Raises BadInput with all its problems."""
        return raw_of_values(self.shown, self._values_in(text))

    def load(self, workspace: Workspace, text: str) -> list[Any]:
        """Keep all that a YAML text says; what the components show then, and its YAML. Raises BadInput."""
        values = self._values_in(text)
        self.take(workspace, values)
        raw = raw_of_values(self.shown, values)
        shown = [raw[path] for path in self.components]
        self.keep_picks(workspace, shown)
        self.keep(workspace, shown)
        return self.initial(workspace)

    def _values_in(self, text: str) -> dict[str, Any]:
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f"line {mark.line + 1}" if mark else "the text"
            reason = str(getattr(error, "problem", None) or error)
            raise BadInput(f"{line} is not YAML.", reason, "Check indentation and quotes there.") from error
        return self.spec.parse(values, "The YAML").model_dump(mode="json")


def _spec_defaults(_: Workspace) -> dict[str, Any]:
    return {}


def _as_given(_: Workspace, values: dict[str, Any]) -> dict[str, Any]:
    return values


def _nothing_beside(_: Workspace, _values: dict[str, Any]) -> None:
    """The form shows everything."""


def lay_out(
    spec: type[Spec],
    tab: str,
    command: str,
    *,
    replace: dict[str, Callable[[FormField], Any]] | None = None,
    picked: dict[str, Options] | None = None,
    hide: Sequence[str] = (),
    complete: Complete = _as_given,
    take: Take = _nothing_beside,
    base: Base = _spec_defaults,
) -> Form:
    """Draw the form here.

    `replace`: components of the tab's own for some options; `picked`: options that choose among what was made before;
    `hide`: options that the tab sets itself.
    """
    shown = [each for each in form_fields(spec) if each.path not in hide]
    form = Form(spec, tab, command, complete, take, base, shown)
    made: dict[str, Any] = {}
    own = replace or {}

    def draw(each: FormField) -> Any:
        if each.path in (picked or {}):
            options = (picked or {})[each.path]
            form.picks[each.path] = lay_out_pick(tab, each.path, options, each.label, each.help)
            return form.picks[each.path].component
        return own.get(each.path, component)(each)

    with gr.Group(elem_classes="hearth-form"):
        made |= {each.path: draw(each) for each in shown if each.depth == "essential" and each.shape != "rows"}
    made |= {each.path: draw(each) for each in shown if each.shape == "rows"}
    for depth, title in DEPTHS.items():
        deeper = [each for each in shown if each.depth == depth]
        if deeper:
            with gr.Accordion(title, open=False):
                for group, fields in groupby(deeper, key=lambda each: each.group):
                    if group:
                        gr.Markdown(f"**{group}**")
                    with gr.Row(equal_height=False):
                        made |= {each.path: draw(each) for each in fields}
    form.components = {each.path: made[each.path] for each in shown}
    for path, made_component in form.components.items():
        made_component.elem_id = f"{tab}-{path.replace('.', '-')}"
    return form


def enter(workspace: Workspace, tab: str, raw: Raw) -> None:
    """Enter values into a tab's form from elsewhere; it shows them as soon as the tab is open."""
    draft = read_draft(workspace, tab)
    save_draft(workspace, tab, form={**draft.get("form", {}), **raw}, entered=int(draft.get("entered", 0)) + 1)


def fill(page: Page, form: Form, follows: str, error: gr.HTML) -> None:
    """Fill the form when the page opens, and again when what is picked at option `follows` brings other values or some
    were entered from elsewhere.
    """
    known = gr.Textbox(visible=False)
    everything = [*form.inputs, form.yaml, known]

    def load(workspace: Workspace) -> list[Any]:
        return [*form.initial(workspace), str(form.base(workspace))]

    def follow(workspace: Workspace, before: str) -> list[Any]:
        if str(form.base(workspace)) == before:  # what is being typed meanwhile must not be put back
            return [SKIP for _ in everything]
        return load(workspace)

    page.load(load, everything)
    page.on(form.picks[follows].component.change, follow, [known], everything, error, quiet=True)
    fill_when_entered(page, form)


def fill_when_entered(page: Page, form: Form) -> None:
    """Fill the form, while its tab is open, with what was entered from elsewhere."""
    entered = gr.Textbox("0", visible=False)
    everything = [*form.inputs, form.yaml, entered]

    def look(workspace: Workspace, before: str) -> list[Any]:
        now = str(read_draft(workspace, form.tab).get("entered", 0))
        return [SKIP for _ in everything] if now == before else [*form.initial(workspace), now]

    page.poll(form.tab, look, [entered], everything)


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
        column_widths=[260 if column.depth == "essential" else 130 for column in option.columns],
        label=f"{option.label}: a line each, empty cells take the default",
        buttons=[],
    )


def lay_out_yaml(page: Page, form: Form, error: gr.HTML, beside: Beside = NOTHING_BESIDE) -> None:
    """The part below a form that shows it as YAML and command, reads YAML back, and keeps the draft.

    `beside`: what shows the part of the spec that the form hides, brought up to date when YAML was read.
    """
    with gr.Accordion("YAML and command", open=False):
        form.yaml = gr.Textbox(
            lines=6,
            max_lines=20,
            label="spec.yaml",
            info="What is on screen, without the defaults. The first line is the command that does the same. "
            "Paste another here to load it.",
            elem_classes="hearth-code",
            buttons=["copy"],
        )
        load = gr.Button("Load this YAML into the form", size="sm")

    def typed(workspace: Workspace, *values: Any) -> list[Any]:
        form.keep(workspace, values)
        return [form.as_yaml(workspace, values)]

    def picked(workspace: Workspace, *values: Any) -> list[Any]:
        form.keep(workspace, values)
        form.keep_picks(workspace, values)
        return form.initial(workspace)

    def read(workspace: Workspace, text: str) -> list[Any]:
        return [*form.load(workspace, text), *beside.show(workspace)]

    for pick in form.picks.values():
        wire_pick(page, pick)
    everything = [*form.inputs, form.yaml]
    plain = [trigger for path, each in form.components.items() if path not in form.picks for trigger in typing(each)]
    page.on(plain, typed, form.inputs, [form.yaml], error, quiet=True)
    if form.picks:
        chosen = [pick.component.input for pick in form.picks.values()]
        page.on(chosen, picked, form.inputs, everything, error, quiet=True)
    page.on(load.click, read, [form.yaml], [*everything, *beside.outputs], error)
