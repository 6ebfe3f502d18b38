"""What a build found and did, as figures and as sentences. Nothing in it depends on the time or the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from datasets_src.duplicates import Contradictions
from datasets_src.rows import PreparedRow, Problem
from datasets_src.spec import DatasetSpec

# Problems that the report lists; all are counted.
LISTED_PROBLEMS = 100


@dataclass
class SourceCounts:
    """What became of one source's rows: read = bad + duplicates + left_out + train + eval.

    `train_weighted` is the number of lines in train.jsonl, after the weight.
    """

    source: str
    sha256: str
    format: str
    evidence: str
    tag: str | None
    weight: float
    read: int = 0
    bad: int = 0
    duplicates: int = 0
    left_out: int = 0
    train: int = 0
    eval: int = 0
    train_weighted: int = 0


@dataclass(frozen=True)
class Lengths:
    """Characters per row: the smallest, the middle, the one that 95 % stay within, the largest, and the mean."""

    shortest: int
    median: int
    p95: int
    longest: int
    mean: float

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Lengths:
        """Percentiles by the nearest rank."""
        ordered = sorted(lengths) or [0]
        last = len(ordered) - 1
        mean = round(sum(ordered) / len(ordered), 1)
        return cls(ordered[0], ordered[last // 2], ordered[round(last * 0.95)], ordered[-1], mean)


@dataclass(frozen=True)
class Parts:
    """The rows of both parts, each once, with the groups of all rows; `train_lines` counts copies made by weights."""

    train: list[PreparedRow]
    eval: list[PreparedRow]
    train_lines: int
    group_sizes: Counter[str]
    eval_groups: set[str]
    one_sided_tags: list[str]


def make_report(
    spec: DatasetSpec,
    sources: Sequence[SourceCounts],
    parts: Parts,
    contradictions: Contradictions,
    problems: Sequence[Problem],
) -> dict[str, Any]:
    """The report as JSON values: figures per source and overall, the listed problems, warnings and a summary."""
    report: dict[str, Any] = {
        "name": spec.name,
        "seed": spec.seed,
        "rows": {"train": parts.train_lines, "train_distinct": len(parts.train), "eval": len(parts.eval)},
        "groups": {
            "grouped_by": spec.group_by,
            "train": len(parts.group_sizes) - len(parts.eval_groups),
            "eval": len(parts.eval_groups),
            "largest": max(parts.group_sizes.values()),
        },
        "eval_fraction": {"wanted": spec.eval_fraction, "got": round(len(parts.eval) / parts.group_sizes.total(), 4)},
        "sources": [asdict(counts) for counts in sources],
        "tags": _tags(parts),
        "contradictions": asdict(contradictions),
        "characters": _characters([*parts.train, *parts.eval]),
        "problems": [asdict(problem) for problem in problems[:LISTED_PROBLEMS]],
    }
    report["warnings"] = _warnings(report, parts)
    report["summary"] = _summary(report)
    return report


def _tags(parts: Parts) -> dict[str, dict[str, int]]:
    train, held_out = (Counter(row.tag for row in rows if row.tag) for rows in (parts.train, parts.eval))
    return {tag: {"train": train[tag], "eval": held_out[tag]} for tag in sorted({*train, *held_out})}


def _characters(rows: Sequence[PreparedRow]) -> dict[str, dict[str, float]]:
    """Lengths in characters; lengths in tokens depend on a model and come with it."""
    return {
        "prompt": asdict(Lengths.of([row.prompt_characters for row in rows])),
        "answer": asdict(Lengths.of([row.answer_characters for row in rows])),
        "row": asdict(Lengths.of([row.prompt_characters + row.answer_characters for row in rows])),
    }


def _warnings(report: dict[str, Any], parts: Parts) -> list[str]:
    warnings = []
    for tag in parts.one_sided_tags:
        if tag and parts.eval:
            warnings.append(f"All rows tagged {tag} are in one part: there are too few groups of them to split.")
    for source in report["sources"]:
        if source["train"] + source["eval"] == 0:
            warnings.append(f"{source['source']} contributes no row.")
    rows = len(parts.train) + len(parts.eval)
    if parts.eval and report["groups"]["largest"] > rows / 2:
        share = report["groups"]["largest"] / rows
        warnings.append(f"One group holds {share:.0%} of all rows, so the split can be far from what was asked for.")
    if parts.eval and len(parts.eval) < 30:
        few = count(len(parts.eval), "row")
        warnings.append(f"Only {few} to judge by: only large differences between models will show.")
    return warnings


def _summary(report: dict[str, Any]) -> list[str]:
    rows, groups = report["rows"], report["groups"]
    total = count(groups["train"] + groups["eval"], "group")
    sentences = [f"{count(rows['train_distinct'], 'row')} to train on and {rows['eval']:,} to judge by, in {total}."]
    if rows["eval"]:
        sentences[0] += " No group is in both parts."
    if rows["train"] != rows["train_distinct"]:
        distinct = count(rows["train_distinct"], "training row")
        sentences.append(f"The weights make {count(rows['train'], 'line')} of the {distinct}.")
    sentences += [_source_in_words(source) for source in report["sources"]]
    found = report["contradictions"]
    if found["prompts"]:
        sentences.append(
            f"{count(found['prompts'], 'prompt')} with different answers ({count(found['rows'], 'row')}). Where "
            "several answers are right that is normal; where only one is, no model can match more than "
            f"{found['best_agreement']:.1%} of all rows."
        )
    lengths = report["characters"]["row"]
    median = count(lengths["median"], "character")
    sentences.append(f"Half of the rows have up to {median}; the longest has {lengths['longest']:,}.")
    return sentences


def _source_in_words(source: dict[str, Any]) -> str:
    left_out = [
        f"{source['bad']:,} unusable" if source["bad"] else "",
        count(source["duplicates"], "duplicate") if source["duplicates"] else "",
        f"{source['left_out']:,} above the cap" if source["left_out"] else "",
    ]
    without = ", ".join(part for part in left_out if part)
    used = f"{source['train']:,} for training, {source['eval']:,} for evaluation"
    read = f"{source['source']}: {count(source['read'], 'row')} read as {source['format']}"
    return f"{read}; {used}" + (f"; left out: {without}." if without else ".")


def count(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
