"""The parts of a report's page, each a function from report.json (or a piece of it) to HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.report.charts import bar
from evaluation.report.figures import Shown, known_costs
from evaluation.report.text import first_line, html, number, plain

EXAMPLE_HEADINGS = {
    "regressions": "Worst regressions: right before, or better before",
    "gains": "Largest gains",
    "alike": "No difference",
}
METHOD = (
    "Models are compared on the same items; a difference is called better or worse when its interval excludes zero "
    "and its p-value, adjusted for the number of models compared (Holm), is small enough.",
    "Items of one group (one source) are not independent: intervals and tests treat the group as the unit.",
    "With fewer items than the intervals are known to be reliable for, the verdict is 'too few items' whatever the "
    "difference. Tags apart are there to look at: their intervals are not adjusted for how many there are.",
)


def header(report: Mapping[str, Any]) -> str:
    """Title, what was asked, and on what."""
    task = report["task"]
    about = f"{report['items']:,} items in {report['groups']:,} independent groups of {html(report['data'])}"
    return (
        f"<h1>{html(report['title'])}</h1>\n<p>{html(task['description'])}</p>\n"
        f'<p class="quiet">Task: {html(task["name"])} · {about} · {html(report["created"])}</p>'
    )


def measure(values: Mapping[str, Any]) -> str:
    """One measure: its verdicts, then how every model stands."""
    verdicts = "\n".join(_verdict(verdict) for verdict in values["verdicts"])
    return f"<h2>{html(measure_heading(values))}</h2>\n{verdicts}\n{_standings(values['standings'], values['unit'])}"


def measure_heading(values: Mapping[str, Any]) -> str:
    """The measure's name, and which way it is better."""
    better = "higher is better" if values["higher_is_better"] else "lower is better"
    name = "perplexity" if values["unit"] == "perplexity" else plain(values["metric"])
    return f"{name}: {better}" if values["main"] else f"Also measured: {name}, {better}"


def _verdict(verdict: Mapping[str, Any]) -> str:
    outcome = verdict["outcome"] if verdict["outcome"] in ("better", "worse") else "open"
    method = [f"{verdict['effect_name']} {verdict['effect']:+.2f}", verdict["test"], verdict["interval_method"]]
    names = f"{verdict['candidate']} against {verdict['reference']}"
    return (
        f'<div class="card verdict {outcome}"><span class="quiet">{html(names)}</span>'
        f"<strong>{html(verdict['sentence'])}</strong>"
        f'<span class="quiet">{html(" · ".join(method))}</span></div>'
    )


def _standings(standings: Sequence[Mapping[str, Any]], unit: str) -> str:
    """Bars with intervals, one line for each model and baseline."""
    shown = [Shown.of(standing, unit) for standing in standings]
    reach = max(value for each in shown for value in (each.mean, each.high) if value is not None)
    top = 100.0 if unit == "points" else reach * 1.05
    first = next((index for index, standing in enumerate(standings) if standing["kind"] == "model"), 0)
    lines = []
    for index, (standing, each) in enumerate(zip(standings, shown, strict=True)):
        colour = "--baseline" if standing["kind"] == "reference" else "--first" if index == first else "--model"
        spread = f" <span class='quiet'>({each.spread})</span>" if each.spread else ""
        lines.append(
            f"<tr><td>{html(standing['name'])}<br><span class='quiet'>{html(plain(standing['metric']))}</span></td>"
            f'<td class="bar">{bar(each, top, colour)}</td><td class="number">{number(each.mean)}{spread}</td></tr>'
        )
    return '<div class="card scroll"><table>' + "\n".join(lines) + "</table></div>"


def slices(report: Mapping[str, Any]) -> str:
    """The main measure for each tag, with intervals."""
    if not report["slices"]:
        return ""
    unit = report["measures"][0]["unit"]
    names = [standing["name"] for standing in report["slices"][0]["standings"]]
    leads = [each["candidate"] for each in report["slices"][0].get("differences", [])]
    head = "".join(f'<th class="number">{html(name)}</th>' for name in names)
    head += "".join(f'<th class="number">{html(name)}: difference</th>' for name in leads)
    lines = []
    for piece in report["slices"]:
        cells = "".join(_spread_cell(Shown.of(standing, unit)) for standing in piece["standings"])
        cells += "".join(_lead_cell(each, unit) for each in piece.get("differences", []))
        lines.append(f'<tr><td>{html(piece["tag"])}</td><td class="number">{piece["items"]}</td>{cells}</tr>')
    table = f'<table><tr><th>Tag</th><th class="number">Items</th>{head}</tr>{"".join(lines)}</table>'
    return f'<h2>Each tag apart</h2>\n<div class="card scroll">{table}</div>'


def _spread_cell(shown: Shown) -> str:
    spread = f"<br><span class='quiet'>{shown.spread}</span>" if shown.spread else ""
    return f'<td class="number">{number(shown.mean)}{spread}</td>'


def _lead_cell(lead: Mapping[str, Any], unit: str) -> str:
    """A difference with its interval, in points, or in nats where perplexity is measured; few items are said."""
    factor = 100 if unit == "points" else 1
    told = f"{factor * lead['difference']:+.3g}"
    if lead["low"] is not None:
        told += f"<br><span class='quiet'>{factor * lead['low']:.3g} to {factor * lead['high']:.3g}</span>"
    few = "" if lead["enough_items"] else "<br><span class='quiet'>too few items</span>"
    return f'<td class="number">{told}{few}</td>'


