"""Looking at rows beside one another: equal ones, nearly equal ones, contradictions, unusual lengths, overlaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from datasets_src.checks import BIT, Check, Remedy
from datasets_src.checks.between_rows import (
    CONTAMINATION,
    CONTRADICTION,
    EXACT_DUPLICATE,
    LEAKAGE,
    NEAR_DUPLICATE,
    SHARED_PASSAGE,
)
from datasets_src.checks.lengths import LENGTH_OUTLIER
from datasets_src.hashing import lowest
from datasets_src.near_duplicates import confirmed_clusters
from datasets_src.passages import contaminated, passage_hashes, shared_passage
from datasets_src.rows import Row, compared_passages, conversation_of, from_canonical, text_of
from datasets_src.table import CAPPED, KEPT, LEFT_OUT, RowTable

Places = NDArray[np.int64]
EXAMPLES = 20
LONGEST_EXAMPLE = 160
# How far from the middle, in robust deviations of the logarithm, a length is unusual.
UNUSUAL_DEVIATIONS = 5.0
ROWS_TO_JUDGE_LENGTHS_BY = 50
TEXTS_AT_A_TIME = 2000


@dataclass
class Findings:
    """What the checks between rows found: examples by check's name, as reports show them."""

    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, check: Check, example: dict[str, Any]) -> None:
        listed = self.examples.setdefault(check.name, [])
        if len(listed) < EXAMPLES:
            listed.append(example)

    def full(self, check: Check) -> bool:
        return len(self.examples.get(check.name, ())) >= EXAMPLES


@dataclass(frozen=True)
class Between:
    """The rows, the remedies in effect, and the sources' names for examples."""

    table: RowTable
    remedies: dict[str, Remedy]
    labels: Sequence[str]
    findings: Findings

    def apply(self, check: Check, places: Places) -> None:
        """Flag the rows that a check found, and leave them out where that is the remedy."""
        self.table.flag(places, BIT[check.name])
        if self.remedies[check.name] == "drop":
            self.table.column("status")[places] = LEFT_OUT

    def example(self, place: int, what: str, why: str = "") -> dict[str, Any]:
        source = self.labels[int(self.table.column("source")[place])]
        number = int(self.table.column("number")[place])
        return {"file": source, "row": number, "field": "", "what": what, "why": why, "line": None}

    def name(self, place: int) -> str:
        """`row 7`, or `rows.jsonl, row 7` where there are several sources."""
        number = f"row {int(self.table.column('number')[place])}"
        if len(self.labels) == 1:
            return number
        return f"{self.labels[int(self.table.column('source')[place])]}, {number}"

    def text(self, place: int) -> str:
        return text_of(self.table.row(place))


def drop_equal_rows(between: Between, caps: Sequence[int | None], seed: int) -> None:
    """Leave all but the first of equal rows out, and each source's rows beyond its cap: a seeded sample stays.

    Source by source: a row that one source's cap left out may still come from a later source.
    """
    table = between.table
    status, keys, source = table.column("status"), table.column("key"), table.column("source")
    known = np.empty(0, dtype=np.uint64)
    for place, cap in enumerate(caps):
        own = np.flatnonzero((source == place) & (status == KEPT))
        first = np.zeros(len(own), dtype=bool)
        first[np.unique(keys[own], return_index=True)[1]] = True
        repeated = own[~first | np.isin(keys[own], known)]
        for copy in repeated[:EXAMPLES]:
            between.findings.add(EXACT_DUPLICATE, between.example(copy, "equals an earlier row"))
        between.apply(EXACT_DUPLICATE, repeated)
        own = own[status[own] == KEPT]
        if cap is not None:
            stays = lowest(keys, own, cap, seed, "sample")
            status[np.setdiff1d(own, stays)] = CAPPED
            own = stays
        known = np.union1d(known, keys[own])


