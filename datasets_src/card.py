"""card.md: the dataset described for people, with the front matter that the Hugging Face Hub reads."""

from __future__ import annotations

from typing import Any

import orjson
import yaml

from datasets_src.between import shorten
from datasets_src.checks import Remedy
from datasets_src.rows import Kind, conversation_of

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


KIND_TAGS: dict[Kind, str] = {
    "conversation": "conversational",
    "preference": "preference",
    "unpaired": "unpaired-preference",
    "text": "text",
}
DONE: dict[Remedy, str] = {"fix": "mended", "drop": "left out", "keep": "kept", "stop": "left out"}
# With more, the text isn't in these languages: single rows were taken for others.
MOST_LANGUAGES = 5


def make_card(report: dict[str, Any], version: str, example: bytes) -> str:
    """The card of a version. `example` is one line of its training part."""
    sections = [
        _front_matter(report),
        f"# {report['name']}\n\nVersion `{version}`.\n\n" + _bullets(report["summary"]),
        "## Where the rows come from\n\n" + _sources_table(report["sources"]),
        "## An example\n\n" + _example(example),
        "## What was checked\n\n" + _checks(report["checks"]),
        "## How it was made\n\n" + _making(report),
    ]
    if report["tags"]:
        sections.insert(3, "## Tags\n\n" + _tags_table(report["tags"]))
    if report["warnings"]:
        sections.append("## What to mind\n\n" + _bullets(report["warnings"]))
    return "\n\n".join(sections) + "\n"


def _front_matter(report: dict[str, Any]) -> str:
    rows = report["rows"]["train"] + report["rows"]["eval"]
    files = [{"split": "train", "path": "train.jsonl"}]
    if report["rows"]["eval"]:
        files.append({"split": "test", "path": "eval.jsonl"})
    values = {
        "pretty_name": report["name"],
        "task_categories": ["text-generation"],
        "size_categories": [next((size for limit, size in SIZES if rows < limit), "n>10M")],
        "tags": ["hearth", KIND_TAGS[report["kind"]]],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    if report["languages"]:
        values["language"] = list(report["languages"])[:MOST_LANGUAGES]
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---"


def _sources_table(sources: list[dict[str, Any]]) -> str:
    columns = ("source", "format", "tag", "read", "bad", "duplicates", "left_out", "train", "eval", "weight")
    return _table(columns, [[source[column] for column in columns] for source in sources])


def _tags_table(tags: dict[str, dict[str, int]]) -> str:
    return _table(("tag", "train", "eval"), [[tag, counts["train"], counts["eval"]] for tag, counts in tags.items()])


def _example(line: bytes) -> str:
    turns = []
    messages, _ = conversation_of(orjson.loads(line))
    for message in messages:
        text = message["content"] or orjson.dumps(message.get("tool_calls", [])).decode()
        quoted = "\n".join("> " + part for part in shorten(text, 600).splitlines())
        turns.append(f"**{message['role']}**\n\n{quoted}")
    return "\n\n".join(turns)


def _making(report: dict[str, Any]) -> str:
    return _bullets(
        [
            "Rows were read, converted, checked, freed of duplicates, grouped, split by group, and only then weighted; "
            "weights touch the training part alone.",
            f"Grouped by: {report['groups']['grouped_by']}. Seed: {report['seed']}.",
            *(f"{source['source']}: {source['identity']}" for source in report["sources"]),
            "`spec.yaml` makes the same version again from the same sources; `report.json` holds all figures.",
            "Not checked: whether answers are right.",
        ]
    )


def _checks(checks: list[dict[str, Any]]) -> str:
    """The checks that found something with what was done, and the names of the others."""
    found = [check for check in checks if check["count"]]
    others = ", ".join(check["title"].lower() for check in checks if not check["count"])
    rows = [[check["title"], check["count"], DONE[check["remedy"]]] for check in found]
    table = _table(("found", "rows", "what was done"), rows) + "\n\n" if rows else ""
    return f"{table}Looked for and not found: {others}."


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(heading: tuple[str, ...], rows: list[list[Any]]) -> str:
    lines = [list(heading), ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
