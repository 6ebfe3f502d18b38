"""What every reader shares: how much is held at once, what a value is called, and which part a split's name means."""

from __future__ import annotations

import re
from typing import Any

import orjson

from datasets_src.rows import Finding, Part

# No more than this of one row is ever held: it is some four million tokens, so a longer row is no training example.
LONGEST_ROW = 16 * 2**20

NESTING = "lists and objects may stand in one another about 240 deep"
TRAIN_SPLIT = re.compile(r"train(ing)?(?![a-z])", re.IGNORECASE)
EVAL_SPLIT = re.compile(r"(test|valid|validation|val|dev|eval|evaluation)(?![a-z])", re.IGNORECASE)


def json_type(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")


def part_of(split: str) -> Part | None:
    """What the rows of a split are for by its name (`train`, `train_sft`, `validation`, …); None for other names."""
    if TRAIN_SPLIT.match(split):
        return "train"
    return "eval" if EVAL_SPLIT.match(split) else None


def not_an_object(value: Any) -> Finding:
    return Finding("", f"is {json_type(value)}, not an object", "a row is an object with named fields")


def too_long() -> Finding:
    why = "no training example is that long, so it was passed over without being held in memory"
    return Finding("", f"is longer than {LONGEST_ROW // 2**20} MB", why)


def holds_nul(place: str) -> Finding:
    return Finding("", f"holds a NUL byte at {place}", "text holds none, so the file is damaged there")


def too_deep(error: orjson.JSONDecodeError) -> Finding | None:
    """The fault of a value that is refused for its depth alone; None for another error."""
    return Finding("", "is nested too deep", NESTING) if "depth limit" in error.msg else None


def nested_too_deep(row: dict[str, Any]) -> Finding | None:
    """JSON is read to a greater depth than it can be written; a dataset version puts a few levels more around a row."""
    for name, value in row.items():
        if type(value) is list or type(value) is dict:
            try:
                orjson.dumps([[[[[[[[value]]]]]]]])
            except orjson.JSONEncodeError:
                return Finding(name, "is nested too deep", NESTING)
    return None
