"""The decision: what three verdicts come to."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from serving.loop.decide import Finding, Findings, Outcome, decide

BETTER, WORSE, SAME, FEW = "better", "worse", "no difference shown", "too few items"


def findings(new: Any, regression: Any, general: Any) -> Findings:
    return Findings(
        Finding("the new chats", new, f"{new} by …"),
        Finding("the regression set", regression, f"{regression} by …"),
        Finding("general abilities", general, f"{general} by …"),
    )


@pytest.mark.parametrize("regression", [BETTER, SAME])
@pytest.mark.parametrize("general", [BETTER, SAME])
def test_better_on_new_chats_and_worse_nowhere_passes(regression: str, general: str) -> None:
    decision = decide(findings(BETTER, regression, general), "better")
    assert decision.result == "passed"
    assert decision.sentence.startswith("Better on the new chats, and worse nowhere: the new chats: better by …; ")


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("accept", ["better", "not worse"])
def test_worse_anywhere_never_passes(place: int, accept: Any) -> None:
    outcomes = [BETTER, BETTER, BETTER]
    outcomes[place] = WORSE
    decision = decide(findings(*outcomes), accept)
    assert decision.result == "worse"
    assert decision.sentence.startswith("Worse on ")


def test_no_difference_passes_only_where_the_plan_accepts_it() -> None:
    assert decide(findings(SAME, SAME, SAME), "better").result == "unproven"
    assert decide(findings(SAME, SAME, SAME), "not worse").result == "passed"
    assert decide(findings(FEW, SAME, SAME), "not worse").result == "unproven"


def test_checks_that_can_not_speak_let_nothing_pass() -> None:
    decision = decide(findings(BETTER, FEW, SAME), "not worse")
    assert decision.result == "unproven"
    assert "Too few items in the regression set" in decision.sentence


def test_over_all_verdicts_only_harmless_ones_pass() -> None:
    passed = {
        (new, regression, general)
        for new in get_args(Outcome)
        for regression in get_args(Outcome)
        for general in get_args(Outcome)
        if decide(findings(new, regression, general), "better").result == "passed"
    }
    assert passed == {(BETTER, one, other) for one in (BETTER, SAME) for other in (BETTER, SAME)}


def test_the_main_measure_of_an_evaluation_is_what_counts() -> None:
    figures = {
        "measures": [
            {"main": False, "verdicts": [{"outcome": WORSE, "sentence": "worse"}]},
            {"main": True, "verdicts": [{"outcome": BETTER, "sentence": "better by 3 points"}]},
        ]
    }
    assert Finding.of("x", figures).told == "x: better by 3 points"