def games(lines_of: Sequence[Mapping[str, Any]]) -> str:
    """Means over whole games."""
    if not lines_of:
        return ""
    names = list(dict.fromkeys(name for line in lines_of for name in line["means"]))
    head = "".join(f'<th class="number">{html(plain(name))}</th>' for name in names)
    lines = []
    for line in lines_of:
        cells = "".join(f'<td class="number">{number(line["means"].get(name))}</td>' for name in names)
        lines.append(
            f"<tr><td>{html(line['model'])}</td><td>{html(line['tag'] or 'all')}</td>"
            f'<td class="number">{line["games"]}</td>{cells}</tr>'
        )
    table = f'<table><tr><th>Model</th><th>Kind</th><th class="number">Games</th>{head}</tr>{"".join(lines)}</table>'
    return f'<h2>Whole games</h2>\n<p class="quiet">Means over the games.</p><div class="card scroll">{table}</div>'


def examples(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Wins and losses to read, the answers side by side; they can be read without scripts."""
    parts = [
        f"<h3>{html(heading)}</h3>" + "".join(_example(example) for example in found[name])
        for name, heading in EXAMPLE_HEADINGS.items()
        if found[name]
    ]
    return "<h2>Answers side by side</h2>\n" + "\n".join(parts)


def _example(example: Mapping[str, Any]) -> str:
    tag = f' <span class="quiet">· {html(example["tag"])}</span>' if example["tag"] else ""
    answers = "".join(_answer(answer["model"], answer["answer"], answer["score"]) for answer in example["answers"])
    return (
        f'<details class="card"><summary>{html(first_line(example["prompt"]))}{tag}</summary>'
        f"<pre>{html(example['prompt'])}</pre>"
        f'<div class="answers">{_answer("Expected", example["reference"], None)}{answers}</div></details>'
    )


def _answer(name: str, text: str | None, score: float | None) -> str:
    shown = "" if score is None else f'<span class="quiet score">{number(score)}</span>'
    body = '<span class="quiet">not asked</span>' if text is None else html(text) or "(empty)"
    return f"<div><strong>{html(name)}</strong>{shown}<pre>{body}</pre></div>"


def cost(models: Sequence[Mapping[str, Any]]) -> str:
    """What the answers cost, as far as it is known."""
    columns = known_costs(models)
    if not columns:
        return ""
    head = "".join(f'<th class="number">{html(column.heading)}</th>' for column in columns)
    lines = []
    for model in models:
        values = (model.get(column.key) for column in columns)
        cells = "".join(
            f'<td class="number">{"" if value is None else html(column.told(value))}</td>'
            for column, value in zip(columns, values, strict=True)
        )
        lines.append(
            f'<tr><td>{html(model["name"])}<br><span class="quiet">{html(model["ref"])}</span></td>{cells}</tr>'
        )
    table = f"<table><tr><th>Model</th>{head}</tr>{''.join(lines)}</table>"
    return f'<h2>Cost of the answers</h2>\n<div class="card scroll">{table}</div>'


def corpus(models: Sequence[Mapping[str, Any]]) -> str:
    """Scores of all answers of a model together, with how they were computed; they have no interval."""
    lines = [
        f"<tr><td>{html(model['name'])}</td><td>{html(plain(metric))}</td>"
        f'<td class="number">{number(each["score"])}</td><td class="quiet">{html(each["signature"])}</td></tr>'
        for model in models
        for metric, each in model.get("corpus", {}).items()
    ]
    if not lines:
        return ""
    head = '<tr><th>Model</th><th>Metric</th><th class="number">Score</th><th>Signature</th></tr>'
    about = "As publications give them: one score of all answers together, which is no mean and has no interval."
    return (
        f'<h2>Over all answers together</h2>\n<p class="quiet">{about}</p>'
        f'<div class="card scroll"><table>{head}{"".join(lines)}</table></div>'
    )


def method_lines(report: Mapping[str, Any]) -> list[str]:
    """How the comparison was made, a sentence or two each."""
    lines = list(METHOD)
    if report["task"]["lenient_metric"]:
        lines.append(lenient_words(report["task"]["metric"], report["task"]["lenient_metric"]))
    return lines


def lenient_words(metric: str, lenient: str) -> str:
    """Why not all models have the same measure beside their name."""
    return (
        f"Models as published were never shown this task's form of answer: they are scored by '{plain(lenient)}', the "
        f"task's easier measure, trained ones by '{plain(metric)}'. That can only favour the untrained."
    )


def method(report: Mapping[str, Any]) -> str:
    """How this was measured, and every value that was used with its origin."""
    used = "".join(
        f"<tr><td>{html(name)}</td><td>{html(entry['value'])}</td><td class='quiet'>{html(entry['origin'])}</td></tr>"
        for name, entry in report["resolved"].items()
    )
    text = "".join(f"<p class='quiet'>{html(line)}</p>" for line in method_lines(report))
    return f'<h2>How this was measured</h2>\n{text}<div class="card scroll"><table>{used}</table></div>'
