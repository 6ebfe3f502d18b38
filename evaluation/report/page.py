"""The report as one HTML file: no network, light and dark. Everything in it comes from report.json.

The page carries its own style, charts and script. A content security policy lets nothing run but that one script, known
by its hash, and nothing load at all: whatever a model wrote stays text.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from evaluation.report import parts
from evaluation.report.charts import pareto
from evaluation.report.text import LONGEST_TEXT, bounded, embedded_json, html, plain, visible

# All texts of the table of items together; with many items each is cut shorter, so that a browser can hold the page.
MOST_CHARACTERS = 8_000_000
SHORTEST_CUT = 200


def render(report: Mapping[str, Any]) -> str:
    """The HTML of a report.json."""
    style, script = _file("report.css"), _file("report.js")
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    body = [
        parts.header(report),
        *(parts.measure(each) for each in report["measures"]),
        pareto(report),
        parts.slices(report),
        parts.games(report["games"]),
        parts.examples(report["examples"]),
        _items(report),
        parts.corpus(report["models"]),
        parts.cost(report["models"]),
        parts.method(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html(report['title'])}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + f"\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _items(report: Mapping[str, Any]) -> str:
    """The table of all items, which report.js fills and filters from the data here."""
    every = report["examples"].get("all", [])
    if not every:
        return ""
    data = embedded_json(_table(report, every))
    return (
        '<h2>All items</h2>\n<div class="card" id="items"><noscript>This table needs scripts; report.json holds the '
        'same.</noscript></div>\n<script type="application/json" id="items-data">' + data + "</script>"
    )


def _table(report: Mapping[str, Any], every: list[dict[str, Any]]) -> dict[str, Any]:
    """What report.js reads. Every text is bounded and visible already; the script only ever sets text."""
    main = report["measures"][0]
    texts = len(every) * (len(report["models"]) + 2)
    most = max(SHORTEST_CUT, min(LONGEST_TEXT, MOST_CHARACTERS // texts))
    return {
        "models": [visible(model["name"]) for model in report["models"]],
        "metric": plain(main["metric"]),
        "higher": main["higher_is_better"],
        "items": [
            {
                "tag": bounded(each["tag"] or "", most),
                "prompt": bounded(each["prompt"], most),
                "expected": bounded(each["reference"], most),
                "answers": [_answer(answer, most) for answer in each["answers"]],
            }
            for each in every
        ],
    }


def _answer(answer: Mapping[str, Any], most: int) -> list[Any]:
    text = answer["answer"]
    return [None if text is None else bounded(text, most), answer["score"]]
