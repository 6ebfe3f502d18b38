"""A finished evaluation on the page says why one model is measured otherwise than the rest."""

from __future__ import annotations

from typing import Any

from ui.verdict_view import CERTAINTY, UNITS, verdict_html


def figures(*metrics: str) -> dict[str, Any]:
    standings = [
        {"name": f"model {place}", "kind": "model", "metric": metric, "mean": 0.5, "low": 0.4, "high": 0.6}
        for place, metric in enumerate(metrics)
    ]
    measure = {"metric": metrics[0], "main": True, "unit": "points", "verdicts": [], "standings": standings}
    return {"measures": [measure], "slices": [], "games": []}


def test_an_easier_measure_is_explained_where_it_is_used() -> None:
    html = verdict_html(figures("accuracy", "lenient"))
    assert "scored by &#x27;lenient&#x27;" in html
    assert "favour the untrained" in html
    assert "easier" not in verdict_html(figures("accuracy", "accuracy"))


def test_nats_are_told_as_the_perplexity_that_they_are_shown_as() -> None:
    html = verdict_html(figures("nll", "nll"))
    assert "nll" not in html
    assert "perplexity" in html


def test_the_terms_of_a_verdict_are_explained_below_it_unless_it_has_none() -> None:
    verdict = {
        "outcome": "better",
        "candidate": "a",
        "reference": "b",
        "sentence": "better by 9 points",
    }
    shown = figures("accuracy", "accuracy")
    shown["measures"][0]["verdicts"] = [{**verdict, "low": 0.02, "high": 0.16}]
    assert UNITS["points"] in verdict_html(shown) and CERTAINTY in verdict_html(shown)
    shown["measures"][0]["verdicts"] = [{**verdict, "low": None, "high": None}]
    assert CERTAINTY not in verdict_html(shown)
