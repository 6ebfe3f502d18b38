"""A list of specs as cards, and below them an editor for the one that is chosen: for lists too wide for a table.

The list is kept in a tab's draft, in the shape of the spec itself, so that nothing is lost on its way through a form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from jobs.spec import Spec
from jobs.workspace import Workspace
from ui.clicks import Click, acting_html, button, on_click
from ui.components import component, typing
from ui.drafts import read_draft, save_draft
from ui.fields import FormField, form_fields, raw_of_values, values_of_raw
from ui.form import NOTHING_BESIDE, Beside
from ui.page import SKIP, Page

Item = dict[str, Any]


@dataclass(frozen=True)
class Card:
    """What a card says: its title, a line about it as HTML, and the state that colours it (`good`, `bad` or none)."""

    title: str
    about: str
    state: str = ""


@dataclass
class SpecList:
    """The list `key` of a tab's draft. `describe` makes a card of an item, `applies` says which options matter to it.

    `first`: what stands in it before anything is entered. `components`: the editor's, by option name.
    """

    spec: type[Spec]
    tab: str
    key: str
    describe: Callable[[Workspace, Item], Card]
    applies: Callable[[Item, str], bool]
    fields: list[FormField]
    first: Sequence[Item]
    cards: Any
    column: Any
    components: dict[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> list[Any]:
        return [self.cards, self.column, *self.components.values()]

    def items(self, workspace: Workspace) -> list[Item]:
        return list(read_draft(workspace, self.tab).get(self.key, self.first))

    def save(self, workspace: Workspace, items: Sequence[Item]) -> None:
        save_draft(workspace, self.tab, **{self.key: list(items) or None})

    def chosen(self, workspace: Workspace) -> int | None:
        """The place of the item that the editor shows; None for an empty list."""
        items = self.items(workspace)
        place = int(read_draft(workspace, self.tab).get(f"{self.key}_chosen", 0))
        return min(place, len(items) - 1) if items else None

    def choose(self, workspace: Workspace, place: int) -> None:
        save_draft(workspace, self.tab, **{f"{self.key}_chosen": place})

    def chosen_item(self, workspace: Workspace) -> Item | None:
        place = self.chosen(workspace)
        return None if place is None else self.items(workspace)[place]

    def add(self, workspace: Workspace, items: Sequence[Item]) -> None:
        """Append what isn't listed yet, and show the last of it."""
        listed = self.items(workspace)
        listed += [item for item in items if item not in listed]
        self.save(workspace, listed)
        if items:
            self.choose(workspace, listed.index(items[-1]))

    def remove(self, workspace: Workspace, place: int) -> None:
        items, chosen = self.items(workspace), self.chosen(workspace) or 0
        self.save(workspace, items[:place] + items[place + 1 :])
        self.choose(workspace, max(0, chosen - (place <= chosen and chosen > 0)))

    def replace(self, workspace: Workspace, changes: Item) -> None:
        """Change options of the chosen item. Raises BadInput, and keeps the item as it was, for what it can't have."""
        place = self.chosen(workspace)
        if place is None:
            return
        items = self.items(workspace)
        parsed = self.spec.parse({**items[place], **changes}, "This entry")
        items[place] = parsed.model_dump(mode="json", exclude_defaults=True)
        self.save(workspace, items)

    def edited(self, workspace: Workspace, values: Sequence[Any]) -> None:
        """Take over what the editor shows of the options that apply. Raises BadInput."""
        item = self.chosen_item(workspace) or {}
        raw = {name: value for name, value in zip(self.components, values, strict=True) if self.applies(item, name)}
        self.replace(workspace, values_of_raw(self.fields, raw))

    def show(self, workspace: Workspace) -> list[Any]:
        """Values of `outputs`."""
        item = self.chosen_item(workspace)
        html = cards_html(self, workspace)
        if item is None:
            return [html, gr.Column(visible=False), *[SKIP for _ in self.components]]
        raw = raw_of_values(self.fields, item)
        updates = [gr.update(value=raw[name], visible=self.applies(item, name)) for name in self.components]
        return [html, gr.Column(visible=True), *updates]


def cards_html(listed: SpecList, workspace: Workspace) -> str:
    """Every item as a card with a button that opens it and one that removes it."""
    chosen = listed.chosen(workspace)
    cards = []
    for place, item in enumerate(listed.items(workspace)):
        card = listed.describe(workspace, item)
        name = button("choose", str(place), card.title, pressed=place == chosen)
        remove = button("remove", str(place), "✕", label=f"Remove {card.title}")
        cards.append(
            f'<li class="{card.state}{" chosen" if place == chosen else ""}"><div>{name}'
            f'<div class="quiet">{card.about}</div></div>{remove}</li>'
        )
    return f'<ul class="hearth-cards">{"".join(cards)}</ul>' if cards else ""


def lay_out(
    spec: type[Spec],
    tab: str,
    key: str,
    describe: Callable[[Workspace, Item], Card],
    *,
    applies: Callable[[Item, str], bool] = lambda _item, _name: True,
    hide: Sequence[str] = (),
    first: Sequence[Item] = (),
) -> SpecList:
    """Draw the cards here, and below them the editor's place, which `lay_out_options` fills.

    `hide`: options that are kept, but edited elsewhere.
    """
    fields = [each for each in form_fields(spec) if each.path not in hide]
    cards = acting_html(elem_id=f"{tab}-{key}-cards")
    column = gr.Column(visible=False, elem_classes="hearth-editor")
    return SpecList(spec, tab, key, describe, applies, fields, first, cards, column)


def lay_out_options(listed: SpecList, names: Sequence[str]) -> None:
    """Draw the components of some options here, in the order of the spec."""
    with gr.Row(equal_height=False):
        for each in listed.fields:
            if each.path in names:
                made = component(each)
                made.elem_id = f"{listed.tab}-{listed.key}-{each.path}"
                listed.components[each.path] = made


def wire(page: Page, listed: SpecList, error: gr.HTML, also: Beside = NOTHING_BESIDE) -> None:
    """Have the cards and the editor act. `also`: what else follows from the list, brought up to date with it."""

    def act(workspace: Workspace, click: Click) -> list[Any]:
        (listed.choose if click.action == "choose" else listed.remove)(workspace, int(click.about))
        return [*listed.show(workspace), *also.show(workspace)]

    def edit(workspace: Workspace, *values: Any) -> list[Any]:
        listed.edited(workspace, values)
        return [cards_html(listed, workspace), *also.show(workspace)]

    inputs = list(listed.components.values())
    on_click(page, listed.cards, act, [], [*listed.outputs, *also.outputs], error)
    triggers = [trigger for each in inputs for trigger in typing(each)]
    page.on(triggers, edit, inputs, [listed.cards, *also.outputs], error, quiet=True)
