"""The job of kind "judge": a judge is checked against people's votes, then judges a finished evaluation's answers.

It leaves replies.jsonl (every reply as it came), judgements.jsonl (one line per question and model) and judge.json. A
judge that fails the check leaves judge.json with the reasons, and the job ends with them: no win rate is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.judge.answers import Match, read_matches
from evaluation.judge.judging import Votes, open_judge, trust_from
from evaluation.judge.pairwise import Judged
from evaluation.judge.result import Judgements, score_table, win_rates
from evaluation.judge.spec import JudgingSpec
from evaluation.judge.trust import NOT_CHECKED, Trust, in_words, require_trusted
from jobs.context import JobContext
from jobs.errors import Missing
from jobs.files import write_json, write_text

RESULT, REPLIES, JUDGEMENTS = "judge.json", "replies.jsonl", "judgements.jsonl"
SCHEMA_VERSION = 1


def run(context: JobContext) -> dict[str, Any]:
    """Leaves the files above; returns what judge.json holds. Raises BadInput where the judge's labels are refused."""
    spec = JudgingSpec.parse(context.spec, where="the judging spec")
    context.progress(None, "reading votes and answers")
    votes = Votes(context, spec.judge)
    matches = read_matches(context, spec) if spec.evaluation else []
    _require_something(spec, votes)
    with open_judge(spec.judge, context, context.path / REPLIES) as judge:
        of_votes = judge.judge(votes.pairs, "your votes")
        if matches:
            _require_worth_going_on(context, spec, votes, of_votes)
        found = [judge.judge(match.pairs(), f"{match.candidate}'s answers") for match in matches]
    context.artifact(context.path / REPLIES)
    trust = trust_from(spec.judge, votes, of_votes, [each for judged in found for each in judged])
    if matches and not trust.trusted:
        _refuse(context, spec, trust)
    _write_judgements(context, matches, found)
    return _finish(context, spec, trust, matches, found)


def _require_something(spec: JudgingSpec, votes: Votes) -> None:
    if spec.evaluation is None and len(votes) == 0:
        raise Missing(
            "There is nothing to judge.",
            "No evaluation was named, and nobody has voted in this workspace.",
            "Name a finished evaluation (`evaluation: job:ID`), or vote on answers in the blind chat first.",
        )


def _require_worth_going_on(context: JobContext, spec: JudgingSpec, votes: Votes, of_votes: list[Judged]) -> None:
    """What the votes alone show to be unfit is not asked any further."""
    trust = trust_from(spec.judge, votes, of_votes)
    if not trust.trusted:
        _refuse(context, spec, trust)


def _refuse(context: JobContext, spec: JudgingSpec, trust: Trust) -> None:
    for sentence in in_words(spec.judge, trust):
        context.log(sentence)
    context.artifact(_write(context, spec, trust, {"comparisons": [], "scores": []}))
    require_trusted(spec.judge, trust)


def _write_judgements(context: JobContext, matches: Sequence[Match], found: Sequence[list[Judged]]) -> None:
    lines = [
        {"item": first.item, "reference": match.reference, "candidate": match.candidate, **asdict(judged)}
        for match, judgements in zip(matches, found, strict=True)
        for (first, _), judged in zip(match.rows, judgements, strict=True)
    ]
    write_text(context.path / JUDGEMENTS, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    context.artifact(context.path / JUDGEMENTS)


def _finish(
    context: JobContext, spec: JudgingSpec, trust: Trust, matches: Sequence[Match], found: Sequence[list[Judged]]
) -> dict[str, Any]:
    groups = [[first.group for first, _ in match.rows] for match in matches]
    compared = [
        Judgements(match.reference, match.candidate, judged, group)
        for match, judged, group in zip(matches, found, groups, strict=True)
    ]
    rates = win_rates(compared, spec.confidence, spec.judge.seed)
    results = {
        "comparisons": [rate.as_json(spec.confidence) for rate in rates],
        "scores": _scores(spec, compared) if spec.judge.mode == "rubric" else [],
    }
    path = _write(context, spec, trust, results)
    context.artifact(path)
    document = dict(json.loads(path.read_text(encoding="utf-8")))
    for sentence in document["sentences"]:
        context.log(sentence)
    return {**document, "message": document["sentences"][0] if document["sentences"] else "Judged"}


def _scores(spec: JudgingSpec, compared: Sequence[Judgements]) -> list[dict[str, Any]]:
    """The reference's scores, then each candidate's."""
    first = compared[0] if compared else None
    if first is None:
        return []
    tables = score_table(first.reference, [_side(each, 0) for each in first.judged], first.groups, spec.confidence)
    for each in compared:
        sides = [_side(judged, 1) for judged in each.judged]
        tables += score_table(each.candidate, sides, each.groups, spec.confidence)
    return tables


def _side(judged: Judged, side: int) -> dict[str, float] | None:
    return judged.scores[side] if judged.scores else None


def _write(context: JobContext, spec: JudgingSpec, trust: Trust, results: dict[str, Any]) -> Path:
    checked = "" if trust.checked else f" ({NOT_CHECKED})"
    sentences = [f"{each['sentence']}{checked}" for each in results["comparisons"]] + in_words(spec.judge, trust)
    path = context.path / RESULT
    write_json(
        path,
        {
            "schema_version": SCHEMA_VERSION,
            "judge": spec.judge.model,
            "mode": spec.judge.mode,
            "criteria": spec.judge.criteria,
            "thresholds": {
                name: getattr(spec.judge, name)
                for name in ("min_agreement", "min_votes", "max_flip_rate", "max_unusable", "max_position_bias")
            },
            "trust": trust.as_json(),
            "trusted": trust.trusted,
            "checked": trust.checked,
            "refusals": trust.refusals,
            **results,
            "sentences": sentences,
        },
    )
    return path