def cluster_nearly_equal_rows(between: Between, threshold: float) -> Places:
    """The cluster of every kept row (a number; rows alone have one of their own); others are flagged and may go."""
    table, kept = between.table, between.table.kept()
    assert table.bands is not None, "the bands are computed where near-duplicates are looked for"
    signed = table.bands if len(kept) == len(table) else table.bands[kept]
    found = confirmed_clusters(signed, lambda place: between.text(int(kept[place])), threshold)
    clusters = np.arange(len(table), dtype=np.int64)
    clusters[kept] = kept[found.cluster]
    later = np.flatnonzero(found.partner >= 0)
    for place in later[:EXAMPLES]:
        partner = between.name(int(kept[found.partner[place]]))
        what = f"is {found.similarity[place]:.0%} like {partner}"
        between.findings.add(NEAR_DUPLICATE, between.example(int(kept[place]), what))
    between.apply(NEAR_DUPLICATE, kept[later])
    return clusters


@dataclass(frozen=True)
class Contradictions:
    """Prompts with different answers. `best_agreement`: the share of rows that the most frequent answer to each
    prompt gives right, which is the most that any model can reach on these rows.
    """

    prompts: int
    rows: int
    best_agreement: float
    examples: list[dict[str, Any]]


def find_contradictions(between: Between) -> Contradictions:
    """Prompts that are answered in different ways; the rarer answers go where that is the remedy."""
    table, kept = between.table, between.table.kept()
    if not len(kept):
        return Contradictions(0, 0, 1.0, [])
    question, answer = table.column("question")[kept], table.column("answer")[kept]
    order = np.lexsort((np.arange(len(kept)), answer, question))
    question, answer, places = question[order], answer[order], kept[order]
    starts = np.flatnonzero(np.r_[True, (question[1:] != question[:-1]) | (answer[1:] != answer[:-1])])
    counts = np.diff(np.r_[starts, len(places)])  # rows of each distinct (prompt, answer)
    prompt_starts = np.flatnonzero(np.r_[True, question[starts][1:] != question[starts][:-1]])
    kinds = np.diff(np.r_[prompt_starts, len(starts)])  # distinct answers of each prompt
    best = np.maximum.reduceat(counts, prompt_starts)
    contradictory = np.flatnonzero(kinds > 1)
    rarer: list[Places] = []
    examples: list[dict[str, Any]] = []
    rows = 0
    for prompt in contradictory:
        answers = range(prompt_starts[prompt], prompt_starts[prompt] + kinds[prompt])
        members = [places[starts[each] : starts[each] + counts[each]] for each in answers]
        rows += sum(map(len, members))
        stays = min(range(len(members)), key=lambda each: (-len(members[each]), members[each][0]))
        rarer += [member for each, member in enumerate(members) if each != stays]
        if len(examples) < EXAMPLES:
            examples.append(_contradiction(between, [member[0] for member in members]))
    if rarer:
        between.apply(CONTRADICTION, np.concatenate(rarer))
    for example in examples:
        first = example["answers"][0]
        shown = " / ".join(f"“{each['answer']}”" for each in example["answers"])
        what = f"“{example['prompt']}” is answered {shown}"
        place = {"file": first["source"], "row": first["row"], "field": "", "line": None}
        between.findings.add(CONTRADICTION, {**place, "what": what, "why": ""})
    return Contradictions(len(contradictory), rows, float(best.sum() / len(kept)), examples[:3])


def _contradiction(between: Between, places: Sequence[int]) -> dict[str, Any]:
    answers = []
    for place in sorted(places)[:3]:
        row = between.table.row(int(place))
        answers.append({"source": row["source"], "row": row["row"], "answer": shorten(last_answer(row))})
    messages, _ = conversation_of(between.table.row(int(min(places))))
    prompt = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    return {"prompt": shorten(str(prompt)), "answers": answers}


