"""The evaluation's figures as a person reads them: the verdict, every measure, and the move by domain."""

from __future__ import annotations

from typing import Any

MEASURES = {
    "accuracy": "the rule book's move",
    "json_valid": "follows the JSON schema",
    "json_fields": "fields that are right",
    "delta_closeness": "nearness of shaping_delta",
    "doctrine": "breaks no law",
}


def json_validity(figures: dict[str, Any]) -> float:
    """The share of the last model's answers that follow the schema, 0 to 1."""
    return _mean(_measure(figures, "json_valid")["standings"], figures["models"][-1]["name"])


def _measure(figures: dict[str, Any], metric: str) -> dict[str, Any]:
    return next(measure for measure in figures["measures"] if measure["metric"] == metric)


def _mean(standings: list[dict[str, Any]], name: str) -> float:
    return float(next(standing["mean"] for standing in standings if standing["name"] == name))


def outcome_lines(figures: dict[str, Any]) -> list[str]:
    """The verdict with its test, a line for each measure and each domain, and a note on how the base is scored."""
    main = figures["measures"][0]
    names = [standing["name"] for standing in main["standings"]]
    untrained = [model["name"] for model in figures["models"] if model["untrained"]]
    heading = f"  {'':<27}" + "".join(f"{_short(name):>18}" for name in names)
    measures = [(title, _measure(figures, metric)["standings"]) for metric, title in MEASURES.items()]
    domains = [(f"move, {part['tag']} ({part['items']})", part["standings"]) for part in figures["slices"]]
    return [
        *_verdict_lines(main["verdicts"]),
        "",
        f"Advice in {main['items']} moments of seeds and fights that training never saw (95 % interval)",
        heading,
        *(_line(title, standings, names) for title, standings in [*measures, *domains]),
        *(
            f"  {_short(name)} is untrained: for the move, the first that it names anywhere counts."
            for name in untrained
        ),
    ]


def _verdict_lines(verdicts: list[dict[str, Any]]) -> list[str]:
    return [
        line
        for verdict in verdicts
        for line in (
            f"{verdict['candidate']} against {verdict['reference']}: {verdict['sentence']}",
            f"  test: {verdict['test']}; effect size: {verdict['effect']:.2f} ({verdict['effect_name']})",
        )
    ]


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def _line(title: str, standings: list[dict[str, Any]], names: list[str]) -> str:
    by_name = {standing["name"]: standing for standing in standings}
    cells = [_percent(by_name[name]) if name in by_name else "" for name in names]
    return f"  {title:<27}" + "".join(f"{cell:>18}" for cell in cells)


def _percent(standing: dict[str, Any]) -> str:
    if standing["low"] is None:
        return f"{standing['mean']:.1%}"
    return f"{standing['mean']:.1%} ({standing['low']:.0%}–{standing['high']:.0%})"
