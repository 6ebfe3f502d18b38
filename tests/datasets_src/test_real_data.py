"""Real rows of the formats that people bring most. Skipped where the files are not at hand (HEARTH_TEST_DATA)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from datasets_src.build import build
from datasets_src.inspect import inspect_file
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion
from jobs.workspace import Workspace
from models.chat_template import compile_template

from .conftest import BuildRows

TEMPLATE_WITH_TOOLS = """\
{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}"""
DATA = Path(os.environ.get("HEARTH_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")


def real_file(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not at hand: set HEARTH_TEST_DATA to the folder that holds it")
    return path


@pytest.mark.parametrize(
    ("name", "format_name", "kind", "rows"),
    [
        ("alpaca_en_demo.json", "alpaca", "conversation", 999),
        ("dpo_en_demo.json", "preference", "preference", 300),
        ("glaive_toolcall_en_demo.json", "sharegpt", "conversation", 300),
        ("kto_en_demo.json", "unpaired", "unpaired", 300),
    ],
)
def test_a_real_file_is_recognised_and_builds_with_every_row(
    name: str, format_name: str, kind: str, rows: int, workspace: Workspace
) -> None:
    path = real_file(name)
    found = inspect_file(path)
    assert (found.format, found.kind, found.rows, found.bad) == (format_name, kind, rows, 0)
    spec = DatasetSpec.parse({"name": "real", "sources": [{"path": str(path)}]})
    version = build(spec, workspace)
    source = version.report["sources"][0]
    assert (source["read"], source["bad"], source["dropped"]) == (rows, 0, 0)
    assert version.train_rows + version.eval_rows == rows - source["duplicates"]
    assert version.kind == kind
    assert not {row["group"] for row in version.train()} & {row["group"] for row in version.eval()}


def calls_after_rendering(version: DatasetVersion) -> int:
    """Render every row by a template with tools, as Qwen's and Hermes' are, and read its calls back; how many."""
    render = compile_template(TEMPLATE_WITH_TOOLS)
    calls = 0
    for row in [*version.train(), *version.eval()]:
        text = render(messages=row["messages"], tools=row.get("tools"), add_generation_prompt=False)
        written = [json.loads(found) for found in re.findall(r"<tool_call>\n(.*?)\n</tool_call>", text, re.DOTALL)]
        expected = [call["function"] for message in row["messages"] for call in message.get("tool_calls", [])]
        assert written == [{"name": call["name"], "arguments": call["arguments"]} for call in expected]
        assert all(tool["function"]["name"] in text for tool in row.get("tools", []))
        calls += len(expected)
    return calls


def test_real_tool_calls_survive_the_round_trip_through_a_chat_template(workspace: Workspace) -> None:
    path = real_file("glaive_toolcall_en_demo.json")
    version = build(DatasetSpec.parse({"name": "tools", "sources": [{"path": str(path)}]}), workspace)
    assert calls_after_rendering(version) > 100


def test_tool_calls_of_every_dialect_survive_it(build_rows: BuildRows) -> None:
    call = {"name": "find", "arguments": {"what": 'a "quoted" <word>', "deep": {"list": [1, 2.5, None, "é"]}}}
    tools = [{"name": "find", "parameters": {"type": "object"}}]
    openai = {"id": "c1", "type": "function", "function": {**call, "arguments": json.dumps(call["arguments"])}}
    sharegpt = [
        {"conversations": [{"from": "human", "value": f"q{n}"}, {"from": "function_call", "value": json.dumps(call)}]}
        for n in range(20)
    ]
    assert calls_after_rendering(build_rows([{**row, "tools": json.dumps(tools)} for row in sharegpt])) == 20
    messages = [
        {
            "messages": [
                {"role": "user", "content": f"q{n}"},
                {"role": "assistant", "content": None, "tool_calls": [openai, openai]},
                {"role": "tool", "content": "found", "tool_call_id": "c1"},
                {"role": "assistant", "content": "There."},
            ],
            "tools": [{"type": "function", "function": tool} for tool in tools],
        }
        for n in range(20)
    ]
    assert calls_after_rendering(build_rows(messages)) == 40
