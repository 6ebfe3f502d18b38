"""What the demo prints of an evaluation: shares of the ceiling, the test behind the verdict, and the games."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.snake.results import outcome_lines, share_of_ceiling


def standings(base: float, tuned: float, ceiling: float) -> list[dict[str, Any]]:
    names = {"base": base, "tuned": tuned, "random safe move": 0.5, "ceiling": ceiling}
    return [{"name": name, "mean": mean, "low": mean - 0.05, "high": mean + 0.05} for name, mean in names.items()]


FIGURES: dict[str, Any] = {
    "models": [{"name": "base"}, {"name": "tuned"}],
    "verdicts": ["better by 60.0 points (95% CI 50.0 to 70.0, p < 0.001)"],
    "measures": [
        {
            "items": 100,
            "standings": standings(0.2, 0.8, 0.96),
            "verdicts": [{"test": "exact McNemar", "effect": 1.23, "effect_name": "Cohen's h"}],
        }
    ],
    "slices": [{"tag": "BFS", "items": 40, "standings": standings(0.1, 0.9, 0.9)}],
    "games": [
        {"model": "tuned", "tag": "", "games": 8, "means": {"won": 0.125, "score": 4.5, "steps": 40.0}},
        {"model": "tuned", "tag": "BFS", "games": 2, "means": {"won": 0.0, "score": 4.0, "steps": 40.0}},
    ],
}


def test_the_share_of_the_ceiling_is_pooled_or_of_one_teacher() -> None:
    assert share_of_ceiling(FIGURES) == pytest.approx(0.8 / 0.96)
    assert share_of_ceiling(FIGURES, "BFS") == pytest.approx(1.0)


def test_everything_that_judges_the_model_is_printed() -> None:
    text = "\n".join(outcome_lines(FIGURES, game_steps=40))
    for part in ("p < 0.001", "exact McNemar; effect size: 1.23 (Cohen's h)", "80.0% (75%–85%)", "83.3%", "100.0%"):
        assert part in text
    assert "8 games: won 12%, score 4.5 apples" in text
    assert "2 games" not in text
    assert "ended after 40 moves" in text
