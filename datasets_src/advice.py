"""Advice from a dataset's figures: how to train on it, with which kind of model, and what can be learned or judged.

Rules of thumb, not results. They rest on Unsloth's LoRA hyperparameter guide (2e-4 for fine-tuning, 5e-6 for DPO and
its kin, 1 to 3 epochs) and its guides to datasets (100 rows at the very least, better 1,000), models (instruct for few
rows) and continued pretraining (5e-5); on Zhou et al. 2023, "LIMA" (1,000 well-chosen rows teach a style, in 15
epochs); on Schulman et al. 2025, "LoRA Without Regret" (an adapter wants about ten times the learning rate of full
fine-tuning); and on Connor 1987 for what an evaluation can show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

from datasets_src.rows import Kind

CONTEXT_LENGTHS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
FEWEST_ROWS, GOOD_ROWS = 50, 1_000
MUCH_TEXT_TOKENS = 1_000_000
# On how many rows the results of two models differ, before an evaluation has measured it.
ASSUMED_DISAGREEMENT = 0.3
SIGNIFICANCE, POWER = 0.05, 0.8
# With 5, even five results that all change from wrong to right are no rarer than 2 / 2**5 = 6 % by chance.
FEWEST_TO_DIFFER = 6
# Below, intervals promise too much: evaluation.verdict.FEWEST, of answers that are right or wrong, and of perplexity.
FEWEST_TO_JUDGE_BY, FEWEST_LONG_ONES = 20, 50
ROUGH_DIFFERENCE = 0.1
NOTABLE_CUT, NOTABLE_NEAR_DUPLICATES, NOTABLE_DUPLICATES, NOTABLE_CONTRADICTIONS = 0.01, 0.1, 0.2, 0.02

Topic = Literal[
    "context_length", "epochs", "learning_rate", "model", "rows", "evaluation", "cut_answers", "duplicates", "answers"
]


@dataclass(frozen=True)
class TokenLengths:
    """Tokens per row of the training part: half of the rows, 95 and 99 % of them stay within these; the longest."""

    p50: int
    p95: int
    p99: int
    longest: int


@dataclass(frozen=True)
class Statistics:
    """Figures of a dataset. Rows are distinct ones: copies made by weights don't count. Shares go from 0 to 1.

    `groups` are those of the training part, `eval_groups` of the other. `tokens`, `cut_share` (rows whose answer is cut
    at the chosen context length) and `trained_tokens` (mean per row) are None when no model was chosen.
    `best_agreement`: the share of rows that the most frequent answer to each prompt gives right. `duplicates` and
    `near_duplicates`: shares of all rows read that were such.
    """

    kind: Kind
    rows: int
    groups: int
    eval_rows: int
    eval_groups: int
    tokens: TokenLengths | None = None
    context_length: int | None = None
    cut_share: float | None = None
    trained_tokens: float | None = None
    best_agreement: float = 1.0
    duplicates: float = 0.0
    near_duplicates: float = 0.0


@dataclass(frozen=True)
class Advice:
    """One piece of advice: what it is about, the value advised if there is one, and why.

    `warning`: what was found may spoil the result.
    """

    topic: Topic
    value: int | float | str | None
    sentence: str
    warning: bool = False


def advise(statistics: Statistics) -> list[Advice]:
    """Advice for training on a dataset of these figures, settings first, then what to beware of."""
    parts = (
        _context_length(statistics),
        _epochs(statistics),
        _learning_rate(statistics),
        _model(statistics),
        _enough_to_learn(statistics),
        _enough_to_judge(statistics),
        _cut_answers(statistics),
        _repeated(statistics),
        _contradictory(statistics),
    )
    return [advice for part in parts for advice in part]


def smallest_difference(rows: int, disagreement: float = ASSUMED_DISAGREEMENT) -> float | None:
    """The smallest true difference between two models' shares of right answers that `rows` would show, 0 to 1.

    Shown: found significant at 5 % (two-sided) with about 80 % probability by McNemar's exact test on the same rows.
    n rows show a difference d when n ≥ (z₀.₉₇₅·√ψ + z₀.₈·√(ψ - d²))² / d² + 1/d, where ψ, at least d, is the share of
    rows on which the models' results differ: `disagreement` until an evaluation has measured it. Connor 1987, "Sample
    size for testing differences in proportions for the paired-sample design", Biometrics 43, 207-211, but for 1/d,
    which makes up for the exact test being coarser than the normal one (from 8 rows up its power is then 79 to 87 %).
    None below 6 rows, where an exact test never comes below 5 %.
    """
    if rows < FEWEST_TO_DIFFER:
        return None
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if _rows_needed(middle, disagreement) <= rows else (middle, high)
    return high


def _rows_needed(difference: float, disagreement: float) -> float:
    normal = NormalDist()
    differing = max(disagreement, difference)
    root = normal.inv_cdf(1 - SIGNIFICANCE / 2) * sqrt(differing)
    root += normal.inv_cdf(POWER) * sqrt(max(0.0, differing - difference**2))
    return (root / difference) ** 2 + 1 / difference


def _context_length(known: Statistics) -> Iterator[Advice]:
    if known.tokens is None:
        why = "Choose a model to learn the context length that these rows need: only its tokenizer can count them."
        yield Advice("context_length", None, why)
        return
    longest = known.tokens.longest
    fitting = next((length for length in CONTEXT_LENGTHS if length >= known.tokens.p99), None)
    if fitting is None:
        yield Advice(
            "context_length",
            CONTEXT_LENGTHS[-1],
            f"More than 1 % of the rows are longer than {CONTEXT_LENGTHS[-1]:,} tokens (the longest has {longest:,}); "
            "split such rows, since hardly any model or card takes them whole.",
            warning=True,
        )
        return
    rest = "every row" if longest <= fitting else "at least 99 % of the rows"
    sentence = (
        f"{fitting:,} is the smallest usual length that holds {rest} whole (the longest has {longest:,} tokens); a "
        "longer one costs memory and gains little."
    )
    yield Advice("context_length", fitting, sentence)


def _epochs(known: Statistics) -> Iterator[Advice]:
    if known.kind in ("preference", "unpaired"):
        epochs = 3 if known.rows < 300 else 2 if known.rows < 2_000 else 1
        why = "preferences are learned in few passes, and more of them wear down what the model could do before"
    else:
        epochs = 3 if known.rows < 2_000 else 2 if known.rows < 20_000 else 1
        why = "few rows need more passes to be learned, many are learned in one or two"
    trained = ""
    if known.trained_tokens is not None:
        trained = f" Each epoch trains on about {_rough(known.rows * known.trained_tokens)} tokens."
    passes = "1 pass" if epochs == 1 else f"{epochs} passes"
    sentence = (
        f"{passes} over {known.rows:,} rows, since {why}; past 3 a model easily learns its rows by heart, so watch the "
        f"evaluation loss and keep the checkpoint from before it rises.{trained}"
    )
    yield Advice("epochs", epochs, sentence)


def _learning_rate(known: Statistics) -> Iterator[Advice]:
    if known.kind in ("preference", "unpaired"):
        sentence = (
            "5e-6 is the usual start for DPO and its kin (up to 1e-5 where the answers hardly change): they push a "
            "model away from answers, and at the rates of ordinary fine-tuning it stops making sense."
        )
        yield Advice("learning_rate", 5e-6, sentence)
        return
    if known.kind == "text":
        sentence = (
            "5e-5 for an adapter on raw text, a quarter of what conversations take: all tokens are trained, and a "
            "lower rate keeps more of what the model knew."
        )
        yield Advice("learning_rate", 5e-5, sentence)
        return
    many = "" if known.rows < 20_000 else " So many rows make many steps: half of it is worth a try."
    sentence = (
        "`auto`, which goes by the size of the model: 2e-4 is the usual start for an adapter on a model of 3B and "
        f"more, smaller ones take more, and training all weights wants about a tenth.{many}"
    )
    yield Advice("learning_rate", "auto", sentence)


def _model(known: Statistics) -> Iterator[Advice]:
    if known.kind in ("preference", "unpaired"):
        sentence = (
            "An instruct model, best one already fine-tuned on answers like the good ones: preferences shift answers "
            "that a model already gives, they don't teach it to answer."
        )
        yield Advice("model", "instruct", sentence)
    elif known.kind == "conversation":
        few = "these rows are too few to teach a base model that"
        many = "with so many rows a base model can work too, if they bring a style of answering of their own"
        rest = few if known.rows < GOOD_ROWS else many
        sentence = f"An instruct model: it already knows how to take turns and when to stop; {rest}."
        yield Advice("model", "instruct", sentence)
    else:
        yield _model_for_text(known)


def _model_for_text(known: Statistics) -> Advice:
    tokens = None if known.trained_tokens is None else known.rows * known.trained_tokens
    if tokens is None:
        return Advice(
            "model",
            None,
            "Choose a model to count the tokens: much raw text wants a base model, little an instruct one.",
        )
    if tokens >= MUCH_TEXT_TOKENS:
        sentence = (
            f"A base model: raw text ({_rough(tokens)} tokens of it) continues what base models were trained on, and "
            "would wear down an instruct model's way of answering."
        )
        return Advice("model", "base", sentence)
    sentence = (
        f"An instruct model: {_rough(tokens)} tokens of raw text can colour its language but add little knowledge; "
        "questions and answers made from the text teach more."
    )
    return Advice("model", "instruct", sentence)


def _enough_to_learn(known: Statistics) -> Iterator[Advice]:
    if known.rows < FEWEST_ROWS:
        sentence = (
            f"Only {known.rows:,} different rows: too few to learn more than a format or a tone. About 100 are the "
            f"least worth training on, {GOOD_ROWS:,} good ones are far better; examples in the prompt may do as well."
        )
        yield Advice("rows", None, sentence, warning=True)
    elif known.groups < FEWEST_ROWS:
        sentence = (
            f"The {known.rows:,} rows come from only {known.groups:,} groups (prompts or documents): a model may learn "
            "these by heart. Different prompts teach more than further answers to the same."
        )
        yield Advice("rows", None, sentence, warning=True)


def _enough_to_judge(known: Statistics) -> Iterator[Advice]:
    if known.eval_rows == 0:
        sentence = "No rows are kept for evaluation, so nothing can show whether the model got better."
        yield Advice("evaluation", None, sentence, warning=True)
        return
    # Rows of one group tend to be right or wrong together, so they count for little more than one.
    independent = min(known.eval_rows, known.eval_groups)
    difference = smallest_difference(independent)
    counted = f"{known.eval_rows:,} evaluation rows"
    if independent < known.eval_rows:
        counted += f" in {independent:,} groups"
    if difference is None or independent < FEWEST_TO_JUDGE_BY:
        sentence = (
            f"{counted} are too few for a verdict: it needs {FEWEST_TO_JUDGE_BY}, of long answers {FEWEST_LONG_ONES}. "
            "Keep a larger part for evaluation, or bring more rows."
        )
        yield Advice("evaluation", None, sentence, warning=True)
        return
    points = round(100 * difference, 1)
    differing = f"their results differ on {ASSUMED_DISAGREEMENT:.0%} of the rows"
    if difference > ASSUMED_DISAGREEMENT:
        differing = "one model is the better one wherever their results differ"
    sentence = (
        f"{counted} show a difference of about {points:g} points between two models (4 times in 5, if {differing}); "
        "smaller ones will look like chance. Half of that takes about 4 times the rows."
    )
    yield Advice("evaluation", points, sentence, warning=difference > ROUGH_DIFFERENCE)


def _cut_answers(known: Statistics) -> Iterator[Advice]:
    if known.cut_share and known.context_length:
        sentence = (
            f"The answers of {known.cut_share:.1%} of the rows are cut at {known.context_length:,} tokens, which "
            "teaches a model not to end; choose a longer context or leave these rows out."
        )
        yield Advice("cut_answers", None, sentence, warning=known.cut_share > NOTABLE_CUT)


def _repeated(known: Statistics) -> Iterator[Advice]:
    if known.near_duplicates > NOTABLE_NEAR_DUPLICATES:
        sentence = (
            f"{known.near_duplicates:.0%} of the rows are nearly the same as another, so there is less to learn from "
            "than their number says; keep one of each, or get rows that differ more."
        )
        yield Advice("duplicates", None, sentence, warning=True)
    if known.duplicates > NOTABLE_DUPLICATES:
        sentence = (
            f"{known.duplicates:.0%} of the rows read were exact duplicates: check that a file isn't given twice."
        )
        yield Advice("duplicates", None, sentence)


def _contradictory(known: Statistics) -> Iterator[Advice]:
    if 1 - known.best_agreement > NOTABLE_CONTRADICTIONS and known.kind == "conversation":
        sentence = (
            f"Equal prompts have different answers: if only one of them is right, no model can match more than "
            f"{known.best_agreement:.1%} of the rows; if several are right, that is no harm."
        )
        yield Advice("answers", None, sentence)


def _rough(tokens: float) -> str:
    """`950`, `1,200`, `120 thousand`, `1.2 million`."""
    if tokens >= 1e6:
        return f"{tokens / 1e6:.1f} million"
    return f"{tokens / 1e3:.0f} thousand" if tokens >= 1e4 else f"{tokens:,.0f}"
