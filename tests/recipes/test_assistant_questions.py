"""Sheets and questions are seeded, read back to what they tell, and share nothing between the parts of the data."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.chat_template import compile_template
from recipes.assistant.generate import (
    ATTACK,
    FIRST,
    HELD_OUT,
    QUESTIONS,
    Part,
    generate,
    questions_of,
    row_of,
)
from recipes.assistant.questions import MODES, SYSTEM, Question, ask, names_the_same, read_question
from recipes.assistant.sheets import TOPICS, make_sheet, read_sheet
from recipes.assistant.tools import call_text, run_call

SHEET = make_sheet(0, seed=0)


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    generate(folder, sheets=12, seed=3, held_out=18, asked=6)
    return folder


@given(st.integers(0, 36_000), st.integers(0, 5))
def test_a_sheet_reads_back_to_what_it_tells(number: int, seed: int) -> None:
    sheet = make_sheet(number, seed)
    assert read_sheet(sheet.text()) == sheet
    assert sheet == make_sheet(number, seed)
    assert len({line.thing for line in sheet.lines}) == len(sheet.lines) == 3
    for name in range(2):
        assert len({line.facts[name] for line in sheet.lines}) == 3, "one fact alone is right"


def test_no_two_sheets_have_the_same_title() -> None:
    titles = {make_sheet(number, 0).title for number in range(0, 36_000, 7)}
    assert len(titles) == len(range(0, 36_000, 7))
    with pytest.raises(BadInput, match="titles for"):
        make_sheet(40_000, 0)


@given(st.integers(0, 20_000), st.sampled_from(MODES), st.sampled_from(["", "Mail me: mia12@sheet-users.org"]))
def test_a_question_reads_back_from_its_prompt_and_its_wrong_answer_is_wrong(number: int, mode: str, note: str) -> None:
    asked = ask(make_sheet(number, 0), mode, random.Random(number))  # type: ignore[arg-type]
    found = read_question(asked.messages(note))
    assert (found.mode, found.text(), found.right()) == (mode, asked.text(), asked.right())
    assert found.wrong() == (replace(asked, sheet=found.sheet).wrong())
    assert names_the_same(asked.right(), found.right())
    assert not names_the_same(asked.wrong(), asked.right())


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())
def test_every_wording_asks_for_its_own_fact(topic) -> None:
    sheet = make_sheet(list(TOPICS.values()).index(topic), 0)
    for fact, wordings in zip(topic.facts, topic.questions, strict=True):
        for wording in wordings:
            asked = Question("chain-of-thought", sheet, fact, wording, thing=sheet.lines[0].thing)
            assert read_question(asked.messages()) == asked


def test_the_answers_of_each_mode_show_its_way_of_thinking() -> None:
    line, (person, thing) = SHEET.lines[1], SHEET.people[0]
    quoted = Question("chain-of-thought", SHEET, "price", "How much is {it}?", thing=line.thing)
    assert quoted.right() == f"The line of the {line.thing} says {', '.join(line.facts)}. Answer: {line.facts[0]}"
    steps = Question("multi-step", SHEET, "shelf", "Where is {it}?", person=person)
    shelf = SHEET.fact(thing, "shelf")
    assert steps.right() == f"1. {person}: {thing}. 2. {thing}: {shelf}. Answer: {shelf}"
    called = replace(quoted, mode="agent")
    assert called.right() == call_text(line.thing, "price")
    assert run_call(called.right(), SHEET) == f"Result: {line.facts[0]}"
    assert "euros" not in called.messages()[-1]["content"], "an agent isn't shown the sheet"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "<tool_call>no JSON</tool_call>",
        '<tool_call>{"name": "look_up", "arguments": "kite"}</tool_call>',
        '<tool_call>{"name": "delete_all", "arguments": {"thing": "bag", "fact": "price"}}</tool_call>',
        '<tool_call>{"name": "look_up", "arguments": {"thing": "dragon", "fact": "price"}}</tool_call>',
        '<tool_call>{"name": "look_up", "arguments": {"thing": "bag", "fact": "month"}}</tool_call>',
        f"{call_text('bag', 'price')}{call_text('bag', 'shelf')}",
    ],
)
def test_a_call_that_the_tool_cannot_follow_gets_no_answer(answer: str) -> None:
    assert run_call(answer, SHEET) is None


@pytest.mark.parametrize("text", ["What is 2 + 2?", SHEET.text(), f"{SHEET.text()}\nHow are you?"])
def test_a_conversation_of_another_kind_is_refused(text: str) -> None:
    for system in (SYSTEM["multi-step"], "You are helpful."):
        turns = [{"role": "system", "content": system}, {"role": "user", "content": text}]
        with pytest.raises(BadInput, match="not a question of the assistant recipe"):
            read_question(turns)
    with pytest.raises(BadInput, match="not a question"):
        read_question([])


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(written: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", sheets=12, seed=3, held_out=18, asked=6)
    generate(tmp_path / "other", sheets=12, seed=4, held_out=18, asked=6)
    for part in (FIRST, HELD_OUT, QUESTIONS):
        assert (written / part.file).read_bytes() == (tmp_path / "again" / part.file).read_bytes()
        assert (written / part.file).read_bytes() != (tmp_path / "other" / part.file).read_bytes()


def test_topics_and_modes_take_turns_and_no_two_parts_share_a_sheet(written: Path) -> None:
    groups = []
    for part, sheets in ((FIRST, 12), (HELD_OUT, 18), (QUESTIONS, 6)):
        rows = rows_of(written / part.file)
        asked = {row["group"]: (row["tag"], row["mode"]) for row in rows}
        assert Counter(asked.values()) == Counter({(topic, mode): sheets // 6 for topic in TOPICS for mode in MODES})
        assert len(rows) == sheets + sheets // 3, "an agent's question makes two rows"
        groups.append({row["group"] for row in rows})
        assert len(groups[-1]) == sheets
    groups.append({question.sheet.title for question in questions_of(ATTACK, 8, 3)})
    assert sum(map(len, groups)) == len(set().union(*groups))


@pytest.mark.parametrize("part", [FIRST, HELD_OUT, QUESTIONS, ATTACK], ids=lambda part: part.file)
def test_parts_end_where_the_next_one_begins(part: Part) -> None:
    assert part.first_sheet % 6 == 0
    others = [other for other in (FIRST, HELD_OUT, QUESTIONS, ATTACK) if other.first_sheet > part.first_sheet]
    assert all(part.first_sheet + part.most <= other.first_sheet for other in others)
    with pytest.raises(BadInput, match="sheets"):
        list(questions_of(part, part.most + 1, 0))


def test_nothing_is_written_for_no_sheets(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="0 sheets"):
        generate(tmp_path / "rows", sheets=0, seed=0, held_out=4)
    assert not (tmp_path / "rows").exists()


def test_the_built_dataset_trains_on_no_sheet_that_it_asks_about(written: Path, workspace: Workspace) -> None:
    version = build(DatasetSpec.load(written / "data.yaml").with_absolute_paths(written), workspace)
    train, held_out = version.train(), version.eval()
    assert (len(train), len(held_out)) == (16, 24)
    texts = {row["messages"][1]["content"].split("\n")[0] for row in train}
    assert not texts & {row["messages"][1]["content"].split("\n")[0] for row in held_out}


def test_answers_are_short_enough_for_a_small_model(written: Path) -> None:
    longest = max(len(row["messages"][-1]["content"]) for row in rows_of(written / "first.jsonl"))
    assert longest < 110, "characters: about 30 tokens"


def test_rows_with_real_tool_calls_are_built_and_rendered_by_a_template_that_knows_tools(
    tmp_path: Path, workspace: Workspace
) -> None:
    generate(tmp_path, sheets=18, seed=0, held_out=6, native_tools=True)
    version = build(DatasetSpec.load(tmp_path / "data.yaml").with_absolute_paths(tmp_path), workspace)
    called = [row for row in version.train() if row.get("tools")]
    assert len(called) == 12
    render = compile_template(
        "{{ tools | tojson }}{% for message in messages %}[{{ message.role }}]{{ message.content }}"
        "{% for call in message.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}{% endfor %}"
    )
    for row in called:
        text = render(messages=row["messages"], tools=row["tools"])
        assert '"name": "look_up"' in text and "[assistant]" in text
        assert "<tool_call>" not in text
    answered = [row for row in called if any(turn["role"] == "tool" for turn in row["messages"])]
    assert len(answered) == 6 and all("Answer:" in row["messages"][-1]["content"] for row in answered)


def test_a_row_is_a_conversation_with_its_sheet_as_group() -> None:
    row = row_of(ask(SHEET, "multi-step", random.Random(0)))
    assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant"]
    assert (row["group"], row["tag"], row["mode"]) == (SHEET.title, "shop", "multi-step")
