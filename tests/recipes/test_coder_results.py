"""Each step of the coder recipe is compared with the one before it, by the scores of one evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluation.store import FILE, ItemScore, save_scores
from recipes.coder.results import campaign_line, outcome_lines, step_verdicts

ITEMS = 100
RIGHT = {"base": 20, "SFT": 70, "DPO": 72}


def rows(model: str, right: int) -> list[ItemScore]:
    """The first so many items right, the others wrong."""
    return [
        ItemScore(
            model=model,
            kind="model",
            item=f"{number:03d}",
            group=f"{number:03d}",
            tag="lists",
            prompt="Write f.",
            reference="",
            answer="",
            scores={"passes": float(number < right), "lenient": float(number < right + 5)},
        )
        for number in range(ITEMS)
    ]


FIGURES: dict[str, Any] = {
    "task": {"metric": "passes"},
    "models": [{"name": name, "metric": "lenient" if name == "base" else "passes"} for name in RIGHT],
    "measures": [{"items": ITEMS, "standings": [{"name": name, "mean": each / ITEMS} for name, each in RIGHT.items()]}],
    "slices": [{"tag": "lists", "items": 40, "standings": [{"name": name, "mean": 0.5} for name in RIGHT]}],
}


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    save_scores(tmp_path / FILE, [row for model, right in RIGHT.items() for row in rows(model, right)])
    return tmp_path


def test_a_step_is_judged_against_the_one_before_with_the_metric_that_each_model_was_given(evaluation: Path) -> None:
    first, second = step_verdicts(evaluation, FIGURES)
    assert (first.reference, first.candidate, second.reference, second.candidate) == ("base", "SFT", "SFT", "DPO")
    assert first.reference_mean == pytest.approx(0.25), "the base is scored leniently"
    assert first.outcome == "better" and first.p_value < 0.001
    assert second.difference == pytest.approx(0.02) and second.outcome == "no difference shown"


def test_what_is_printed_names_every_step_and_domain(evaluation: Path) -> None:
    text = "\n".join(outcome_lines(step_verdicts(evaluation, FIGURES), FIGURES))
    for part in ("SFT after base: better by 45.0 points", "DPO after SFT: no difference shown", "lists", "70.0%"):
        assert part in text


def test_a_campaign_is_told_by_what_it_kept_and_refused() -> None:
    figures = {"rows": 9, "domains": {"lists": {"rows": 5}, "text": {"rows": 4}}, "refused": {"a score below 7": 3}}
    line = campaign_line("first", figures)
    assert "9 rows kept (lists 5, text 4); refused: 3 for a score below 7" in line
