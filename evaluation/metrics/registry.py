"""Every metric that an evaluation can measure, in one place: options and documentation derive from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evaluation.metrics import code as code_metric
from evaluation.metrics import structured, texts

if TYPE_CHECKING:
    from evaluation.tasks import TaskItem

Needs = Literal["answers", "losses", "samples"]
Score = Callable[[str, "TaskItem"], float]
Corpus = Callable[[Sequence[str], Sequence[str]], texts.CorpusScore]


@dataclass(frozen=True)
class Metric:
    """One metric. `needs`: what is measured for it; `score` gives an item's, from its answer (None: not from that
    alone); `check` raises BadInput for an item that lacks what is needed; `corpus`: of all answers together, told
    beside the items' scores."""

    help: str
    needs: Needs = "answers"
    score: Score | None = None
    check: Callable[[TaskItem], object] | None = None
    corpus: Corpus | None = None
    higher_is_better: bool = True


def _of_texts(compare: Callable[[str, str], float]) -> Score:
    return lambda answer, item: compare(answer, item.reference)


def _of_columns(help: str, score: Score) -> Metric:
    """A metric that says itself, for any answer, what an item lacks."""
    return Metric(help, score=score, check=lambda item: score("", item))


METRICS: dict[str, Metric] = {
    "exact_match": Metric("the answer equals the row's, but for spaces around it", score=_of_texts(texts.exact_match)),
    "contains": Metric("the expected words stand in the answer", score=_of_texts(texts.contains)),
    "f1": Metric("shared words with the row's answer, as SQuAD counts them", score=_of_texts(texts.token_f1)),
    "bleu": Metric("shared word sequences, as for translations", score=_of_texts(texts.bleu), corpus=texts.corpus_bleu),
    "chrf": Metric("shared character sequences", score=_of_texts(texts.chrf), corpus=texts.corpus_chrf),
    "rouge_1": Metric("shared words, as for summaries", score=_of_texts(texts.rouge_1)),
    "rouge_l": Metric("the longest common sequence of words", score=_of_texts(texts.rouge_l)),
    "json_valid": _of_columns("the answer is JSON that follows the row's 'schema'", structured.json_valid),
    "json_fields": _of_columns("the share of the expected JSON's values that are right", structured.json_fields),
    "regex": _of_columns("the row's pattern 'regex' is found in the answer", structured.regex),
    "tool_call": _of_columns("the right tools are called with the right arguments", structured.tool_call),
    "tool_name": _of_columns("the right tools are called, whatever the arguments", structured.tool_name),
    "code": Metric(
        "the answer's Python passes the row's 'tests' (run under limits)",
        score=code_metric.code,
        check=code_metric.tests_of,
    ),
    "self_consistency": Metric("how many of several sampled answers agree with the commonest", needs="samples"),
    "perplexity": Metric(
        "how surprised the model is by the row's answer, per token; lower is better",
        needs="losses",
        higher_is_better=False,
    ),
    "loss": Metric(
        "the same as the mean of the logarithms (nats per token), as in training; lower is better",
        needs="losses",
        higher_is_better=False,
    ),
}


def help_text() -> str:
    """One line of all metrics, for the option's help."""
    return "; ".join(f"{name}: {metric.help}" for name, metric in METRICS.items())


def higher_is_better(name: str) -> bool:
    """Of a score's name in the stored rows; those that a task brings itself count as better when higher."""
    metric = METRICS.get(name)
    return name != "nll" and (metric is None or metric.higher_is_better)


@dataclass(frozen=True)
class Vote:
    """The commonest of several answers (the first among equally common ones), and its share."""

    answer: str
    share: float


def majority(answers: Sequence[str]) -> Vote:
    """Self-consistency (Wang et al. 2022): answers count as the same when equal but for case and spacing."""
    plain = [" ".join(answer.split()).casefold() for answer in answers]
    commonest, count = Counter(plain).most_common(1)[0]
    return Vote(answers[plain.index(commonest)], count / len(answers))
