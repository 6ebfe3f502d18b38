"""What handlers answer, in another language: the parts of a component that are words of the page, never its data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gradio.blocks import Block

from ui.translation.catalogue import Catalogue
from ui.translation.markup import translated_html

PLAIN = ("label", "info", "placeholder", "title", "x_title", "y_title", "caption")
# Kinds whose value is text of the page. A text box's value is what somebody typed.
HTML_KINDS = ("html",)
TEXT_KINDS = ("button", "markdown", "downloadbutton", "uploadbutton")
# A heading, or a line in bold type.
MARKED = re.compile(r"(#+ |\*+)([^*#]+)(\**)")


def translated_answers(outputs: Sequence[Any], answers: Sequence[Any], texts: Catalogue) -> list[Any]:
    """The answers for `outputs`, in the language."""
    return [_answer(output, answer, texts) for output, answer in zip(outputs, answers, strict=True)]


def translated_properties(kind: str, properties: Mapping[str, Any], texts: Catalogue) -> dict[str, Any]:
    """The properties of a component of `kind`, in the language."""
    told = dict(properties)
    for name in PLAIN:
        if isinstance(told.get(name), str):
            told[name] = texts.text(told[name])
    if isinstance(told.get("choices"), list):
        told["choices"] = [_choice(each, texts) for each in told["choices"]]
    if isinstance(told.get("headers"), list):
        told["headers"] = [texts.text(str(each)) for each in told["headers"]]
    if isinstance(told.get("color_map"), dict):
        told["color_map"] = {texts.text(name): colour for name, colour in told["color_map"].items()}
    if "value" in told:
        told["value"] = _value(kind, told["value"], texts)
    return told


def _answer(output: Any, answer: Any, texts: Catalogue) -> Any:
    kind = output.get_block_name()
    if isinstance(answer, Block):
        # As Gradio itself reads a component that a handler returns.
        answer = {**answer.constructor_args, "__type__": "update"}
    if isinstance(answer, dict) and answer.get("__type__") == "update":
        told = translated_properties(kind, answer, texts)
        return {**told, "value": _with_heads(output, told["value"], texts)} if "value" in told else told
    return _with_heads(output, _value(kind, answer, texts), texts)


def _with_heads(output: Any, value: Any, texts: Catalogue) -> Any:
    """A table's rows with its heads, which Gradio would else take from the component as it was made."""
    if output.get_block_name() != "dataframe" or not isinstance(value, list) or not output.headers:
        return value
    return {"headers": [texts.text(str(head)) for head in output.headers], "data": value}


def _value(kind: str, value: Any, texts: Catalogue) -> Any:
    if kind == "nativeplot" and isinstance(value, dict):
        lines = [[texts.text(cell) if isinstance(cell, str) else cell for cell in row] for row in value["data"]]
        return {**value, "data": lines}
    if kind == "dataframe" and isinstance(value, dict) and isinstance(value.get("headers"), list):
        return {**value, "headers": [texts.text(str(head)) for head in value["headers"]]}
    if not isinstance(value, str):
        return value
    if kind in HTML_KINDS:
        return translated_html(value, texts)
    if kind == "markdown" and (marked := MARKED.fullmatch(value)):
        return f"{marked[1]}{texts.text(marked[2])}{marked[3]}"
    return texts.text(value) if kind in TEXT_KINDS else value


def _choice(choice: Any, texts: Catalogue) -> Any:
    """Its label alone: the value is what a spec says."""
    if isinstance(choice, str):
        return (texts.text(choice), choice)
    label, value = choice
    return (texts.text(str(label)), value)
