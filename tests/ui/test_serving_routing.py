"""Routing on the Serving tab: rules told in words, which model would answer, and a classifier trained from rows."""

from __future__ import annotations

import pytest

from datasets_src.build import build as build_dataset
from datasets_src.spec import DatasetSpec
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from tests.toys import write_rows
from tests.ui.serving_page import build, error_of, handler
from ui import serving_routing
from ui.drafts import read_draft
from ui.page import SKIP
from ui.serving_choice import keep_models, keep_rules, parsed_rules, rules_are_used, rules_text
from ui.serving_routing_view import example_rules

RULES = """
default: small
rules:
  - {name: code, when: {any_words: [python]}, to: large}
  - {name: split, when: {tags: [both]}, to: {small: 1, large: 3}}
ensembles:
  - {name: panel, members: {small: 1, large: 2}}
fallback: [small]
"""


@pytest.fixture
def served(workspace: Workspace) -> Workspace:
    keep_models(workspace, ["small=embedded", "large=embedded"])
    return workspace


def asked(workspace: Workspace, text: str, asked: str = "", user: str = "", tag: str = "") -> str:
    return serving_routing.told_decision(workspace, text, asked, user, tag, "")


def test_the_decision_tells_who_answers_and_why_each_rule_did_not_fit(served: Workspace) -> None:
    keep_rules(served, RULES, used=False)
    assert "large would answer" in asked(served, "Sort a list in Python")
    other = asked(served, "Good morning")
    assert "small would answer" in other and "none of the words" in other and "the tag is not both" in other
    weighted = [asked(served, "x", tag="both", user="ann") for _ in range(3)]
    assert len(set(weighted)) == 1 and "always, for this asker" in weighted[0]
    assert "small (weight 1), large (weight 2)" in asked(served, "x", asked="panel")


def test_without_rules_the_first_model_answers(served: Workspace) -> None:
    assert "small would answer" in asked(served, "Good morning")


def test_a_question_that_can_not_be_decided_says_what_to_do(served: Workspace) -> None:
    keep_rules(served, RULES, used=True)
    with pytest.raises(BadInput, match="no question"):
        asked(served, " ")
    with pytest.raises(Missing, match="no model or route 'huge'"):
        asked(served, "x", asked="huge")
    classified = "default: small\nrules: [{name: c, when: {classified: {classifier: topics, label: a}}, to: large}]"
    keep_rules(served, classified, used=True)
    with pytest.raises(Missing, match="no classifier 'topics'"):
        asked(served, "x")


def test_every_problem_of_the_rules_is_told_in_words_and_the_text_stays(served: Workspace) -> None:
    press = handler(build(served), "routing-rules", "blur")
    (shown, _) = press(None, "defalt: small\nrules: [{name: a, to: large}]", True)
    assert "defalt" in shown and "did you mean default?" in shown and "rules.0.when" in shown
    assert rules_text(served).startswith("defalt") and rules_are_used(served)
    assert "Line 2 of the rules is not YAML." in press(None, "default: small\n rules: [", True)[0]
    assert (
        "there is no model or ensemble &#x27;lage&#x27; (did you mean large?)" in press(None, "default: lage", True)[0]
    )
    assert (
        "1 rule, 0 ensembles" in press(None, "default: small\nrules: [{name: a, when: {tags: [x]}, to: large}]", 1)[0]
    )
    assert "No rules yet" in press(None, "", False)[0]


def test_the_example_fits_the_chosen_models_and_never_replaces_rules(served: Workspace) -> None:
    assert parsed_rules(example_rules(["small", "large"])).problems(["small", "large"]) == []
    press = handler(build(served), "example-rules")
    assert press(None)[0] == rules_text(served) and rules_are_used(served)
    keep_rules(served, "default: large", used=True)
    assert "would replace them" in error_of(press(None)) and rules_text(served) == "default: large"


def test_what_was_asked_is_still_there_after_an_error(served: Workspace) -> None:
    keep_rules(served, "default: [", used=True)
    press = handler(build(served), "which-model")
    assert "is not YAML" in error_of(press(None, "Good morning", "", "ann", "", ""))
    assert read_draft(served, serving_routing.TAB)["text"] == "Good morning"


def test_a_classifier_is_trained_listed_and_asked_by_a_rule(served: Workspace) -> None:
    topics = {"sql": "Write a query that selects {} rows from a table", "chat": "Tell me a joke about {} friends"}
    rows = [
        {"prompt": words.format(number), "completion": "x", "tag": tag}
        for number in range(60)
        for tag, words in topics.items()
    ]
    write_rows(served.uploads / "rows.jsonl", rows)
    spec = {"name": "d", "sources": [{"path": "uploads/rows.jsonl"}], "eval_fraction": 0.3, "near_duplicates": None}
    build_dataset(DatasetSpec.parse(spec), served)
    with pytest.raises(Missing, match="no dataset"):
        serving_routing.trained(served, None, "topics")
    with pytest.raises(BadInput, match="can't be a classifier's name"):
        serving_routing.trained(served, "d", "../x")
    assert "right" in serving_routing.trained(served, "d", "topics").lower()
    html, cursor = serving_routing.show(served)
    assert "topics" in html and "chat, sql" in html
    assert serving_routing.show(served, cursor) == [SKIP, SKIP]
    rule = "{name: c, when: {classified: {classifier: topics, label: sql, at_least: 0.5}}, to: large}"
    keep_rules(served, f"default: small\nrules: [{rule}]", used=True)
    assert "large would answer" in asked(served, "Write a query that selects 7 rows from a table")


def test_a_damaged_classifier_is_named_and_the_others_are_still_listed(served: Workspace) -> None:
    (served.root / "classifiers" / "broken").mkdir(parents=True)
    assert "broken</td><td colspan=4>can't be read" in serving_routing.show(served)[0]
