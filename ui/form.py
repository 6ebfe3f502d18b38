"""A form made from a spec: its fields as components, its values back again, kept as a draft, and as YAML.

A value stands there from one of several layers: the spec's default, what the tab begins with, a preset, and over these
what was entered, by hand or from elsewhere. Only what was entered is kept, so that the rest follows what it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from json import dumps, loads
from threading import Lock
from typing import Any

import gradio as gr
import yaml

from jobs.errors import BadInput
from jobs.spec import Spec
from jobs.workspace import Workspace
from ui.components import component, typing
from ui.drafts import read_draft, save_draft
from ui.fields import FormField, Raw, form_fields, raw_of_values, values_of_raw
from ui.layers import FROM_YAML, YOURS, Layer, Underlay, changed_values, changes, lay_under, values_in
from ui.origins import Group, element_of
from ui.page import SKIP, Page
from ui.picks import Options, Pick
from ui.picks import lay_out as lay_out_pick
from ui.picks import wire as wire_pick

WIDE = ("rows", "options")
DEPTHS = {"common": "Common settings", "everything": "Everything"}
Complete = Callable[[Workspace, dict[str, Any]], dict[str, Any]]
Take = Callable[[Workspace, dict[str, Any]], None]
Base = Callable[[Workspace], dict[str, Any]]
Above = Callable[[Raw], Layer | None]
# What is typed, picked and entered from elsewhere at the same time must all be kept.
_KEEPING = Lock()


@dataclass(frozen=True)
class Beside:
    """Components beside a form, and what they are to show."""

    show: Callable[[Workspace], Sequence[Any]]
    outputs: Sequence[Any]


NOTHING_BESIDE = Beside(lambda _: (), ())


@dataclass(frozen=True)
class Follower:
    """A component that shows something of the form's raw values, with every change of them."""

    component: Any
    show: Callable[[Workspace, Raw], Any]


