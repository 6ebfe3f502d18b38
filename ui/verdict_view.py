"""A finished evaluation as HTML: the verdict first, then scores with intervals, then each tag apart."""

from __future__ import annotations

from html import escape
from math import exp
from typing import Any

from evaluation.report.parts import lenient_words
from evaluation.report.text import plain

UNITS = {
    "points": "Points are per cent of the full score.",
    "perplexity": "Perplexity says how surprised a model is by the held-out answers; lower is better.",
}
CERTAINTY = (
    "CI is the range that the true difference lies in with that confidence; "
    "p is how often chance alone would show one as large."
)

MORE_ITEMS = (
    "To get one, keep more rows for evaluation (“Part kept for evaluation” on the Datasets tab), build, train and "
    "evaluate again."
)


def verdict_html(figures: dict[str, Any]) -> str:
    """`figures`: those of the evaluate job's manifest."""
    parts = []
    for measure in figures["measures"]:
        if not measure["main"]:
            parts.append(f"<h4>Also measured: {escape(plain(measure['metric']))}</h4>")
        parts += [_verdict(verdict, measure["main"]) for verdict in measure["verdicts"]]
        if measure["main"] and any(verdict["outcome"] == "too few items" for verdict in measure["verdicts"]):
            parts.append(f"<p>{MORE_ITEMS}</p>")
        if measure["main"] and any(verdict["low"] is not None for verdict in measure["verdicts"]):
            parts.append(f"<p class='quiet'>{UNITS.get(measure['unit'], '')} {CERTAINTY}</p>")
        parts.append(_standings(measure))
    parts.append(_slices(figures))
    parts.append(_games(figures["games"]))
    return f'<div class="hearth-result">{"".join(parts)}</div>'


def _verdict(verdict: dict[str, Any], main: bool) -> str:
    outcome = verdict["outcome"] if verdict["outcome"] in ("better", "worse") else "open"
    names = f"{verdict['candidate']} against {verdict['reference']}"
    size = "verdict" if main else "verdict small"
    sentence = verdict["sentence"][:1].upper() + verdict["sentence"][1:]
    return f'<div class="{size} {outcome}"><span class="quiet">{escape(names)}</span>{escape(sentence)}</div>'


def _standings(measure: dict[str, Any]) -> str:
    unit, lines = measure["unit"], []
    for standing in measure["standings"]:
        kind = " class='quiet'" if standing["kind"] == "reference" else ""
        metric = escape(plain(standing["metric"]))
        bar = f'<i style="width:{100 * standing["mean"]:.1f}%"></i>' if unit == "points" else ""
        lines.append(
            f"<tr{kind}><td>{escape(standing['name'])}</td><td class='gauge'>{bar}</td>"
            f"<td class='number'>{_with_spread(standing, unit)}</td><td class='quiet'>{metric}</td></tr>"
        )
    head = "<tr><th>Model</th><th class='gauge'></th><th class='number'>Score (interval)</th><th>Scored by</th></tr>"
    others = {standing["metric"] for standing in measure["standings"] if standing["metric"] != measure["metric"]}
    why = "".join(f"<p class='quiet'>{escape(lenient_words(measure['metric'], other))}</p>" for other in others)
    return f'<div class="scroll"><table>{head}{"".join(lines)}</table></div>{why}'


def _slices(figures: dict[str, Any]) -> str:
    """A table of the main measure for each tag."""
    if not figures["slices"]:
        return ""
    unit = figures["measures"][0]["unit"]
    names = [standing["name"] for standing in figures["slices"][0]["standings"]]
    head = "".join(f"<th class='number'>{escape(name)}</th>" for name in names)
    lines = []
    for piece in figures["slices"]:
        cells = "".join(f"<td class='number'>{_with_spread(each, unit, '<br>')}</td>" for each in piece["standings"])
        lines.append(f"<tr><td>{escape(piece['tag'])}</td><td class='number'>{piece['items']}</td>{cells}</tr>")
    table = f"<table><tr><th>Tag</th><th class='number'>Items</th>{head}</tr>{''.join(lines)}</table>"
    return f'<h4>Each tag apart</h4><div class="scroll">{table}</div>'


def _games(games: list[dict[str, Any]]) -> str:
    """Means over whole games, a line for each player; tags apart are in the report."""
    whole = [line for line in games if not line["tag"]]
    if not whole:
        return ""
    names = list(dict.fromkeys(name for line in whole for name in line["means"]))
    head = "".join(f"<th class='number'>{escape(plain(name))}</th>" for name in names)
    lines = []
    for line in whole:
        cells = "".join(f"<td class='number'>{_number(line['means'].get(name))}</td>" for name in names)
        lines.append(f"<tr><td>{escape(line['model'])}</td><td class='number'>{line['games']}</td>{cells}</tr>")
    table = f"<table><tr><th>Player</th><th class='number'>Games</th>{head}</tr>{''.join(lines)}</table>"
    return f'<h4>Whole games (means)</h4><div class="scroll">{table}</div>'


def _with_spread(standing: dict[str, Any], unit: str, between: str = " ") -> str:
    """Mean and interval as shown: per cent for points, perplexity for nats."""
    mean, low, high = (_shown(standing[name], unit) for name in ("mean", "low", "high"))
    sign = " %" if unit == "points" else ""
    spread = f"{between}<span class='quiet'>({low} to {high})</span>" if low and high else ""
    return f"{mean}{sign}{spread}"


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "points":
        return f"{100 * value:.1f}"
    return _number(exp(value) if unit == "perplexity" else value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
