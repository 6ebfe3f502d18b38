"""What a build found and did, as figures and as sentences. Nothing in it depends on the time or the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_src.advice import Statistics, TokenLengths, advise
from datasets_src.between import Contradictions
from datasets_src.checks import CHECKS, Remedy
from datasets_src.rows import Kind, Problem
from datasets_src.spec import DatasetSpec
from datasets_src.table import Names, RowTable
from datasets_src.write import Arrangement

FEW_TO_JUDGE_BY = 30


@dataclass
class SourceCounts:
    """What became of one source's rows: read = bad + duplicates + dropped + left_out + train + eval.

    `bad`: can't be used; `dropped`: by other checks or by hand; `left_out`: beyond the cap. `train_weighted` is the
    number of lines in train.jsonl, after weights, balance and shares.
    """

    source: str
    identity: str
    format: str
    kind: Kind
    evidence: str
    tag: str | None
    weight: float
    read: int = 0
    bad: int = 0
    duplicates: int = 0
    dropped: int = 0
    left_out: int = 0
    train: int = 0
    eval: int = 0
    train_weighted: int = 0


@dataclass(frozen=True)
class Lengths:
    """Lengths of rows: the smallest, those that 50, 95 and 99 % stay within, the largest, and the mean."""

    shortest: int
    median: int
    p95: int
    p99: int
    longest: int
    mean: float

    @classmethod
    def of(cls, lengths: NDArray[Any]) -> Lengths:
        """Percentiles by the nearest rank below."""
        if not len(lengths):
            return cls(0, 0, 0, 0, 0, 0.0)
        shortest, median, p95, p99, longest = np.quantile(lengths, [0, 0.5, 0.95, 0.99, 1], method="lower").tolist()
        mean = round(float(lengths.mean()), 1)
        return cls(int(shortest), int(median), int(p95), int(p99), int(longest), mean)


@dataclass(frozen=True)
class Built:
    """Everything that the report tells of: the rows once each by part, and what the checks found."""

    spec: DatasetSpec
    kind: Kind
    sources: list[SourceCounts]
    arrangement: Arrangement
    train: NDArray[np.int64]
    eval: NDArray[np.int64]
    eval_groups: int
    one_sided_tags: list[str]
    remedies: Mapping[str, Remedy]
    counts: Mapping[str, int]
    examples: Mapping[str, list[dict[str, Any]]]
    contradictions: Contradictions


def make_report(built: Built) -> dict[str, Any]:
    """The report as JSON values: figures per source and overall, every check, advice, warnings and a summary."""
    spec, arrangement = built.spec, built.arrangement
    table, groups = arrangement.table, arrangement.groups
    rows = np.concatenate([built.train, built.eval])
    report: dict[str, Any] = {
        "name": spec.name,
        "kind": built.kind,
        "seed": spec.seed,
        "rows": {
            "train": len(arrangement.train),
            "train_distinct": len(built.train),
            "eval": len(built.eval),
            "left_out": len(arrangement.left_out),
        },
        "groups": {
            "grouped_by": spec.group_by,
            "train": groups.count - built.eval_groups,
            "eval": built.eval_groups,
            "largest": int(groups.sizes().max(initial=0)),
        },
        "eval_fraction": {"wanted": spec.eval_fraction, "got": round(len(built.eval) / max(1, len(rows)), 4)},
        "sources": [asdict(counts) for counts in built.sources],
        "tags": _tags(built),
        "languages": _named_counts(table.column("language")[rows], table.languages),
        "turns": {str(turns): int(number) for turns, number in _counted(table.column("turns")[rows])},
        "contradictions": asdict(built.contradictions),
        "characters": _characters(table, rows),
        "tokens": _tokens(built, rows),
        "checks": _checks(built),
    }
    report["problems"] = _problems(report["checks"])
    report["advice"] = [asdict(each) for each in advise(_statistics(report))]
    report["warnings"] = _warnings(report, built)
    report["summary"] = _summary(report)
    return report


def _tags(built: Built) -> dict[str, dict[str, int]]:
    table = built.arrangement.table
    parts = {"train": built.train, "eval": built.eval}
    found = {part: _named_counts(table.column("tag")[places], table.tags) for part, places in parts.items()}
    return {tag: {part: found[part].get(tag, 0) for part in parts} for tag in sorted({*found["train"], *found["eval"]})}


def _named_counts(numbers: NDArray[np.int32], names: Names) -> dict[str, int]:
    texts = names.texts
    counted = {texts[number]: int(count) for number, count in _counted(numbers) if number >= 0}
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _counted(values: NDArray[Any]) -> list[tuple[int, int]]:
    numbers, counts = np.unique(values, return_counts=True)
    return list(zip(numbers.tolist(), counts.tolist(), strict=True))


def _characters(table: RowTable, rows: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    prompt, answer = table.column("prompt_characters")[rows], table.column("answer_characters")[rows]
    return {
        "prompt": asdict(Lengths.of(prompt)),
        "answer": asdict(Lengths.of(answer)),
        "row": asdict(Lengths.of(prompt + answer)),
    }


def _tokens(built: Built, rows: NDArray[np.int64]) -> dict[str, Any] | None:
    """Lengths in the chosen model's tokens; None where no model was chosen."""
    if built.spec.model is None:
        return None
    table = built.arrangement.table
    tokens, trained = table.column("tokens")[rows], table.column("trained")[rows]
    return {
        "model": built.spec.model,
        "max_length": built.spec.max_length,
        "row": asdict(Lengths.of(tokens)),
        "trained_mean": round(float(trained.mean()), 1) if len(trained) else 0.0,
        "longer": int((tokens > built.spec.max_length).sum()) if built.spec.max_length else 0,
    }


