"""Changing a row by hand: a field for each turn, or the whole row as JSON. What is typed is kept meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from datasets_src.rows import PARTS, Kind, Message, Row, kind_of
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import edits
from ui.drafts import read_draft, save_draft
from ui.edits import origin_of, value_of
from ui.page import SKIP
from ui.rows_state import DRAFT
from ui.unread_rows import start_value

MOST_TURNS = 10
REMOVE = ""
ROLES = [*((role, role) for role in ("system", "user", "assistant", "tool")), ("(remove this turn)", REMOVE)]
PART_TITLES = {
    "messages": "",
    "prompt": "Prompt, ",
    "chosen": "Chosen, ",
    "rejected": "Rejected, ",
    "completion": "Answer, ",
}
GOOD, BAD = "good", "bad"


@dataclass(frozen=True)
class TurnField:
    """A turn as two fields; an empty role removes it. `part` is the list of the row that it stands in."""

    part: str
    role: str
    text: str


@dataclass
class Editor:
    """The components. `roles` and `texts` are those of the turns, in their order."""

    note: Any
    mark: Any
    roles: list[Any]
    texts: list[Any]
    add: Any
    keep: Any
    discard: Any
    delete: Any
    restore: Any
    json: Any
    keep_json: Any

    @property
    def fields(self) -> list[Any]:
        return [self.mark, *self.roles, *self.texts]

    @property
    def outputs(self) -> list[Any]:
        buttons = [self.add, self.keep, self.discard, self.delete, self.restore]
        return [self.note, *self.fields, *buttons, self.json]


def lay_out() -> Editor:
    """Draw the fields here, hidden until a row is chosen."""
    note = gr.HTML("")
    mark = gr.Radio([("good answer", GOOD), ("bad answer", BAD)], label="This answer is a", visible=False)
    roles, texts = [], []
    for _ in range(MOST_TURNS):
        with gr.Row(equal_height=False, elem_classes="hearth-turn"):
            roles.append(gr.Dropdown(ROLES, visible=False, allow_custom_value=True, scale=1, min_width=150))
            texts.append(gr.Textbox(visible=False, lines=2, max_lines=14, scale=4, min_width=240, show_label=False))
    with gr.Row(elem_classes="hearth-buttons"):
        keep = gr.Button("Keep this change", variant="primary", size="sm", elem_id="rows-keep")
        add = gr.Button("Add a turn", size="sm")
        discard = gr.Button("Discard what I typed", size="sm", visible=False)
        restore = gr.Button("Take back all changes to this row", size="sm", visible=False)
        delete = gr.Button("Delete this row", size="sm", variant="stop", elem_id="rows-delete")
    with gr.Accordion("The whole row as JSON", open=False):
        whole = gr.Textbox(lines=8, max_lines=24, show_label=False, elem_classes="hearth-code", elem_id="rows-json")
        keep_json = gr.Button("Keep this JSON", size="sm", elem_id="rows-keep-json")
    return Editor(note, mark, roles, texts, add, keep, discard, delete, restore, whole, keep_json)


def fields_of(value: Row) -> list[TurnField]:
    """Every turn of a row's content, in order; of plain text one field with the role `text`."""
    if kind_of(value) == "text":
        return [TurnField("text", "text", value["text"])]
    return [
        TurnField(part, str(turn.get("role", "")), _text(turn))
        for part in PARTS[kind_of(value)]
        for turn in value[part]
    ]


def with_fields(value: Row, fields: Sequence[tuple[str, str]], good: bool | None = None) -> Row:
    """The content with its first turns as they stand in the fields (role, text). What has no field stays.

    A turn keeps what else it holds, such as calls of tools. JSON beside an answer follows the answer's text.
    """
    if kind_of(value) == "text":
        return {**value, "text": fields[0][1]}
    before = [(part, turn) for part in PARTS[kind_of(value)] for turn in value[part]]
    after: dict[str, list[Message]] = {part: [] for part in PARTS[kind_of(value)]}
    for place, (part, turn) in enumerate(before):
        role, text = fields[place] if place < len(fields) else (str(turn.get("role", "")), _text(turn))
        if role != REMOVE:
            after[part].append({**turn, "role": role, "content": text if text != _text(turn) else turn.get("content")})
    changed = {**value, **after}
    if kind_of(value) == "unpaired" and good is not None:
        changed["label"] = good
    return _with_structured(value, changed)


def _with_structured(value: Row, changed: Row) -> Row:
    """`answer` holds the last answer as JSON data; where that no longer is what the answer says, it is told anew."""
    if "answer" not in value or changed.get("messages") == value.get("messages"):
        return changed
    said = _text(changed["messages"][-1]) if changed.get("messages") else ""
    try:
        return {**changed, "answer": json.loads(said)}
    except ValueError:
        return {name: kept for name, kept in changed.items() if name != "answer"}


def with_another_turn(value: Row) -> Row:
    """The content with an empty turn at the end of its conversation: of a preference at the end of its prompt."""
    part = PARTS[kind_of(value)][0]
    last = value[part][-1].get("role") if value[part] else None
    role = "assistant" if last == "user" and part == "messages" else "user"
    return {**value, part: [*value[part], {"role": role, "content": ""}]}