@dataclass
class Form:
    """The components of one spec, by dotted option name, in order; `picks` are those that offer what was made before.

    `complete` adds what the tab knows and the form doesn't show, such as which models are compared; `take` keeps these
    when they come from a YAML text. `base` gives the values (nested, as in YAML) that stand there before anything is
    entered, where they are others than the defaults; `base_name` says where these come from. `above` gives what stands
    over them because of what was entered, such as a preset. `plain` makes of a spec what its YAML says.

    `memo` holds what the page was last given, as JSON, so that what a person changed can be told from what the server
    changed meanwhile.
    """

    spec: type[Spec]
    tab: str
    command: str
    complete: Complete
    take: Take
    base: Base
    base_name: str
    above: Above
    plain: Callable[[Any], dict[str, Any]]
    shown: list[FormField]
    draw_own: dict[str, Callable[[FormField], Any]] = field(default_factory=dict)
    offered: dict[str, Options] = field(default_factory=dict)
    components: dict[str, Any] = field(default_factory=dict)
    picks: dict[str, Pick] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    yaml: Any = None
    memo: Any = None
    followers: list[Follower] = field(default_factory=list)

    @property
    def inputs(self) -> list[Any]:
        return list(self.components.values())

    @property
    def fields(self) -> list[FormField]:
        """Those that are kept as they are entered: all but the picks."""
        return [each for each in self.shown if each.path not in self.picks]

    @property
    def below(self) -> list[Any]:
        """The components that change with every value: YAML and followers."""
        return [self.yaml, *(follower.component for follower in self.followers)]

    def refreshed(self, workspace: Workspace, values: Sequence[Any]) -> list[Any]:
        """Values of `outputs` that show anew what is below the components, which stay as they are, as does `memo`."""
        shown = zip(self.below, self.show_below(workspace, values), strict=True)
        below = [SKIP if component is self.memo else value for component, value in shown]
        return [*[SKIP for _ in self.inputs], *below]

    @property
    def outputs(self) -> list[Any]:
        """What `initial` gives values for."""
        return [*self.inputs, *self.below]

    @property
    def typed(self) -> list[Any]:
        """What a handler that keeps the form takes: the fields, and what the page was last given."""
        return [*self.inputs, *([self.memo] if self.memo else [])]

    def draw(self, path: str) -> None:
        """Draw the option's component here."""
        each = next(each for each in self.shown if each.path == path)
        if path in self.offered:
            self.picks[path] = lay_out_pick(self.tab, path, self.offered[path], each.label, each.help)
            drawn = self.picks[path].component
        else:
            drawn = self.draw_own.get(path, component)(each)
        drawn.elem_id = element_of(self.tab, path)
        drawn.elem_classes = [*drawn.elem_classes, "hearth-field"]
        self.components[path] = drawn

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

    def under(self, workspace: Workspace, entered: Raw) -> Underlay:
        """What stands there under what was entered."""
        above = self.above(entered)
        begun = Layer(self.base_name, self.base(workspace))
        return lay_under(self.shown, [begun, above] if above else [begun])

    def shows(self, workspace: Workspace) -> Raw:
        """What the components show: what stands there, and over it what was entered."""
        entered = self.kept(workspace)
        picked = {path: pick.value(workspace) for path, pick in self.picks.items()}
        return {**self.under(workspace, entered).raw, **entered, **picked}

    def origins(self, workspace: Workspace) -> dict[str, str]:
        """Where each value comes from, in words; without the options that have their defaults."""
        entered, said = self.kept(workspace), read_draft(workspace, self.tab).get("origins", {})
        own = {path: str(said.get(path, YOURS)) for path in entered if path not in self.picks}
        return {**self.under(workspace, entered).origins, **own}

    def keep(self, workspace: Workspace, values: Sequence[Any]) -> None:
        """Keep what was changed since the page was last given values, or since it was last kept.

        `values`: of the components, perhaps followed by `memo`. What stands there by itself is not kept.
        """
        known = values[len(self.components)] if len(values) > len(self.components) else ""
        with _KEEPING:
            before = loads(known) if known else self.shows(workspace)
            changed = changes(self.fields, self.raw(values[: len(self.components)]), before)
            draft = read_draft(workspace, self.tab)
            entered, origins = ({**draft.get(key, {})} for key in ("form", "origins"))
            under = self.under(workspace, {**entered, **changed}).raw
            for path in changed:
                origins.pop(path, None)
                entered.pop(path, None)
            entered |= changes(self.fields, changed, under)
            save_draft(workspace, self.tab, form=entered, origins=origins)

    def put(self, workspace: Workspace, values: dict[str, Any], origin: str) -> None:
        """Enter a whole spec's values (nested, valid) from elsewhere in place of all that was entered."""
        self.take(workspace, values)
        raw = raw_of_values(self.shown, values)
        self.keep_picks(workspace, [raw[path] for path in self.components])
        with _KEEPING:
            entered = changes(self.fields, raw, self.under(workspace, raw).raw)
            save_draft(workspace, self.tab, form=entered, origins=dict.fromkeys(entered, origin))

    def keep_picks(self, workspace: Workspace, values: Sequence[Any]) -> None:
        """Keep what was chosen among what was made before. What stands there untouched may be others then."""
        raw = self.raw(values)
        for path, pick in self.picks.items():
            pick.keep(workspace, raw[path])

    def initial(self, workspace: Workspace) -> list[Any]:
        """What the components show at first, and over it what was entered; then what is below them."""
        raw = self.shows(workspace)
        shown = [raw[path] for path in self.components]
        return [*shown, *self.show_below(workspace, shown)]

    def show_below(self, workspace: Workspace, values: Sequence[Any]) -> list[Any]:
        """Values of `below`."""
        raw = self.raw(values)
        return [self.as_yaml(workspace, values), *(follower.show(workspace, raw) for follower in self.followers)]

    def as_yaml(self, workspace: Workspace, values: Sequence[Any]) -> str:
        """The YAML of what is on screen; its problems as comments while it can't be written."""
        try:
            spec = self.parse(workspace, values)
        except BadInput as problem:
            return "".join(f"# {line}\n" for line in problem.what.splitlines())
        return f"# {self.command}\n{yaml.safe_dump(self.plain(spec), sort_keys=False, allow_unicode=True)}"

    def from_yaml(self, text: str) -> Raw:
        """Raw values of a YAML text. Raises BadInput with all its problems."""
        return raw_of_values(self.shown, values_in(self.spec, text))

    def load(self, workspace: Workspace, text: str) -> list[Any]:
        """Keep all that a YAML text says; what the components show then, and its YAML. Raises BadInput."""
        self.put(workspace, values_in(self.spec, text), FROM_YAML)
        return self.initial(workspace)


def _spec_defaults(_: Workspace) -> dict[str, Any]:
    return {}