def last_answer(row: Row) -> str:
    """What the row's last answer says; of an unpaired one with its mark."""
    messages, _ = conversation_of(row)
    last = messages[-1]
    said = str(last["content"] or orjson.dumps(last.get("tool_calls", [])).decode())
    return f"{'good' if row['label'] else 'bad'}: {said}" if "label" in row else said


def find_unusual_lengths(between: Between) -> None:
    """Rows whose length lies far from the others', judged on a logarithmic scale by median and median deviation."""
    table, kept = between.table, between.table.kept()
    if len(kept) < ROWS_TO_JUDGE_LENGTHS_BY:
        return
    lengths = table.column("prompt_characters")[kept].astype(float) + table.column("answer_characters")[kept]
    scale = np.log(np.maximum(lengths, 1))
    middle = np.median(scale)
    # 1.4826 makes the median absolute deviation a standard deviation where lengths are normal; the floor (a factor of
    # 1.35) keeps rows that are all of one length from making every other one unusual.
    deviation = max(1.4826 * float(np.median(np.abs(scale - middle))), 0.3)
    unusual = kept[np.abs(scale - middle) > UNUSUAL_DEVIATIONS * deviation]
    typical = int(np.exp(middle))
    for place in unusual[:EXAMPLES]:
        own = int(table.column("prompt_characters")[place]) + int(table.column("answer_characters")[place])
        what = f"has {own:,} characters, where {typical:,} are usual"
        between.findings.add(LENGTH_OUTLIER, between.example(int(place), what))
    between.apply(LENGTH_OUTLIER, unusual)


def find_leaks(between: Between, leaking: Places) -> None:
    """Training rows whose group is in the evaluation part by a source's own split."""
    for place in leaking[:EXAMPLES]:
        what = "shares its prompt, group or near-duplicate with an evaluation row"
        between.findings.add(LEAKAGE, between.example(int(place), what))
    between.apply(LEAKAGE, leaking)


def find_shared_passages(between: Between, train: Places, held_out: Places, check_stop: Callable[[], None]) -> None:
    """Training rows that share a passage with a row of the evaluation part."""
    known = passage_hashes(between.text(place) for place in held_out.tolist())
    for start in range(0, len(train), TEXTS_AT_A_TIME):
        check_stop()
        some = train[start : start + TEXTS_AT_A_TIME]
        texts = [between.text(place) for place in some.tolist()]
        hits = np.flatnonzero(contaminated(texts, known))
        for hit in hits if not between.findings.full(SHARED_PASSAGE) else ():
            what = f"shares “{shorten(shared_passage(texts[hit], known) or '')}”"
            between.findings.add(SHARED_PASSAGE, between.example(int(some[hit]), what))
        between.apply(SHARED_PASSAGE, some[hits])


def find_overlaps(
    between: Between, places: Places, known: NDArray[np.uint64], check_stop: Callable[[], None]
) -> Places:
    """Which of the rows share a passage with what `known` was made of."""
    found = []
    for start in range(0, len(places), TEXTS_AT_A_TIME):
        check_stop()
        some = places[start : start + TEXTS_AT_A_TIME]
        passages = [compared_passages(from_canonical(between.table.row(int(place)))) for place in some]
        owner = np.repeat(np.arange(len(some)), [len(texts) for texts in passages])
        flat = [text for texts in passages for text in texts]
        hits = np.flatnonzero(contaminated(flat, known))
        found.append(some[np.unique(owner[hits])])
        for row, hit in zip(*np.unique(owner[hits], return_index=True), strict=True):
            if not between.findings.full(CONTAMINATION):
                what = f"shares “{shorten(shared_passage(flat[hits[hit]], known) or '')}”"
                between.findings.add(CONTAMINATION, between.example(int(some[row]), what))
    return np.concatenate(found) if found else places[:0]


def shorten(text: str, longest: int = LONGEST_EXAMPLE) -> str:
    """The text, cut to `longest` characters, for reports."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
