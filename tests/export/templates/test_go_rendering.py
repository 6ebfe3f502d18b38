"""Each family's Go template, rendered by Go itself, writes what its reference in Python writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from export.templates.conversations import EVERY, WEATHER, Conversation, assistant, call, system, user
from export.templates.families import FAMILIES, Family, not_covered
from tests.export.templates.go_templates import GoTemplates, build

pytestmark = pytest.mark.slow  # Go is compiled first, its standard library included

NAMES = [family.name for family in FAMILIES]
TEXT = st.text(max_size=20) | st.sampled_from(
    ["", " ", "\n", "{{ .System }}", '{{ "x" }}', "}}", '"""', "<|im_end|>", "</s>", "a\r\nb", "<b>&", "é🐍\u2028"]
)
NAME = st.from_regex(r"[a-z_]{1,6}", fullmatch=True)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAME, inner, max_size=2),
    max_leaves=3,
)


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoTemplates]:
    templates = GoTemplates(build(tmp_path_factory.mktemp("go")))
    yield templates
    templates.close()


TIDY_TEXT = st.text(st.characters(exclude_characters="<>&\u2028\u2029", exclude_categories=["C"]), max_size=8)
TIDY_VALUE = (
    TIDY_TEXT | st.integers(-9, 10**15) | st.booleans() | st.none() | st.floats(0.1, 9).map(lambda x: round(x, 2))
)
ARGUMENTS = st.dictionaries(NAME, TIDY_VALUE, max_size=3).map(lambda values: dict(sorted(values.items()))) | (
    st.dictionaries(NAME, VALUE, max_size=3)
)


@st.composite
def tools(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Mostly such as Go prints like Jinja: plain texts, names in alphabetical order."""
    tidy = draw(st.sampled_from([True, True, False]))
    text = TIDY_TEXT if tidy else TEXT

    def described() -> dict[str, Any]:
        parts = {"description": draw(text), "enum": draw(st.lists(text, max_size=3))}
        keys: list[str] = draw(st.lists(st.sampled_from(sorted(parts)), unique=True))
        chosen = [key for key in sorted(parts) if key in keys and parts[key]] if tidy else keys
        return {"type": draw(st.sampled_from(["string", "number"])), **{key: parts[key] for key in chosen}}

    def tool() -> dict[str, Any]:
        names = draw(st.lists(NAME, unique=True, max_size=3))
        properties = {name: described() for name in (sorted(names) if tidy else names)}
        required = {"required": names} if draw(st.booleans()) and names else {}
        parameters = {"type": "object", "properties": properties, **required}
        function = {"name": draw(NAME), "description": draw(text), "parameters": parameters}
        return {"type": "function", "function": function}

    return [tool() for _ in range(draw(st.integers(0, 2)))]


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Anything that a chat may hold: covered by a family or not."""
    messages = [system(draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 3))):
        messages += [user(draw(TEXT)), {**assistant(draw(TEXT)), **draw(_extras())}]
        if "tool_calls" in messages[-1]:
            messages += [{"role": "tool", "content": draw(TEXT)} for _ in messages[-1]["tool_calls"]]
            if draw(st.booleans()):
                messages.append(assistant(draw(TEXT)))
    ends_with_result = messages and messages[-1]["role"] == "tool" and draw(st.booleans())
    if not ends_with_result:
        messages.append(user(draw(TEXT)))
    return Conversation("any", messages, draw(tools()) or None, draw(st.sampled_from([None, None, True, False])))


def _extras() -> st.SearchStrategy[dict[str, Any]]:
    calls = st.lists(st.builds(call, NAME, ARGUMENTS), min_size=1, max_size=2)
    return st.fixed_dictionaries({}, optional={"tool_calls": calls, "reasoning_content": TEXT})


def as_current_servers_ask(family: Family, conversation: Conversation) -> Conversation:
    """They set thinking by themselves where a template knows it."""
    return replace(conversation, think=True) if family.thinking and conversation.think is None else conversation


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_the_trial_conversations_come_out_as_the_reference_says(go: GoTemplates, family: Family) -> None:
    covered = [conversation for conversation in EVERY if not_covered(family, conversation) is None]
    assert len(covered) == (22 if family.thinking else 19 if family.tools else 13)
    for conversation in covered:
        found = go.render(family.text, as_current_servers_ask(family, conversation))
        assert found == family.reference(conversation), conversation.name


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_any_covered_conversation_comes_out_as_the_reference_says(go: GoTemplates, family: Family) -> None:
    compared = 0

    @settings(max_examples=100, deadline=None)
    @given(conversations())
    def compare(conversation: Conversation) -> None:
        nonlocal compared
        simple = [{key: value for key, value in m.items() if key != "tool_calls"} for m in conversation.messages]
        plain = Conversation("plain", [message for message in simple if message["role"] != "tool"])
        for one in (conversation, plain):
            if not_covered(family, one) is None:
                compared += 1
                assert go.render(family.text, as_current_servers_ask(family, one)) == family.reference(one)

    compare()
    assert compared >= 40


@given(arguments=ARGUMENTS, offered=tools())
@settings(max_examples=100, deadline=None)
def test_tools_and_arguments_are_covered_only_where_go_prints_them_as_jinja_does(
    go: GoTemplates, arguments: dict[str, Any], offered: list[dict[str, Any]]
) -> None:
    qwen = next(family for family in FAMILIES if family.name == "Qwen 2.5")
    called = {**assistant(""), "tool_calls": [call("add", arguments)]}
    result = {"role": "tool", "content": "1"}
    conversation = Conversation("calls", [user("Add."), called, result], offered or None)
    assume(not_covered(qwen, conversation) is None)
    found = go.render(qwen.text, conversation)
    assert json.dumps(arguments, ensure_ascii=False) in found
    assert all(json.dumps(tool, ensure_ascii=False) in found for tool in offered)


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_braces_in_a_system_prompt_and_in_a_question_are_text(go: GoTemplates, family: Family) -> None:
    hostile = '{{ .Messages }}{{ end }}{{- range }} """\n{{"'
    found = go.render(family.text, Conversation("hostile", [system(hostile), user(hostile)]))
    assert found.count(hostile) == 2


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_an_older_server_that_knows_no_thinking_renders_it_too(go: GoTemplates, family: Family) -> None:
    for conversation in EVERY:
        thoughtless = replace(
            conversation,
            think=None,
            messages=[{key: m[key] for key in m if key != "reasoning_content"} for m in conversation.messages],
        )
        if not_covered(family, thoughtless) is None:
            assert go.render(family.text, thoughtless, older=True) == family.reference(thoughtless)


def test_merged_turns_and_tools_that_go_prints_otherwise_really_differ(go: GoTemplates) -> None:
    """What is not covered is so for a reason: it would come out otherwise."""
    chatml = FAMILIES[0]
    qwen = next(family for family in FAMILIES if family.name == "Qwen 2.5")
    twice = Conversation("twice", [user("a"), user("b")])
    assert not_covered(chatml, twice)
    assert go.render(chatml.text, twice) != chatml.reference(twice)
    for name, value in (("list", [1, 2]), ("escaped", "<b>"), ("float", 1.0)):
        called = {**assistant(""), "tool_calls": [call("add", {"a": value})]}
        conversation = Conversation(name, [user("Add."), called, {"role": "tool", "content": "1"}], [WEATHER])
        assert not_covered(qwen, conversation)
        assert go.render(qwen.text, conversation) != qwen.reference(conversation)
