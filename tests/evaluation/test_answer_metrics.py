"""Metrics of an answer: equal to the libraries and papers they follow, and clear about what an item lacks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import METRICS, majority, token_f1
from evaluation.metrics.registry import higher_is_better
from evaluation.metrics.structured import calls_in, json_in
from evaluation.metrics.texts import corpus_bleu, corpus_chrf
from evaluation.spec import EvaluateSpec
from evaluation.tasks import TaskItem
from jobs.errors import BadInput

REFERENCES = ["The cat sat on the mat.", "It is raining in Paris today.", "He bought three red apples."]
ANSWERS = ["The cat is sitting on the mat.", "Today it rains in Paris.", "He bought three red apples."]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}
CALLS = [{"name": "weather", "arguments": {"city": "Rome", "days": 2}}]


def item(reference: str = "", **extra: Any) -> TaskItem:
    return TaskItem("q1", [{"role": "user", "content": "?"}], reference, "g", extra=extra)


def score(metric: str, answer: str, of: TaskItem) -> float:
    found = METRICS[metric].score
    assert found is not None
    return found(answer, of)


@pytest.mark.parametrize("metric", ["exact_match", "contains", "f1", "bleu", "chrf", "rouge_1", "rouge_l"])
def test_the_expected_text_itself_gets_everything_and_another_nothing(metric: str) -> None:
    assert score(metric, REFERENCES[0], item(REFERENCES[0])) == pytest.approx(1.0)
    assert score(metric, "xyzzy", item(REFERENCES[0])) == pytest.approx(0.0, abs=1e-9)


def test_f1_equals_the_published_squad_computation() -> None:
    assert token_f1("The cat sat", "a cat sat down") == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))
    assert token_f1("", "") == 1.0
    assert token_f1("the", "a") == 1.0, "articles don't count"
    assert token_f1("cat", "") == 0.0


@given(st.text(max_size=30), st.text(max_size=30))
def test_f1_is_the_same_both_ways_and_within_its_bounds(first: str, second: str) -> None:
    assert token_f1(first, second) == token_f1(second, first)
    assert 0 <= token_f1(first, second) <= 1
    assert token_f1(first, first) == 1.0


def test_sentence_scores_are_sacrebleus_own() -> None:
    import sacrebleu

    for answer, reference in zip(ANSWERS, REFERENCES, strict=True):
        bleu = sacrebleu.sentence_bleu(answer, [reference]).score / 100
        chrf = sacrebleu.sentence_chrf(answer, [reference]).score / 100
        assert score("bleu", answer, item(reference)) == pytest.approx(bleu, abs=1e-12)
        assert score("chrf", answer, item(reference)) == pytest.approx(chrf, abs=1e-12)


def test_corpus_scores_are_sacrebleus_own_with_its_signature() -> None:
    import sacrebleu

    bleu, chrf = corpus_bleu(ANSWERS, REFERENCES), corpus_chrf(ANSWERS, REFERENCES)
    assert bleu.score == pytest.approx(sacrebleu.corpus_bleu(ANSWERS, [REFERENCES]).score)
    assert chrf.score == pytest.approx(sacrebleu.corpus_chrf(ANSWERS, [REFERENCES]).score)
    version = f"version:{sacrebleu.__version__}"
    assert bleu.signature == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|{version}"
    assert chrf.signature == f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|{version}"


def test_rouge_counts_words_and_their_order() -> None:
    assert score("rouge_1", "mat the on sat cat the", item(REFERENCES[0])) == pytest.approx(1.0)
    assert score("rouge_l", "mat the on sat cat the", item(REFERENCES[0])) == pytest.approx(0.5)
    assert score("rouge_1", "cats sitting", item("cat sit")) == pytest.approx(1.0), "words are stemmed"


def test_json_follows_its_schema_also_in_a_code_fence() -> None:
    of = item(schema=PERSON)
    assert score("json_valid", '{"name": "Ann", "age": 3}', of) == 1.0
    assert score("json_valid", 'Here it is:\n```json\n{"name": "Ann"}\n```', of) == 1.0
    assert score("json_valid", '{"name": "Ann", "age": "three"}', of) == 0.0
    assert score("json_valid", 'Sure! {"name": "Ann"}', of) == 0.0
    assert score("json_valid", "[" * 100_000, of) == 0.0, "nested too deeply to read"
    assert score("json_valid", '{"name": "Ann"}', item(schema=json.dumps(PERSON))) == 1.0, "some sources give text"


def test_fields_are_counted_one_by_one_and_true_is_not_one() -> None:
    of = item('{"name": "Ann", "tags": ["a", "b"], "ok": true}')
    assert score("json_fields", '{"name": "Ann", "tags": ["a", "b"], "ok": true, "more": 1}', of) == 1.0
    assert score("json_fields", '{"name": "Ann", "tags": ["a"], "ok": 1}', of) == 0.5
    assert score("json_fields", "no JSON", of) == 0.0


def test_a_pattern_is_searched_for() -> None:
    assert score("regex", "The answer is 42.", item(regex=r"\b42\b")) == 1.0
    assert score("regex", "The answer is 421.", item(regex=r"\b42\b")) == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        '<tool_call>\n{"name": "weather", "arguments": {"days": 2, "city": "Rome"}}\n</tool_call>',
        '{"name": "weather", "parameters": {"city": "Rome", "days": 2}}',
        '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Rome", "days": 2}}]',
        '```json\n{"function": {"name": "weather", "arguments": "{\\"city\\": \\"Rome\\", \\"days\\": 2}"}}\n```',
    ],
)
def test_a_call_is_read_however_the_model_writes_it(answer: str) -> None:
    assert score("tool_call", answer, item(tool_calls=CALLS)) == 1.0


def test_a_wrong_argument_or_one_call_too_many_is_no_match() -> None:
    wrong = '<tool_call>{"name": "weather", "arguments": {"city": "Rome", "days": 3}}</tool_call>'
    assert score("tool_call", wrong, item(tool_calls=CALLS)) == 0.0
    assert score("tool_name", wrong, item(tool_calls=CALLS)) == 1.0
    assert score("tool_name", wrong + wrong, item(tool_calls=CALLS)) == 0.0
    assert calls_in("It will be sunny.") == []
    assert score("tool_call", "It will be sunny.", item(tool_calls=[])) == 1.0


@pytest.mark.parametrize(
    ("metric", "column"),
    [
        ("json_valid", "schema"),
        ("regex", "regex"),
        ("tool_call", "tool_calls"),
        ("tool_name", "tool_calls"),
        ("code", "tests"),
    ],
)
def test_an_item_that_lacks_what_a_metric_reads_is_named_before_anything_runs(metric: str, column: str) -> None:
    check = METRICS[metric].check
    assert check is not None
    with pytest.raises(BadInput, match=f"'q1' has no '{column}'") as caught:
        check(item())
    assert metric in caught.value.why


@pytest.mark.parametrize(
    ("metric", "of"),
    [
        ("json_valid", item(schema={"type": "strin"})),
        ("regex", item(regex="(")),
        ("json_fields", item("not JSON")),
        ("tool_call", item(tool_calls=[{"nme": "x"}])),
    ],
)
def test_what_a_metric_cannot_use_is_refused_with_the_item(metric: str, of: TaskItem) -> None:
    with pytest.raises(BadInput, match="'q1'"):
        score(metric, "{}", of)


def test_the_commonest_answer_wins_and_its_share_is_told() -> None:
    vote = majority(["Paris", " paris ", "Rome", "PARIS"])
    assert (vote.answer, vote.share) == ("Paris", 0.75)
    assert majority(["a", "b"]).answer == "a"


def test_every_metric_is_an_option_and_explained_in_its_help() -> None:
    field = EvaluateSpec.model_fields["metrics"]
    assert EvaluateSpec.parse({"models": ["m"], "data": "x", "metrics": [*METRICS], "samples": 2, "temperature": 1})
    assert all(f"{name}: {metric.help}" in str(field.description) for name, metric in METRICS.items())
    with pytest.raises(BadInput, match="self_consistency needs several answers"):
        EvaluateSpec.parse({"models": ["m"], "data": "x", "metrics": ["self_consistency"]})
    with pytest.raises(BadInput, match="all answers to a question are the same"):
        EvaluateSpec.parse({"models": ["m"], "data": "x", "samples": 3})
    assert [higher_is_better(name) for name in ("bleu", "loss", "nll", "accuracy")] == [True, False, False, True]


def test_json_in_an_answer_is_found_whole_or_fenced() -> None:
    assert json_in(" 3 ") == 3
    assert json_in("```\n[1]\n```") == [1]
