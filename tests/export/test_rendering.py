"""Prompts are compared token by token, every difference is listed, and what no server was asked about is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export.llama_cpp import LlamaCpp, LlamaCppError, running
from export.rendering import (
    LLAMA_CPP,
    NOT_VERIFIED,
    OLLAMA,
    TEMPLATE,
    RenderingCheck,
    RenderingReport,
    compare_renderings,
    conversations_to_compare,
)
from export.templates.choose import choose_template, template_renderer
from export.templates.conversations import Conversation
from models.chat_template import ChatTokenizer

USER = {"role": "user", "content": "Hello"}
pytestmark = pytest.mark.slow  # a model is converted first

NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
OWN = Conversation("held-out row 1", [USER, {"role": "assistant", "content": "Hi."}, USER])


@pytest.fixture(scope="module")
def llama(f16_gguf: Path) -> Iterator[LlamaCpp]:
    with running(f16_gguf, 512) as server:
        yield server


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> ChatTokenizer:
    return ChatTokenizer.load(tiny_model)


def report_of(
    llama: LlamaCpp, tokenizer: ChatTokenizer, others: dict[str, Any] | None = None, **options: Any
) -> RenderingReport:
    return compare_renderings(tokenizer, llama, conversations_to_compare([OWN]), others, **options)


def check_of(report: RenderingReport, renderer: str) -> RenderingCheck:
    return next(check for check in report.checks if check.renderer == renderer)


def own_rendering(tokenizer: ChatTokenizer, change: tuple[str, str] = ("", "")) -> Any:
    def render(messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        return tokenizer.render(messages, tools, add_generation_prompt=True).replace(*change)

    return render


def test_llama_cpp_makes_the_training_templates_tokens_of_every_trial(
    llama: LlamaCpp, tokenizer: ChatTokenizer
) -> None:
    report = report_of(llama, tokenizer)
    check = check_of(report, LLAMA_CPP)
    assert OWN.name in check.same
    assert (len(check.same), check.differences, check.not_covered) == (24, (), ())
    assert check.verdict == "llama.cpp: same prompt tokens on 24 of 24 conversations"
    assert report.passed


def test_where_no_ollama_was_asked_the_report_says_so(llama: LlamaCpp, tokenizer: ChatTokenizer) -> None:
    report = report_of(llama, tokenizer)
    assert report.ollama == NOT_VERIFIED == report.to_json()["ollama"]
    asked = report_of(llama, tokenizer, {OLLAMA: own_rendering(tokenizer)})
    assert asked.ollama == "Ollama: same prompt tokens on 24 of 24 conversations"


def test_a_difference_names_its_conversation_its_token_and_both_texts(
    llama: LlamaCpp, tokenizer: ChatTokenizer
) -> None:
    report = report_of(llama, tokenizer, {OLLAMA: own_rendering(tokenizer, ("Hi.", "Ho."))})
    check = check_of(report, OLLAMA)
    assert [difference.conversation for difference in check.differences][-1] == OWN.name
    difference = check.differences[-1]
    ids = tokenizer.encode_prompt(OWN.messages)
    assert difference.first_token is not None
    assert tokenizer.decode(ids[difference.first_token :]).startswith("Hi.")
    assert "Hi." in difference.expected
    assert "Ho." in difference.found
    assert not check.passed
    assert not report.passed
    assert report.ollama == f"Ollama: same prompt tokens on {24 - len(check.differences)} of 24 conversations"


def test_a_prompt_that_ends_early_differs_where_it_ends(llama: LlamaCpp, tokenizer: ChatTokenizer) -> None:
    check = check_of(report_of(llama, tokenizer, {OLLAMA: own_rendering(tokenizer, ("assistant\n", ""))}), OLLAMA)
    difference = next(one for one in check.differences if one.conversation == "one question")
    assert difference.first_token == len(tokenizer.encode_prompt([USER])) - len(tokenizer.encode("assistant\n"))
    assert "nothing more" in difference.found


def test_the_modelfiles_template_is_compared_on_what_it_covers_and_the_rest_is_named(
    llama: LlamaCpp, tokenizer: ChatTokenizer
) -> None:
    chosen = choose_template(tokenizer)
    report = report_of(llama, tokenizer, {TEMPLATE: template_renderer(chosen, None)})
    check = check_of(report, TEMPLATE)
    assert not check.differences
    assert set(check.same) == {*chosen.covered, OWN.name}
    reasons = {left.conversation: left.why for left in check.not_covered}
    assert reasons["tools offered"] == "the template knows no tools"
    assert "Ollama merges them" in reasons["two questions in a row"]
    assert len(check.same) + len(check.not_covered) == 24


def test_the_modelfiles_system_prompt_is_expected_of_ollama_and_not_of_llama_cpp(
    llama: LlamaCpp, tokenizer: ChatTokenizer
) -> None:
    others = {TEMPLATE: template_renderer(choose_template(tokenizer), "Play well.")}
    report = report_of(llama, tokenizer, others, system_prompt="Play well.")
    assert report.passed
    unsaid = report_of(llama, tokenizer, others)
    assert "one question" in {difference.conversation for difference in check_of(unsaid, TEMPLATE).differences}
    assert check_of(unsaid, LLAMA_CPP).passed


def test_a_server_that_differs_on_rare_conversations_alone_passes_but_they_are_listed(
    llama: LlamaCpp, tokenizer: ChatTokenizer
) -> None:
    def merging(messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        merged: list[dict[str, Any]] = []
        for message in messages:
            if merged and merged[-1]["role"] == message["role"] != "tool":
                merged[-1] = {**merged[-1], "content": merged[-1]["content"] + "\n\n" + message["content"]}
            else:
                merged.append(message)
        return tokenizer.render(merged, tools, add_generation_prompt=True)

    check = check_of(report_of(llama, tokenizer, {OLLAMA: merging}), OLLAMA)
    assert [difference.conversation for difference in check.differences] == ["two questions in a row"]
    assert check.passed
    assert check.verdict == "Ollama: same prompt tokens on 23 of 24 conversations"


def test_a_refusal_is_a_difference_and_a_training_templates_own_refusal_leaves_out(
    llama: LlamaCpp, tokenizer: ChatTokenizer, tiny_model: Path
) -> None:
    def refusing(messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        raise LlamaCppError(f"no {len(messages)} turns, {tools}")

    strict = ChatTokenizer(tiny_model, NO_SYSTEM + tokenizer.template, {"eos_token": "<|im_end|>"}, {})
    report = report_of(llama, strict, {OLLAMA: refusing}, system_prompt="Play well.")
    assert {left.conversation for left in report.left_out} >= {"a system prompt", "an empty system prompt"}
    assert all("no system" in left.why for left in report.left_out)
    check = check_of(report, OLLAMA)
    assert not check.same
    assert {left.conversation for left in check.not_covered} >= {"one question"}
    without = check_of(report_of(llama, strict, {OLLAMA: refusing}), OLLAMA)
    assert without.differences[0].first_token is None
    assert without.differences[0].found == "refused: no 1 turns, None"


def test_the_report_is_plain_json(llama: LlamaCpp, tokenizer: ChatTokenizer) -> None:
    report = report_of(llama, tokenizer, {OLLAMA: own_rendering(tokenizer, ("Hello", "Hullo"))})
    read = json.loads(json.dumps(report.to_json()))
    assert read["passed"] is False
    assert read["checks"][1]["differences"][0]["conversation"] == "one question"
    assert read["checks"][0]["passed"] is True
