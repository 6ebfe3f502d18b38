"""The evaluation's figures as a person reads them: accuracy beside its references, per teacher, and whole games."""

from __future__ import annotations

from typing import Any


def share_of_ceiling(figures: dict[str, Any], tag: str | None = None) -> float:
    """The tuned model's accuracy as a share of the best that contradictory rows allow; of one teacher with `tag`."""
    standings = figures["measures"][0]["standings"] if tag is None else _slice(figures, tag)["standings"]
    by_name = {standing["name"]: standing["mean"] for standing in standings}
    return float(by_name[figures["models"][-1]["name"]] / by_name["ceiling"])


def _slice(figures: dict[str, Any], tag: str) -> dict[str, Any]:
    return next(part for part in figures["slices"] if part["tag"] == tag)


def outcome_lines(figures: dict[str, Any], game_steps: int) -> list[str]:
    """The verdict, decisions pooled and for each teacher, and the games (of at most `game_steps`), as lines of text."""
    measure = figures["measures"][0]
    verdict = measure["verdicts"][0]
    parts = [("all teachers", measure["items"], measure["standings"])]
    parts += [(part["tag"], part["items"], part["standings"]) for part in figures["slices"]]
    names = [standing["name"] for standing in measure["standings"]]
    heading = f"  {'':<14}{'rows':>6}" + "".join(f"{_short(name):>18}" for name in names) + f"{'of ceiling':>12}"
    return [
        f"Verdict: {figures['verdicts'][0]}",
        f"  test: {verdict['test']}; effect size: {verdict['effect']:.2f} ({verdict['effect_name']})",
        "",
        "Decisions like the teacher's, on prompts that training never saw (95 % interval)",
        heading,
        *(_decision_line(figures, *part) for part in parts),
        f"  {_short(figures['models'][0]['name'])} is untrained, so the first move it names anywhere counts.",
        "",
        f"Whole games (means), each ended after {game_steps} moves; filling the board would take about 1,000",
        *(_game_line(game) for game in figures["games"] if not game["tag"]),
    ]


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def _decision_line(figures: dict[str, Any], label: str, items: int, standings: list[dict[str, Any]]) -> str:
    cells = "".join(f"{_percent(standing):>18}" for standing in standings)
    share = share_of_ceiling(figures, None if label == "all teachers" else label)
    return f"  {label:<14}{items:>6}{cells}{share:>11.1%}"


def _percent(standing: dict[str, Any]) -> str:
    if standing["low"] is None or standing["name"] == "ceiling":
        return f"{standing['mean']:.1%}"
    return f"{standing['mean']:.1%} ({standing['low']:.0%}–{standing['high']:.0%})"


def _game_line(game: dict[str, Any]) -> str:
    means = game["means"]
    return (
        f"  {_short(game['model']):<17} {game['games']} games: won {means['won']:.0%}, "
        f"score {means['score']:.1f} apples, {means['steps']:.1f} steps"
    )
