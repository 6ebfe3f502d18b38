"""The evaluation's figures as a person reads them: the verdict, and how each kind of row came out."""

from __future__ import annotations

from typing import Any


def outcome_lines(figures: dict[str, Any]) -> list[str]:
    """The verdict with its test, the mean score of all items and of each kind, and how often the audience was met."""
    measure = figures["measures"][0]
    verdict = measure["verdicts"][0]
    names = [standing["name"] for standing in measure["standings"]]
    parts = [("all", measure["items"], measure["standings"])]
    parts += [(part["tag"], part["items"], part["standings"]) for part in figures["slices"]]
    suits = next(each for each in figures["measures"] if each["metric"] == "audience")
    return [
        f"Verdict: {figures['verdicts'][0]}",
        f"  test: {verdict['test']}; effect size: {verdict['effect']:.2f} ({verdict['effect_name']})",
        "",
        "Programs that walk as asked, and facts named in explanations, on rows that training never saw",
        f"  {'':<14}{'rows':>6}" + "".join(f"{name[:22]:>24}" for name in names),
        *(_line(label, items, standings) for label, items, standings in parts),
        _line("audience met", suits["items"], suits["standings"]),
        f"  {names[0]} is untrained, so a program anywhere in its answer counts.",
    ]


def _line(label: str, items: int, standings: list[dict[str, Any]]) -> str:
    return f"  {label:<14}{items:>6}" + "".join(f"{standing['mean']:>24.1%}" for standing in standings)
