"""Training a classifier from the tagged rows of a dataset version, and measuring it on the rows kept for evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_src.hashing import Keys, key_of, lowest, seeded_numbers
from datasets_src.rows import conversation_of
from datasets_src.store import DatasetVersion
from jobs.errors import BadInput
from serving.router.classifier import fitting
from serving.router.classifier.features import Counts, count_runs
from serving.router.classifier.model import Classifier
from serving.router.classifier.report import Judged, Report, report_on
from serving.router.question import plain, question_text

FEWEST_LABELS, MOST_LABELS = 2, 50
FEWEST_ROWS = 5
FEWEST_HELD_OUT = 10
MOST_ROWS = 5_000
# Up to this many rows all are used to choose by (each is left out once); of more, one part in FOLDS.
FEW_ROWS = 1_000
FOLDS = 5


@dataclass(frozen=True)
class Example:
    """A question, its tag, and the group of rows that are alike or of one source."""

    text: str
    tag: str
    group: str


@dataclass(frozen=True)
class Trained:
    """A classifier with what it was found to be worth."""

    classifier: Classifier
    report: Report


def train(version: DatasetVersion) -> Trained:
    """Train from a version's training rows, measure on its evaluation rows. Raises BadInput where that can't work."""
    rows = read_examples(version.train())
    notes = [f"{rows.untagged} training rows without a tag or a question were not used."] if rows.untagged else []
    labels, rare = _labels(rows.examples, version.id)
    if rare:
        notes.append(f"Tags with fewer than {FEWEST_ROWS} rows were left out: {', '.join(rare)}.")
    learned = _sample([each for each in rows.examples if each.tag in labels])
    held_out = [each for each in read_examples(version.eval()).examples if each.tag in labels]
    if len(held_out) < FEWEST_HELD_OUT:
        raise BadInput(
            f"The dataset {version.id} keeps {len(held_out)} tagged rows for evaluation.",
            f"With fewer than {FEWEST_HELD_OUT} nobody would know how often the classifier is right.",
            "Build it with a larger `eval_fraction`, such as 0.2.",
        )
    classifier = fit_classifier(learned, labels)
    judged = [_judged(classifier, each) for each in held_out]
    return Trained(classifier, report_on(version.id, [each.tag for each in learned], judged, notes))


@dataclass(frozen=True)
class TaggedRows:
    """What can be learned from, and how many rows can't."""

    examples: list[Example]
    untagged: int


def read_examples(rows: Iterable[dict[str, Any]]) -> TaggedRows:
    """The tagged questions among canonical rows, the same question with the same tag once."""
    found: dict[tuple[str, str], Example] = {}
    untagged = 0
    for row in rows:
        messages, _ = conversation_of(row)
        text, tag = question_text(messages), row.get("tag")
        if not tag or not text.strip():
            untagged += 1
            continue
        found.setdefault((plain(text), tag), Example(text, str(tag), str(row.get("group", plain(text)))))
    return TaggedRows(list(found.values()), untagged)


def _labels(examples: Sequence[Example], data: str) -> tuple[list[str], list[str]]:
    """The tags that have rows enough, and those that don't. Raises BadInput where there is nothing to tell apart."""
    counts = Counter(each.tag for each in examples)
    labels = sorted(tag for tag, count in counts.items() if count >= FEWEST_ROWS)
    rare = sorted(set(counts) - set(labels))
    if FEWEST_LABELS <= len(labels) <= MOST_LABELS:
        return labels, rare
    tags = ", ".join(f"{tag} ({count})" for tag, count in counts.most_common(10)) or "none"
    if len(labels) > MOST_LABELS:
        why = f"It tells at most {MOST_LABELS} tags apart."
        fix = "Give rows fewer, broader tags."
    else:
        why = f"A classifier tells at least two tags apart, with at least {FEWEST_ROWS} different questions each."
        fix = "Give the dataset's sources tags (`tag:` in its spec, or a column `tag`), and build it again."
    raise BadInput(f"The dataset {data} has {len(labels)} tags to learn; with their questions: {tags}.", why, fix)


def _sample(examples: list[Example]) -> list[Example]:
    """At most MOST_ROWS of them, drawn by their texts."""
    keys = _keys([each.text for each in examples])
    chosen = lowest(keys, np.arange(len(examples)), MOST_ROWS, 0, "classifier")
    return [examples[place] for place in chosen]


def fit_classifier(examples: Sequence[Example], labels: Sequence[str]) -> Classifier:
    """A classifier for `labels`, with the strength that predicts rows left out best, and calibrated on these."""
    rows = [count_runs(each.text) for each in examples]
    numbers = np.array([labels.index(each.tag) for each in examples])
    folds = _folds(examples)
    tried = [_left_out_scores(rows, numbers, folds, len(labels), strength) for strength in fitting.STRENGTHS]
    temperatures = [fitting.temperature_for(scores, right) for scores, right in tried]
    losses = [
        fitting.mean_loss(scores, right, temperature)
        for (scores, right), temperature in zip(tried, temperatures, strict=True)
    ]
    best = int(np.argmin(losses))
    rarity = fitting.rarity_of(rows)
    weights = fitting.fit(fitting.matrix_of(rows, rarity), numbers, len(labels), fitting.STRENGTHS[best])
    return Classifier(
        tuple(labels),
        weights.coefficients.astype(np.float32),
        weights.intercepts.astype(np.float32),
        rarity,
        temperatures[best],
    )


def _folds(examples: Sequence[Example]) -> NDArray[np.int64]:
    """A fold's number for each row, the same within a group unless there are too few groups; no fold is empty."""
    groups = [each.group for each in examples]
    if len(set(groups)) < FOLDS:
        groups = [each.text for each in examples]
    drawn = sorted(set(groups), key=lambda group: (int(seeded_numbers(0, "folds", _keys([group]))[0]), group))
    fold_of = {group: place % FOLDS for place, group in enumerate(drawn)}
    return np.array([fold_of[group] for group in groups])


def _keys(texts: Sequence[str]) -> Keys:
    return np.array([key_of(text) for text in texts], dtype=np.uint64)


def _left_out_scores(
    rows: Sequence[Counts], numbers: NDArray[np.int64], folds: NDArray[np.int64], count: int, strength: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores of rows by weights that were fitted without them, and their right labels."""
    scores, right = [], []
    for fold in range(FOLDS if len(rows) <= FEW_ROWS else 1):
        outside = [row for row, its_fold in zip(rows, folds, strict=True) if its_fold != fold]
        inside = [row for row, its_fold in zip(rows, folds, strict=True) if its_fold == fold]
        rarity = fitting.rarity_of(outside)
        weights = fitting.fit(fitting.matrix_of(outside, rarity), numbers[folds != fold], count, strength)
        scores.append(weights.scores(fitting.matrix_of(inside, rarity)))
        right.append(numbers[folds == fold])
    return np.concatenate(scores), np.concatenate(right)


def _judged(classifier: Classifier, example: Example) -> Judged:
    guess = classifier.classify(example.text)
    return Judged(example.tag, guess.label, guess.probabilities[guess.label], example.group)
