"""The report as Markdown, for a pull request or a model card: verdicts, tables, and a few answers to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluation.report.figures import Shown, known_costs
from evaluation.report.parts import EXAMPLE_HEADINGS, measure_heading, method_lines
from evaluation.report.text import bounded, number, plain

SHOWN_EXAMPLES = 3
LONGEST_ANSWER = 600
# What Markdown or the HTML in it would act on. A backslash before it makes it a character like any other.
MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def render_markdown(report: Mapping[str, Any]) -> str:
    """The Markdown of a report.json. What a model wrote stands in fences that it can't close."""
    task = report["task"]
    blocks = [
        f"# {inline(report['title'])}",
        inline(task["description"]),
        f"Task: {inline(task['name'])} · {report['items']:,} items in {report['groups']:,} independent groups of "
        f"{inline(report['data'])} · {inline(report['created'])}",
        *(block for measure in report["measures"] for block in _measure(measure)),
        *_slices(report),
        *_games(report["games"]),
        *_corpus(report["models"]),
        *_cost(report["models"]),
        *_examples(report["examples"]),
        "## How this was measured",
        *(inline(line) for line in method_lines(report)),
        _table(
            ["Value", "Used", "Origin"],
            ([name, entry["value"], entry["origin"]] for name, entry in report["resolved"].items()),
        ),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def inline(text: object) -> str:
    """One line of text in which nothing is a mark of Markdown."""
    return MARKS.sub(r"\\\1", " ".join(bounded(str(text)).split()))


def fenced(text: str) -> str:
    """A block of text as it is, in a fence longer than any run of backticks in it."""
    shown = bounded(text, LONGEST_ANSWER)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"


def _table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    rows = [f"| {' | '.join(inline(cell) for cell in line)} |" for line in (head, *lines)]
    return "\n".join([rows[0], "|" + " --- |" * len(head), *rows[1:]])


def _measure(measure: Mapping[str, Any]) -> list[str]:
    verdicts = [
        f"- **{inline(verdict['candidate'])} against {inline(verdict['reference'])}: "
        f"{inline(verdict['sentence'])}**  \n"
        f"  {inline(verdict['effect_name'])} {verdict['effect']:+.2f} · {inline(verdict['test'])} · "
        f"{inline(verdict['interval_method'])}"
        for verdict in measure["verdicts"]
    ]
    lines = []
    for standing in measure["standings"]:
        shown = Shown.of(standing, measure["unit"])
        lines.append([standing["name"], plain(standing["metric"]), number(shown.mean), shown.spread])
    standings = _table(["Model", "Scored by", "Mean", "Interval"], lines)
    return [f"## {inline(measure_heading(measure))}", "\n".join(verdicts), standings]


def _slices(report: Mapping[str, Any]) -> list[str]:
    if not report["slices"]:
        return []
    unit = report["measures"][0]["unit"]
    names = [standing["name"] for standing in report["slices"][0]["standings"]]
    lines = []
    for piece in report["slices"]:
        shown = [Shown.of(standing, unit) for standing in piece["standings"]]
        cells = [number(each.mean) + (f" ({each.spread})" if each.spread else "") for each in shown]
        lines.append([piece["tag"], f"{piece['items']:,}", *cells])
    return ["## Each tag apart", _table(["Tag", "Items", *names], lines)]


def _games(games: Sequence[Mapping[str, Any]]) -> list[str]:
    if not games:
        return []
    names = list(dict.fromkeys(name for line in games for name in line["means"]))
    lines = [
        [line["model"], line["tag"] or "all", line["games"], *(number(line["means"].get(name)) for name in names)]
        for line in games
    ]
    return ["## Whole games (means)", _table(["Model", "Kind", "Games", *map(plain, names)], lines)]


def _cost(models: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = known_costs(models)
    if not columns:
        return []
    lines = []
    for model in models:
        values = [model.get(column.key) for column in columns]
        told = ["" if value is None else column.told(value) for column, value in zip(columns, values, strict=True)]
        lines.append([model["name"], *told])
    return ["## Cost of the answers", _table(["Model", *(column.heading for column in columns)], lines)]


def _corpus(models: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        [model["name"], plain(metric), number(each["score"]), each["signature"]]
        for model in models
        for metric, each in model.get("corpus", {}).items()
    ]
    return ["## Over all answers together", _table(["Model", "Metric", "Score", "Signature"], lines)] if lines else []


def _examples(examples: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    blocks = ["## Answers side by side"]
    for name, heading in EXAMPLE_HEADINGS.items():
        if examples[name]:
            blocks.append(f"### {heading}")
        for example in examples[name][:SHOWN_EXAMPLES]:
            blocks += ["Question:", fenced(example["prompt"]), "Expected:", fenced(example["reference"])]
            for answer in example["answers"]:
                score = "" if answer["score"] is None else f" ({number(answer['score'])})"
                text = "(not asked)" if answer["answer"] is None else answer["answer"]
                blocks += [f"{inline(answer['model'])}{score}:", fenced(text)]
    return blocks