def value_from_json(text: str) -> Any:
    """The row that a text states. Raises BadInput with the place where reading stopped."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as error:
        why = "Such a half (\\ud800 to \\udfff) is no character by itself."
        raise BadInput("This JSON holds half a character.", why, "Remove it, or write the whole character.") from error
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1].strip()[:80] if text.strip() else ""
        near = f", near `{line}`" if line else ""
        raise BadInput(
            f"Line {error.lineno}, column {error.colno} is not JSON{near}.",
            f"{error.msg}.",
            "Check quotes, commas and brackets there. What you typed is still there.",
        ) from error
    except RecursionError as error:
        raise BadInput("This JSON is nested too deeply.", "No row needs that.", "Write it flatter.") from error


def typed_value(workspace: Workspace, row: Row, kind: Kind) -> Row:
    """What the fields of a row hold: what was typed and not taken over yet, else the row's own content."""
    typed = _typed(workspace, row)
    return typed.get("value") or value_of(row) or start_value(row.get("raw") or {}, kind)


def keep_typed(workspace: Workspace, row: Row, **typed: Any) -> None:
    """Keep what is being typed (`value`: a row's content, `json`: a text): neither a refresh nor an error loses it.

    What the row says anyway is not kept: it may come in after the row was changed to it.
    """
    source, number = origin_of(row)
    kept = {**_typed(workspace, row), **typed}
    if kept.get("value") == value_of(row):
        del kept["value"]
    if kept.get("json") == _json(kept.get("value", value_of(row))):
        del kept["json"]
    told = {name: kept[name] for name in ("value", "json") if name in kept}
    save_draft(workspace, DRAFT, typed={**told, "source": source, "row": number} if told else None)


def forget_typed(workspace: Workspace) -> None:
    save_draft(workspace, DRAFT, typed=None)


def _typed(workspace: Workspace, row: Row) -> dict[str, Any]:
    typed = read_draft(workspace, DRAFT).get("typed") or {}
    return typed if (typed.get("source"), typed.get("row")) == origin_of(row) else {}


def given_fields(values: Sequence[Any]) -> tuple[list[tuple[str, str]], bool | None]:
    """What stands in `Editor.fields`: role and text of each turn, and the mark of an unpaired preference."""
    mark, roles, texts = values[0], values[1 : MOST_TURNS + 1], values[MOST_TURNS + 1 :]
    fields = [(str(role or ""), str(text or "")) for role, text in zip(roles, texts, strict=True)]
    return fields, None if mark not in (GOOD, BAD) else mark == GOOD


def shown(workspace: Workspace, row: Row | None, kind: Kind, mark: edits.Mark) -> list[Any]:
    """Values of `Editor.outputs`; all skipped without a row, since the fields are hidden then."""
    if row is None:
        return [SKIP] * (2 + 2 * MOST_TURNS + 6)
    value = typed_value(workspace, row, kind)
    note, discard = told(workspace, row, kind, mark)
    fields = fields_of(value)
    lines = fields[:MOST_TURNS]
    room = len(fields) < MOST_TURNS
    text = _typed(workspace, row).get("json") or _json(value)
    return [
        note,
        gr.Radio(value=GOOD if value.get("label") else BAD, visible=kind_of(value) == "unpaired"),
        *_role_updates(lines),
        *_text_updates(lines),
        gr.Button(interactive=room, visible=kind_of(value) != "text"),
        gr.Button(interactive=True),
        discard,
        gr.Button(visible=mark != "deleted"),
        gr.Button(visible=mark in ("edited", "deleted")),
        text,
    ]


def told(workspace: Workspace, row: Row, kind: Kind, mark: edits.Mark) -> list[Any]:
    """What is to be known of the row's fields, and the button that forgets what was typed into them."""
    typed = bool(_typed(workspace, row))
    beyond = len(fields_of(typed_value(workspace, row, kind))) - MOST_TURNS
    said = [
        "This row is deleted: it will be left out. Keep a change to have it back." if mark == "deleted" else "",
        "What you typed is not taken over yet: press “Keep this change”." if typed else "",
        f"{beyond} more turns have no field; change them in the JSON below." if beyond > 0 else "",
    ]
    note = "".join(f'<p class="quiet">{sentence}</p>' for sentence in said if sentence)
    return [note, gr.Button(visible=typed)]


def _role_updates(lines: Sequence[TurnField]) -> list[Any]:
    return [
        *map(_role_update, lines, range(1, MOST_TURNS + 1)),
        *[gr.Dropdown(visible=False)] * (MOST_TURNS - len(lines)),
    ]


def _role_update(line: TurnField, number: int) -> Any:
    known = [role for _, role in ROLES]
    return gr.Dropdown(
        choices=ROLES if line.role in known else [*ROLES, (line.role, line.role)],
        value=line.role,
        visible=line.role != "text",
        label=f"{PART_TITLES.get(line.part, '')}turn {number}",
        allow_custom_value=True,
    )


def _text_updates(lines: Sequence[TurnField]) -> list[Any]:
    updates = [gr.Textbox(value=line.text, visible=True) for line in lines]
    return [*updates, *[gr.Textbox(visible=False)] * (MOST_TURNS - len(lines))]


def _json(value: Row) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _text(turn: Message) -> str:
    content = turn.get("content")
    return content if isinstance(content, str) else "" if content is None else json.dumps(content, ensure_ascii=False)