def _checks(built: Built) -> list[dict[str, Any]]:
    return [
        {
            "name": check.name,
            "title": check.title,
            "explanation": check.explanation,
            "group": check.group,
            "count": built.counts.get(check.name, 0),
            "remedy": built.remedies[check.name],
            "remedies": list(check.remedies),
            "fix_in_words": check.fix_in_words,
            "examples": built.examples.get(check.name, []),
        }
        for check in CHECKS
    ]


def _statistics(report: dict[str, Any]) -> Statistics:
    """What advice is given from."""
    tokens, rows = report["tokens"], report["rows"]
    found = {check["name"]: check["count"] for check in report["checks"]}
    total = max(1, rows["train_distinct"] + rows["eval"])
    read = max(1, sum(source["read"] for source in report["sources"]))
    lengths = tokens and tokens["row"]
    return Statistics(
        kind=report["kind"],
        rows=rows["train_distinct"],
        groups=report["groups"]["train"],
        eval_rows=rows["eval"],
        eval_groups=report["groups"]["eval"],
        tokens=TokenLengths(lengths["median"], lengths["p95"], lengths["p99"], lengths["longest"]) if lengths else None,
        context_length=tokens and tokens["max_length"],
        cut_share=found["answer_cut"] / total if tokens and tokens["max_length"] else None,
        trained_tokens=tokens and tokens["trained_mean"],
        best_agreement=report["contradictions"]["best_agreement"],
        duplicates=found["exact_duplicate"] / read,
        near_duplicates=found["near_duplicate"] / read,
    )


def _warnings(report: dict[str, Any], built: Built) -> list[str]:
    warnings = []
    rows = len(built.train) + len(built.eval)
    for tag in built.one_sided_tags:
        if len(built.eval):
            warnings.append(f"All rows tagged {tag} are in one part: there are too few groups of them to split.")
    for source in report["sources"]:
        if source["train"] + source["eval"] == 0:
            warnings.append(f"{source['source']} contributes no row.")
    if len(built.eval) and report["groups"]["largest"] > rows / 2:
        share = report["groups"]["largest"] / rows
        hint = (
            " Rows made from one template are all alike: for these, leave “Nearly equal from” empty."
            if built.counts.get("near_duplicate", 0) > rows / 4
            else ""
        )
        warnings.append(f"One group holds {share:.0%} of all rows, so the split can be far from what was asked.{hint}")
    if 0 < len(built.eval) < FEW_TO_JUDGE_BY:
        few = count(len(built.eval), "row")
        warnings.append(f"Only {few} to judge by: only large differences between models will show.")
    return warnings


def _summary(report: dict[str, Any]) -> list[str]:
    rows, groups = report["rows"], report["groups"]
    total = count(groups["train"] + groups["eval"], "group")
    sentences = [f"{count(rows['train_distinct'], 'row')} to train on and {rows['eval']:,} to judge by, in {total}."]
    leaks = next(check for check in report["checks"] if check["name"] == "leakage")
    if rows["eval"] and not (leaks["count"] and leaks["remedy"] == "keep"):
        sentences[0] += " No group is in both parts."
    if rows["train"] != rows["train_distinct"]:
        distinct = count(rows["train_distinct"], "training row")
        sentences[0] += f" Weights and shares make {count(rows['train'], 'line')} of the {distinct}."
    sentences += [_source_in_words(source) for source in report["sources"]]
    found = report["contradictions"]
    if found["prompts"]:
        sentences.append(
            f"{count(found['prompts'], 'prompt')} with different answers ({count(found['rows'], 'row')}). Where "
            "several answers are right that is normal; where only one is, no model can match more than "
            f"{found['best_agreement']:.1%} of all rows."
        )
    return [*sentences, _lengths_in_words(report)]


def _lengths_in_words(report: dict[str, Any]) -> str:
    tokens = report["tokens"]
    lengths, unit = (tokens["row"], "token") if tokens else (report["characters"]["row"], "character")
    return f"Half of the rows have up to {count(lengths['median'], unit)}; the longest has {lengths['longest']:,}."


def _source_in_words(source: dict[str, Any]) -> str:
    left_out = [
        f"{source['bad']:,} unusable" if source["bad"] else "",
        count(source["duplicates"], "duplicate") if source["duplicates"] else "",
        f"{source['dropped']:,} by other checks" if source["dropped"] else "",
        f"{source['left_out']:,} above the cap" if source["left_out"] else "",
    ]
    without = ", ".join(part for part in left_out if part)
    used = f"{source['train']:,} for training, {source['eval']:,} for evaluation"
    read = f"{source['source']}: {count(source['read'], 'row')} read as {source['format']}"
    return f"{read}; {used}" + (f"; left out: {without}." if without else ".")


def findings_in_words(checks: Sequence[dict[str, Any]]) -> list[str]:
    """A sentence for each check that found something: how many rows, what happens to them, and the first example."""
    sentences = []
    for check in checks:
        if check["count"]:
            others = ", ".join(remedy for remedy in check["remedies"] if remedy != check["remedy"])
            example = check["examples"][0] if check["examples"] else None
            shown = f" First: {Problem(**example)}." if example else ""
            sentences.append(
                f"{check['name']} ({check['title']}): {count(check['count'], 'row')}, remedy {check['remedy']} "
                f"(or {others}).{shown}"
            )
    return sentences or ["No check found anything."]


def _problems(checks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The listed examples of rows that can't be used, in the order of the sources."""
    return [example for check in checks if "stop" in check["remedies"] for example in check["examples"]]


def count(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
