"""Turning the values of a known format's columns into a Candidate. Faults are noted in it, never raised."""

from __future__ import annotations

from typing import Any

from datasets_src.rows import LAST_ANSWER, Candidate, Turn
from datasets_src.turns import (
    add_system,
    add_tools,
    add_turns,
    blank,
    is_turns,
    json_text,
    listed,
    parsed,
    transcript,
)

Values = dict[str, Any]
# Columns that hold what is asked, and those that hold turns, in the order in which they are looked for.
QUESTIONS = ("prompt", "instruction", "question")
TURNS = ("messages", "conversations")
YES_AND_NO = {**dict.fromkeys(("true", "yes", "1", "good", "desirable"), True)} | {
    **dict.fromkeys(("false", "no", "0", "bad", "undesirable"), False)
}


def question_and_answer(values: Values, question: str, answer: str) -> Candidate:
    """One question and one answer in columns of their own, with optional input, system and history.

    Either column may hold turns instead of text. An answer that is JSON data stays in `structured` beside its text.
    """
    row = Candidate()
    _add_question(row, "messages", values, question)
    # A prompt that is itself a conversation was given: its answers aren't those to learn.
    row.last_only = not isinstance(values.get(question), str) and len(row.part("messages")) > 1
    _add_answer(row, "messages", values.get(answer), answer)
    return _with_common_columns(row, "messages", values)


def turns(values: Values, column: str) -> Candidate:
    """A list of turns, each with `role` and `content` or `from` and `value`."""
    row = Candidate()
    add_turns(row, "messages", values.get(column), column)
    if isinstance(values.get("answer"), dict | list):
        row.structured = values["answer"]
    if values.get("learn") == LAST_ANSWER:
        row.last_only = True
    return _with_common_columns(row, "messages", values)


def preference(values: Values) -> Candidate:
    """Two answers to one prompt, which is given in a column, as turns, or as the beginning that both answers share."""
    row = Candidate("preference")
    row.parts = {"prompt": [], "chosen": [], "rejected": []}
    _add_prompt(row, values)
    for name in ("chosen", "rejected"):
        _add_answer(row, name, transcript(values.get(name)) or values.get(name), name)
    row.structured = None  # which of the two answers it was is not told
    _share_the_beginning(row)
    return _with_common_columns(row, "prompt", values)


def unpaired(values: Values) -> Candidate:
    """One answer to a prompt, and whether it is a good one (KTO)."""
    row = Candidate("unpaired")
    row.parts = {"prompt": [], "completion": []}
    _add_prompt(row, values)
    answer = next((name for name in ("completion", "output", "answer") if values.get(name) is not None), None)
    if answer is not None:
        _add_answer(row, "completion", values[answer], answer)
    else:
        _split_off_the_answer(row)
    row.desirable = yes_or_no(values.get("label"))
    if row.desirable is None:
        row.fault("label", "says neither yes nor no", "it has to be true for a good answer and false for a bad one")
    return _with_common_columns(row, "prompt", values)


def text(values: Values) -> Candidate:
    """Text without turns, for continued pre-training."""
    row = Candidate("text")
    row.add("text", "text", values.get("text"), "text")
    return row


def yes_or_no(value: Any) -> bool | None:
    """What a label says, None when it says neither."""
    if isinstance(value, bool):
        return value
    return YES_AND_NO.get(str(value).strip().lower()) if isinstance(value, str | int | float) else None


def _add_prompt(row: Candidate, values: Values) -> None:
    """The prompt from whichever column holds it; none for a preference whose answers are whole conversations."""
    column = next((name for name in (*TURNS, *QUESTIONS) if values.get(name) not in (None, "")), None)
    if column in TURNS:
        add_turns(row, "prompt", values[column], column)
    elif column is not None:
        _add_question(row, "prompt", values, column)


def _add_question(row: Candidate, part: str, values: Values, column: str) -> None:
    _add_history(row, part, values.get("history"))
    question = _with_input(values.get(column), values.get("input") if column != "input" else None)
    said = transcript(question)
    if said or is_turns(question) or isinstance(question, list):
        add_turns(row, part, said or question, column)
    else:
        row.add(part, "user", question, column)


def _with_input(question: Any, context: Any) -> Any:
    """The input follows the instruction after a blank line. What is not text stays, for the checks to name."""
    if isinstance(context, dict | list) and context:
        context = json_text(context)
    if isinstance(question, str) and isinstance(context, str) and context.strip():
        return f"{question}\n\n{context}" if question.strip() else context
    return question


def _add_answer(row: Candidate, part: str, value: Any, column: str) -> None:
    turns_in_text = parsed(value) if isinstance(value, str) and value.lstrip()[:2] in ("[{", "[ ") else None
    if is_turns(value) or is_turns(turns_in_text):
        add_turns(row, part, value if is_turns(value) else turns_in_text, column)
    elif isinstance(value, dict | list) and value:
        row.structured = value
        row.add(part, "assistant", json_text(value), column)
    elif isinstance(value, bool | int | float):
        row.add(part, "assistant", json_text(value), column)
    else:
        row.add(part, "assistant", value, column)


def _add_history(row: Candidate, part: str, history: Any) -> None:
    for number, pair in enumerate(listed(row, history, "history"), start=1):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            row.fault("history", f"entry {number} is not a pair", "history is a list of [question, answer] pairs")
            continue
        row.add(part, "user", pair[0], f"history, entry {number}")
        row.add(part, "assistant", pair[1], f"history, entry {number}")


def _share_the_beginning(row: Candidate) -> None:
    """Move what both answers begin with to the prompt: whole conversations differ in their last turns alone.

    Where the answers repeat the prompt that is given beside them, it is not taken twice.
    """
    chosen, rejected, given = row.part("chosen"), row.part("rejected"), row.part("prompt")
    if not any(turn.message["role"] in ("user", "system") for turn in chosen):
        return
    shared = 0
    while shared < min(len(chosen), len(rejected)) and chosen[shared].message == rejected[shared].message:
        shared += 1
    # Equal conversations keep their last answer, so that a check can say that they are equal.
    shared = min(shared, _last_answer(chosen))
    beginning = chosen[:shared]
    if not given or [turn.message for turn in given] == [turn.message for turn in beginning][-len(given) :]:
        row.parts["prompt"] = beginning
        row.parts["chosen"], row.parts["rejected"] = chosen[shared:], rejected[shared:]


def _last_answer(said: list[Turn]) -> int:
    places = [place for place, turn in enumerate(said) if turn.message["role"] == "assistant"]
    return places[-1] if places else len(said)


def _split_off_the_answer(row: Candidate) -> None:
    """The last turn of a labelled conversation is the answer that the label is about."""
    prompt = row.part("prompt")
    if prompt and prompt[-1].message["role"] == "assistant":
        row.parts["completion"] = [prompt.pop()]
    elif prompt:
        row.fault(prompt[-1].field, "is not the assistant's", "the label is about the last turn, an answer")


def _with_common_columns(row: Candidate, first_part: str, values: Values) -> Candidate:
    """Add what every format may have beside the turns: a system prompt and a list of tools."""
    add_system(row, first_part, values.get("system"))
    tools = values.get("tools")
    add_tools(row, None if blank(tools) else tools, "tools")
    return row
