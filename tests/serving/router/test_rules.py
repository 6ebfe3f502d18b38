"""Which rule fits: every kind of condition, their order, what is said about it, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from jobs.errors import BadInput, Missing
from serving.engines.engine import Ask
from serving.router.chooser import Chooser
from serving.router.conditions import contains_word
from serving.router.question import LONGEST_LOOKED_AT, Question, plain
from serving.router.spec import RouterSpec

MODELS = ("base", "coder", "poet")


@dataclass
class FakeGuess:
    label: str
    probabilities: dict[str, float]


@dataclass
class FakeClassifier:
    """Finds code 80 % sure in everything."""

    labels: tuple[str, ...] = ("code", "poems")
    asked: list[str] = field(default_factory=list)

    def classify(self, text: str) -> FakeGuess:
        self.asked.append(text)
        return FakeGuess("code", {"code": 0.8, "poems": 0.2})


def chooser(*rules: dict[str, Any], **classifiers: FakeClassifier) -> Chooser:
    return Chooser(RouterSpec.parse({"default": "base", "rules": list(rules)}), MODELS, classifiers)


def rule(to: Any = "coder", name: str = "code", **when: Any) -> dict[str, Any]:
    return {"name": name, "when": when, "to": to}


@pytest.mark.parametrize(
    ("when", "fitting", "other", "why"),
    [
        ({"tags": ["sql", "code"]}, Question("x", tag="code"), Question("x", tag="poem"), "the tag is code"),
        (
            {"reasoning_modes": ["deep"]},
            Question("x", reasoning_mode="deep"),
            Question("x"),
            "the reasoning mode is deep",
        ),
        (
            {"any_words": ["python", "for loop"]},
            Question("A FOR\n loop, please"),
            Question("for the loop"),
            "the word 'for loop' is there",
        ),
        (
            {"all_words": ["sort", "list"]},
            Question("Sort this list"),
            Question("Sort these lists"),
            "all of the words 'sort', 'list' are there",
        ),
        ({"pattern": r"\bdef \w+\("}, Question("def f(x): ..."), Question("define f"), "its pattern is found"),
        (
            {"languages": ["de"]},
            Question("Wie schreibe ich eine Schleife, die alle Zeilen der Datei einzeln liest?"),
            Question("How would you write a loop that reads each line of the file?"),
            "the language is de",
        ),
    ],
)
def test_a_rule_fits_what_it_names_and_nothing_else(
    when: dict[str, Any], fitting: Question, other: Question, why: str
) -> None:
    router = chooser(rule(**when))
    decision = router.choose(fitting)
    assert (decision.target, decision.route, decision.reason) == ("coder", "code", f"code: {why}")
    passed = router.choose(other)
    assert (passed.target, passed.route) == ("base", "default")
    assert len(passed.passed) == 1 and passed.passed[0].startswith("code: ")


def test_the_classifiers_label_needs_the_probability_that_is_asked_for() -> None:
    known = FakeClassifier()
    sure = rule(classified={"classifier": "topics", "label": "code", "at_least": 0.75})
    surer = rule(classified={"classifier": "topics", "label": "code", "at_least": 0.9})
    other = rule(classified={"classifier": "topics", "label": "poems", "at_least": 0.1})
    assert chooser(sure, topics=known).choose(Question("x")).reason == "code: topics finds code 80% sure"
    assert chooser(surer, topics=known).choose(Question("x")).target == "base"
    assert chooser(other, topics=known).choose(Question("x")).target == "base"


def test_one_request_asks_a_classifier_once_for_all_rules() -> None:
    known = FakeClassifier()
    rules = [
        rule(name=f"rule {n}", classified={"classifier": "topics", "label": "code", "at_least": 0.9}) for n in range(5)
    ]
    chooser(*rules, topics=known).choose(Question("just once"))
    assert known.asked == ["just once"]


def test_all_that_a_condition_names_has_to_hold() -> None:
    router = chooser(rule(tags=["code"], any_words=["python"]))
    assert (
        router.choose(Question("python", tag="code")).reason == "code: the tag is code and the word 'python' is there"
    )
    assert router.choose(Question("python", tag="poem")).target == "base"
    assert router.choose(Question("ruby", tag="code")).target == "base"


def test_the_first_rule_that_fits_wins_and_those_before_it_are_told_why_not() -> None:
    router = chooser(
        rule("poet", "poems", tags=["poem"]), rule("coder", "code", any_words=["x"]), rule("base", "any", pattern=".")
    )
    decision = router.choose(Question("x"))
    assert decision.target == "coder"
    assert decision.passed == ("poems: the tag is not poem (it is not known)",)


def test_words_are_whole_words_also_beside_signs_and_in_scripts_without_blanks() -> None:
    assert contains_word(plain("I like C++!"), "c++")
    assert not contains_word(plain("recursion"), "curs")
    assert contains_word(plain("recursion, curs"), "curs")
    assert contains_word(plain("请写代码给我"), "写代码")
    assert contains_word(plain("STRASSE"), "straße")
    assert not contains_word(plain("anything"), " ")


def test_a_pattern_that_explodes_is_given_up_and_the_next_rule_decides() -> None:
    bombs = [rule(name=f"bomb {n}", pattern=r"^(a|aa|a?a)+$") for n in range(30)]
    router = chooser(*bombs, rule("poet", "poems", tags=["poem"]))
    # Without a limit a single one of these searches would outlast the test.
    decision = router.choose(Question("a" * LONGEST_LOOKED_AT + "!", tag="poem"))
    assert decision.target == "poet"
    assert decision.passed[0] == "bomb 0: its pattern took too long, so it was passed over"
    assert len(decision.passed) == len(bombs)


@pytest.mark.parametrize("pattern", ["(", "[a", "a{99999999999999999999}", "(" * 900, "a" * 1001, r"(?P<x>a)(?P=y)"])
def test_a_pattern_that_is_none_is_refused_when_the_spec_is_read(pattern: str) -> None:
    with pytest.raises(BadInput, match=r"regular expression|at most 1,000"):
        chooser(rule(pattern=pattern))


def test_a_long_text_is_looked_at_in_its_beginning_and_its_end() -> None:
    router = chooser(rule(any_words=["refactor"]))
    filler = "lorem ipsum " * 900_000
    for text in (f"refactor this: {filler}", f"{filler} refactor this"):
        question = Question.of(Ask(messages=[{"role": "user", "content": text}]))
        assert len(question.text) <= LONGEST_LOOKED_AT + 1
        assert router.choose(question).target == "coder"


def test_the_last_user_message_decides_also_when_its_content_is_in_parts() -> None:
    parts = [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "python"}, "stray"]
    messages = [
        {"role": "user", "content": "a poem"},
        {"role": "assistant", "content": "ruby"},
        {"role": "user", "content": parts},
    ]
    assert Question.of(Ask(messages=messages)).text == "python"
    assert Question.of(Ask(prompt="go on")).text == "go on"
    assert Question.of(Ask(messages=[{"role": "user", "content": None}])).text == ""
    assert Question.of(Ask(messages=[])).text == ""


def test_routes_and_models_can_be_asked_for_by_name() -> None:
    router = chooser(rule(tags=["code"]))
    assert router.choose(Question("x"), "code").target == "coder"
    assert router.choose(Question("x"), "poet").reason == "poet was asked for by name"
    assert router.routes == ["auto", "code"]
    with pytest.raises(Missing, match="no model or route 'painter'"):
        router.choose(Question("x"), "painter")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"default": "bse"}, "default: there is no model or ensemble 'bse' \\(did you mean base\\?\\)"),
        ({"default": "base", "rules": [rule({"coder": 1, "nobody": 2}, tags=["a"])]}, "rules.0.to: .*'nobody'"),
        ({"default": "base", "rules": [rule(name="poet", tags=["a"])]}, "the model 'poet' has the name of a route"),
        ({"default": "base", "fallback": ["gone"]}, "fallback: .*'gone'"),
        ({"default": "base", "rules": [rule(tags=["a"]), rule(tags=["b"])]}, "code would mean two things"),
        ({"default": "base", "rules": [rule(name="auto", tags=["a"])]}, "auto would mean two things"),
        ({"default": "base", "rules": [rule()]}, "at least one condition"),
        ({"default": "base", "rules": [rule(languages=["german"])]}, "unknown language german"),
        ({"default": {"base": 0}}, "greater than 0"),
        ({"default": {"base": float("inf")}}, "finite"),
        ({"default": "base", "rules": [rule(tagss=["a"])]}, "unknown option \\(did you mean tags\\?\\)"),
    ],
)
def test_a_router_that_can_not_work_is_refused_with_the_reason(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Chooser(RouterSpec.parse(values), MODELS)


def test_a_rule_whose_classifier_is_missing_or_does_not_know_the_label_is_refused() -> None:
    asks = rule(classified={"classifier": "topics", "label": "cooking"})
    with pytest.raises(Missing, match="route train"):
        chooser(asks)
    with pytest.raises(BadInput, match="knows code, poems"):
        chooser(asks, topics=FakeClassifier())


def test_a_spec_reads_back_from_the_yaml_it_writes() -> None:
    spec = RouterSpec.parse({"default": {"base": 0.7, "poet": 0.3}, "rules": [rule(pattern="a|b", tags=["x"])]})
    assert RouterSpec.parse(yaml.safe_load(spec.to_yaml())) == spec
    assert RouterSpec.parse(yaml.safe_load(spec.to_yaml(only_changed=True))) == spec
