"""The report as one HTML file: no network, no script, light and dark. Everything in it comes from report.json."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import exp
from pathlib import Path
from typing import Any

from jobs.files import write_json, write_text

LONGEST_TEXT = 3000
EXAMPLE_HEADINGS = {
    "regressions": "Worst regressions: right before, or better before",
    "gains": "Largest gains",
    "alike": "No difference",
}


def write_report(folder: Path, report: dict[str, Any]) -> list[Path]:
    """Write report.json and report.html; returns both paths."""
    json_path, html_path = folder / "report.json", folder / "report.html"
    write_json(json_path, report)
    write_text(html_path, render(report))
    return [json_path, html_path]


def render(report: dict[str, Any]) -> str:
    """The HTML of a report.json. Whatever a model wrote is escaped."""
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    parts = [
        _header(report),
        *(_measure(measure) for measure in report["measures"]),
        _slices(report),
        _games(report["games"]),
        _examples(report["examples"]),
        _cost(report["models"]),
        _method(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report['title'])}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _header(report: dict[str, Any]) -> str:
    task = report["task"]
    about = f"{report['items']:,} items in {report['groups']:,} independent groups of {escape(report['data'])}"
    return (
        f"<h1>{escape(report['title'])}</h1>\n<p>{escape(task['description'])}</p>\n"
        f'<p class="quiet">Task: {escape(task["name"])} · {about} · {escape(report["created"])}</p>'
    )


def _measure(measure: dict[str, Any]) -> str:
    better = "higher is better" if measure["higher_is_better"] else "lower is better"
    name = "perplexity" if measure["unit"] == "perplexity" else _plain(measure["metric"])
    heading = f"{name}: {better}" if measure["main"] else f"Also measured: {name}, {better}"
    verdicts = "\n".join(_verdict(verdict) for verdict in measure["verdicts"])
    return f"<h2>{escape(heading)}</h2>\n{verdicts}\n{_standings(measure['standings'], measure['unit'])}"


def _verdict(verdict: dict[str, Any]) -> str:
    outcome = verdict["outcome"] if verdict["outcome"] in ("better", "worse") else "open"
    method = [f"{verdict['effect_name']} {verdict['effect']:+.2f}", verdict["test"], verdict["interval_method"]]
    names = f"{verdict['candidate']} against {verdict['reference']}"
    return (
        f'<div class="card verdict {outcome}"><span class="quiet">{escape(names)}</span>'
        f"<strong>{escape(verdict['sentence'])}</strong>"
        f'<span class="quiet">{escape(" · ".join(method))}</span></div>'
    )


def _standings(standings: Sequence[dict[str, Any]], unit: str) -> str:
    """Bars with intervals, one line for each model and baseline."""
    shown = [_shown(standing, unit) for standing in standings]
    top = 100.0 if unit == "points" else max(value for bar in shown for value in bar if value is not None) * 1.05
    first = next((index for index, standing in enumerate(standings) if standing["kind"] == "model"), 0)
    lines = []
    for index, (standing, bar) in enumerate(zip(standings, shown, strict=True)):
        colour = "--baseline" if standing["kind"] == "reference" else "--first" if index == first else "--model"
        spread = f" <span class='quiet'>({_number(bar[1])} to {_number(bar[2])})</span>" if bar[1] is not None else ""
        metric = escape(_plain(standing["metric"]))
        lines.append(
            f"<tr><td>{escape(standing['name'])}<br><span class='quiet'>{metric}</span></td>"
            f'<td class="bar">{_bar(bar, top, colour)}</td><td class="number">{_number(bar[0])}{spread}</td></tr>'
        )
    return '<div class="card scroll"><table>' + "\n".join(lines) + "</table></div>"


def _shown(standing: dict[str, Any], unit: str) -> list[float | None]:
    """Mean, low and high as shown: points out of 100, perplexity instead of nats."""
    values = [standing["mean"], standing["low"], standing["high"]]
    if unit == "points":
        return [None if value is None else 100 * value for value in values]
    if unit == "perplexity":
        return [None if value is None else exp(value) for value in values]
    return values


def _bar(bar: Sequence[float | None], top: float, colour: str) -> str:
    def at(value: float) -> str:
        return f"{max(0.0, min(100.0, 100 * value / top)):.2f}%" if top > 0 else "0%"

    mean, low, high = bar
    assert mean is not None
    label = f"{_number(mean)}" + (f", interval {_number(low)} to {_number(high)}" if low is not None else "")
    parts = [f'<rect x="0" y="3" width="{at(mean)}" height="14" rx="3" style="fill:var({colour})"/>']
    if low is not None and high is not None:
        line = 'style="stroke:var(--whisker);stroke-width:1.5"'
        parts.append(f'<line x1="{at(low)}" x2="{at(high)}" y1="10" y2="10" {line}/>')
        parts += [f'<line x1="{at(end)}" x2="{at(end)}" y1="6" y2="14" {line}/>' for end in (low, high)]
    return f'<svg role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _slices(report: dict[str, Any]) -> str:
    if not report["slices"]:
        return ""
    unit = report["measures"][0]["unit"]
    names = [standing["name"] for standing in report["slices"][0]["standings"]]
    head = "".join(f'<th class="number">{escape(name)}</th>' for name in names)
    lines = []
    for piece in report["slices"]:
        cells = "".join(f'<td class="number">{_with_spread(standing, unit)}</td>' for standing in piece["standings"])
        lines.append(f'<tr><td>{escape(piece["tag"])}</td><td class="number">{piece["items"]}</td>{cells}</tr>')
    table = f'<table><tr><th>Tag</th><th class="number">Items</th>{head}</tr>{"".join(lines)}</table>'
    return f'<h2>Each tag apart</h2>\n<div class="card scroll">{table}</div>'


def _with_spread(standing: dict[str, Any], unit: str) -> str:
    mean, low, high = _shown(standing, unit)
    spread = "" if low is None else f"<br><span class='quiet'>{_number(low)} to {_number(high)}</span>"
    return f"{_number(mean)}{spread}"


def _games(games: Sequence[dict[str, Any]]) -> str:
    if not games:
        return ""
    figures = list(dict.fromkeys(name for line in games for name in line["means"]))
    head = "".join(f'<th class="number">{escape(_plain(name))}</th>' for name in figures)
    lines = []
    for line in games:
        cells = "".join(
            f'<td class="number">{_number(line["means"][name]) if name in line["means"] else ""}</td>'
            for name in figures
        )
        tag = escape(line["tag"] or "all")
        lines.append(
            f'<tr><td>{escape(line["model"])}</td><td>{tag}</td><td class="number">{line["games"]}</td>{cells}</tr>'
        )
    table = f'<table><tr><th>Model</th><th>Kind</th><th class="number">Games</th>{head}</tr>{"".join(lines)}</table>'
    return f'<h2>Whole games</h2>\n<p class="quiet">Means over the games.</p><div class="card scroll">{table}</div>'


def _examples(examples: dict[str, list[dict[str, Any]]]) -> str:
    parts = [
        f"<h3>{escape(heading)}</h3>" + "".join(_example(example) for example in examples[name])
        for name, heading in EXAMPLE_HEADINGS.items()
        if examples[name]
    ]
    return "<h2>Answers side by side</h2>\n" + "\n".join(parts)


def _example(example: dict[str, Any]) -> str:
    tag = f' <span class="quiet">· {escape(example["tag"])}</span>' if example["tag"] else ""
    first_line = (example["prompt"].strip().splitlines() or [""])[-1][:160]
    answers = "".join(_answer(answer["model"], answer["answer"], answer["score"]) for answer in example["answers"])
    return (
        f'<details class="card"><summary>{escape(first_line)}{tag}</summary><pre>{_text(example["prompt"])}</pre>'
        f'<div class="answers">{_answer("Expected", example["reference"], None)}{answers}</div></details>'
    )


def _answer(name: str, text: str | None, score: float | None) -> str:
    shown = "" if score is None else f'<span class="quiet score">{_number(score)}</span>'
    body = '<span class="quiet">not asked</span>' if text is None else _text(text) or "(empty)"
    return f"<div><strong>{escape(name)}</strong>{shown}<pre>{body}</pre></div>"


def _cost(models: Sequence[dict[str, Any]]) -> str:
    asked = [model for model in models if "tokens_per_second" in model]
    if not asked:
        return ""
    lines = "".join(
        f'<tr><td>{escape(model["name"])}<br><span class="quiet">{escape(model["ref"])}</span></td>'
        f'<td class="number">{model["seconds"]:.1f}</td><td class="number">{model["answer_tokens"]:,}</td>'
        f'<td class="number">{model["tokens_per_second"]:.0f}</td>'
        f'<td class="number">{100 * model["ended_share"]:.0f} %</td></tr>'
        for model in asked
    )
    head = "".join(f'<th class="number">{name}</th>' for name in ("Seconds", "Tokens", "Tokens/s", "Ended by itself"))
    table = f"<table><tr><th>Model</th>{head}</tr>{lines}</table>"
    return f'<h2>Cost of the answers</h2>\n<div class="card scroll">{table}</div>'


def _method(report: dict[str, Any]) -> str:
    lines = [
        "Models are compared on the same items; a difference is called better or worse when its interval excludes zero "
        "and its p-value, adjusted for the number of models compared (Holm), is small enough.",
        "Items of one group (one source) are not independent: intervals and tests treat the group as the unit.",
    ]
    if report["task"]["lenient_metric"]:
        lenient = _plain(report["task"]["lenient_metric"])
        lines.append(
            f"Untrained models do not know the form of answer: they are scored by '{lenient}' where so marked."
        )
    used = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(entry['value']))}</td>"
        f"<td class='quiet'>{escape(entry['origin'])}</td></tr>"
        for name, entry in report["resolved"].items()
    )
    text = "".join(f"<p class='quiet'>{escape(line)}</p>" for line in lines)
    return f'<h2>How this was measured</h2>\n{text}<div class="card scroll"><table>{used}</table></div>'


def _text(text: str) -> str:
    cut = len(text) - LONGEST_TEXT
    return escape(text[:LONGEST_TEXT]) + (f"… ({cut:,} more characters)" if cut > 0 else "")


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _number(value: float | None) -> str:
    """Whole numbers as such; one decimal from 10 on, else up to three."""
    if value is None:
        return ""
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