def _as_given(_: Workspace, values: dict[str, Any]) -> dict[str, Any]:
    return values


def _nothing_beside(_: Workspace, _values: dict[str, Any]) -> None:
    """The form shows everything."""


def _nothing_above(_: Raw) -> None:
    """What was entered changes nothing else."""


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
    base_name: str = "the example",
    above: Above = _nothing_above,
    plain: Callable[[Any], dict[str, Any]] = changed_values,
    essentials: Callable[[Form], None] | None = None,
) -> Form:
    """Draw the form here.

    `replace`: components of the tab's own for some options; `picked`: options that choose among what was made before;
    `hide`: options that the tab sets itself; `essentials`: draws the essential ones in the tab's own order.
    """
    shown = [each for each in form_fields(spec) if each.path not in hide]
    form = Form(
        spec, tab, command, complete, take, base, base_name, above, plain, shown, replace or {}, picked or {}
    )  # fmt: skip
    (essentials or _draw_essentials)(form)
    for depth, title in DEPTHS.items():
        deeper = [each for each in shown if each.depth == depth and each.path not in form.components]
        if deeper:
            with gr.Accordion(title, open=False):
                draw_groups(form, depth, deeper)
    return form


def _draw_essentials(form: Form) -> None:
    essential = [each for each in form.shown if each.depth == "essential"]
    with gr.Group(elem_classes="hearth-form"):
        for each in essential:
            if each.shape != "rows":
                form.draw(each.path)
    for each in essential:
        if each.shape == "rows":
            form.draw(each.path)


def draw_groups(form: Form, depth: str, fields: Sequence[FormField]) -> None:
    """Draw fields here: those that belong together under their heading, what needs the whole width below the others."""
    for place, (group, grouped) in enumerate(groupby(fields, key=lambda each: each.group)):
        together = sorted(grouped, key=lambda each: each.shape in WIDE)
        element = f"{form.tab}-{depth}-{place}"
        form.groups.append(Group(element, tuple(each.path for each in together)))
        with gr.Column(elem_id=element, elem_classes="hearth-group"):
            if group:
                gr.Markdown(f"**{group}**")
            narrow = [each.path for each in together if each.shape not in WIDE]
            with gr.Row(equal_height=False):
                for path in narrow:
                    form.draw(path)
            for each in together[len(narrow) :]:
                form.draw(each.path)


def enter(workspace: Workspace, tab: str, raw: Raw, origin: str = YOURS) -> None:
    """Enter values into a tab's form from elsewhere; it shows them, and `origin` beside them, once the tab is open."""
    enter_quietly(workspace, tab, raw, origin)
    tell_entered(workspace, tab)


def enter_quietly(workspace: Workspace, tab: str, raw: Raw, origin: str) -> None:
    """Enter values that the page is given by who calls this."""
    with _KEEPING:
        draft = read_draft(workspace, tab)
        origins = {**draft.get("origins", {}), **dict.fromkeys(raw, origin)}
        save_draft(workspace, tab, form={**draft.get("form", {}), **raw}, origins=origins)


def tell_entered(workspace: Workspace, tab: str) -> None:
    """Have the tab's form show what was entered elsewhere."""
    save_draft(workspace, tab, entered=int(read_draft(workspace, tab).get("entered", 0)) + 1)


def remember(form: Form) -> None:
    """Have the page carry what it was last given, so that two things that happen at once don't undo one another."""
    form.memo = gr.Textbox(visible=False)
    form.followers.append(Follower(form.memo, lambda _, raw: dumps(raw)))


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
        return form.show_below(workspace, values[: len(form.components)])

    def picked(workspace: Workspace, *values: Any) -> list[Any]:
        form.keep(workspace, values)
        form.keep_picks(workspace, values[: len(form.components)])
        return form.initial(workspace)

    def read(workspace: Workspace, text: str) -> list[Any]:
        return [*form.load(workspace, text), *beside.show(workspace)]

    for pick in form.picks.values():
        wire_pick(page, pick)
    plain = [trigger for path, each in form.components.items() if path not in form.picks for trigger in typing(each)]
    page.on(plain, typed, form.typed, form.below, error, quiet=True)
    if form.picks:
        chosen = [pick.component.input for pick in form.picks.values()]
        page.on(chosen, picked, form.typed, form.outputs, error, quiet=True)
    page.on(load.click, read, [form.yaml], [*form.outputs, *beside.outputs], error)
