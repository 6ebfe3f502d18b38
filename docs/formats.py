"""docs/formats.md: every format of rows with an example and what it becomes, converted by the code itself.

`python -m docs.readme` writes it; a test holds it, and that each example is recognised as what it stands under.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from datasets_src.checks import CHECKS, GROUPS
from datasets_src.formats import Detection, detect, rename
from datasets_src.rows import Row, canonical
from datasets_src.spec import FormatName

CALL = {"name": "add", "arguments": {"a": 1, "b": 2}}
TOOL = {"name": "add", "description": "Adds two numbers.", "parameters": {"type": "object"}}
ASKED, ANSWERED = {"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}


@dataclass(frozen=True)
class Example:
    """A row as people bring it, what it is called, and the format that it is recognised as."""

    title: str
    format: FormatName
    row: dict[str, Any]


EXAMPLES = (
    Example("Alpaca", "alpaca", {"instruction": "Add.", "input": "1 and 1", "output": "2"}),
    Example(
        "Alpaca with history and system",
        "alpaca",
        {"instruction": "And 2 + 2?", "output": "4", "history": [["1 + 1?", "2"]], "system": "Be brief."},
    ),
    Example("Alpaca with a JSON answer", "alpaca", {"instruction": "Rate it.", "output": {"score": 3, "why": "fair"}}),
    Example("Prompt and completion", "prompt_completion", {"prompt": "1 + 1?", "completion": "2"}),
    Example("Prompt and response", "prompt_completion", {"prompt": "1 + 1?", "response": "2"}),
    Example("Question and answer", "question_answer", {"question": "1 + 1?", "answer": "2"}),
    Example("Problem and solution", "question_answer", {"problem": "1 + 1?", "solution": "2"}),
    Example("Input and output", "input_output", {"input": "1 + 1?", "output": "2"}),
    Example(
        "ShareGPT",
        "sharegpt",
        {"conversations": [{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": "2"}]},
    ),
    Example(
        "ShareGPT with tools",
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": "1 + 2?"},
                {"from": "function_call", "value": orjson.dumps(CALL).decode()},
                {"from": "observation", "value": "3"},
                {"from": "gpt", "value": "3"},
            ],
            "tools": orjson.dumps([TOOL]).decode(),
        },
    ),
    Example("Chat messages", "messages", {"messages": [ASKED, ANSWERED]}),
    Example(
        "OpenAI messages with tool calls",
        "messages",
        {
            "messages": [
                {"role": "user", "content": "1 + 2?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "c1", "function": {"name": "add", "arguments": orjson.dumps(CALL["arguments"]).decode()}}
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "3"},
                {"role": "assistant", "content": "3"},
            ],
            "tools": [{"type": "function", "function": TOOL}],
        },
    ),
    Example("Preference, explicit prompt", "preference", {"prompt": "1 + 1?", "chosen": "2", "rejected": "3"}),
    Example(
        "Preference, implicit prompt",
        "preference",
        {"chosen": [ASKED, ANSWERED], "rejected": [ASKED, {"role": "assistant", "content": "3"}]},
    ),
    Example(
        "Preference as transcripts",
        "preference",
        {"chosen": "\n\nHuman: 1 + 1?\n\nAssistant: 2", "rejected": "\n\nHuman: 1 + 1?\n\nAssistant: 3"},
    ),
    Example(
        "ShareGPT pairs",
        "preference",
        {
            "conversations": [{"from": "human", "value": "1 + 1?"}],
            "chosen": {"from": "gpt", "value": "2"},
            "rejected": {"from": "gpt", "value": "3"},
        },
    ),
    Example("Good or bad (KTO)", "unpaired", {"prompt": "1 + 1?", "completion": "2", "label": True}),
    Example("Chat marked good or bad", "unpaired", {"messages": [ASKED, ANSWERED], "label": False}),
    Example("Plain text", "text", {"text": "Once upon a time …"}),
)


def converted(example: Example) -> tuple[Detection, Row]:
    """How an example is recognised, and the canonical row that it becomes."""
    detection = detect([example.row], {})
    assert detection.format is not None, detection.evidence
    candidate = detection.format.convert(rename(example.row, detection.columns)[0])
    assert not candidate.findings, candidate.findings
    return detection, canonical(candidate)


def formats_page() -> str:
    """The page: the table of formats."""
    lines = [
        "# Formats of rows",
        "",
        "Generated from the code by `python -m docs.readme`. A source's format is recognised by its columns; where "
        "they have other names, `columns` says which mean what.",
        "",
        "| what people call it | a row | read as | becomes |",
        "|---|---|---|---|",
    ]
    for example in EXAMPLES:
        detection, row = converted(example)
        read = f"`{example.format}`: {detection.evidence}"
        lines.append(f"| {example.title} | {_code(example.row)} | {read} | {_code(row)} |")
    return "\n".join([*lines, ""])


def checks_page() -> str:
    """The page of all health checks, with what may be done about each."""
    lines = [
        "# Health checks",
        "",
        "Generated from the code by `python -m docs.readme`. `remedies` in a DatasetSpec says what happens to the rows "
        "that a check finds: `fix` mends them, `drop` leaves them out, `keep` counts them, `stop` refuses to build.",
    ]
    for group in GROUPS:
        lines += ["", f"## {group.capitalize()}", "", "| check | what it finds | remedies (default first) | fix |"]
        lines.append("|---|---|---|---|")
        for check in (check for check in CHECKS if check.group == group):
            others = [remedy for remedy in check.remedies if remedy != check.default]
            remedies = ", ".join(f"`{remedy}`" for remedy in (check.default, *others))
            about = f"**{check.title}.** {check.explanation}"
            lines.append(f"| `{check.name}` | {about} | {remedies} | {check.fix_in_words} |")
    return "\n".join([*lines, ""])


def _code(value: Any) -> str:
    return f"`{orjson.dumps(value).decode()}`".replace("|", "\\|")
