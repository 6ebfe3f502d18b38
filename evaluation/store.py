"""Per-item scores on disk: what every verdict is computed from, and can be computed from again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "scores.parquet"


@dataclass(frozen=True)
class ItemScore:
    """One model's answer to one item. `kind` is model or reference (a baseline of the task, which has no answer);
    `scores` by metric; `seconds` is the item's share of its batch's time."""

    model: str
    kind: str
    item: str
    group: str
    tag: str
    prompt: str
    reference: str
    answer: str | None
    scores: dict[str, float]
    seconds: float | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    ended: bool | None = None
    scored_tokens: int | None = None


def save_scores(path: Path, rows: Sequence[ItemScore]) -> Path:
    """Write all rows in one step; a metric becomes the column `score.<metric>`, null where a row lacks it."""
    import polars

    metrics = sorted({metric for row in rows for metric in row.scores})
    records = [_record(row, metrics) for row in rows]
    schema = {f"score.{metric}": polars.Float64 for metric in metrics}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        polars.DataFrame(records, schema_overrides=schema, infer_schema_length=None).write_parquet(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _record(row: ItemScore, metrics: Sequence[str]) -> dict[str, Any]:
    values = {key: value for key, value in asdict(row).items() if key != "scores"}
    return values | {f"score.{metric}": row.scores.get(metric) for metric in metrics}


def load_scores(path: Path) -> list[ItemScore]:
    """The rows that `save_scores` wrote, in order."""
    import polars

    rows = []
    for record in polars.read_parquet(path).to_dicts():
        scores = {key.removeprefix("score."): record.pop(key) for key in list(record) if key.startswith("score.")}
        rows.append(ItemScore(scores={key: value for key, value in scores.items() if value is not None}, **record))
    return rows


def prompt_text(messages: Sequence[dict[str, Any]]) -> str:
    """The conversation as people read it; the last user turn alone where there is nothing else."""
    if len(messages) == 1 and isinstance(messages[0].get("content"), str):
        return str(messages[0]["content"])
    lines = []
    for message in messages:
        content = message.get("content")
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        lines.append(f"{message['role']}: {text}")
    return "\n".join(lines)
