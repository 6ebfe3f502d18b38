"""Metrics that compare an answer with the expected text. Each gives 0 to 1, 1 for the expected text itself."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any


def exact_match(answer: str, reference: str) -> float:
    """1 when equal but for surrounding white space, else 0."""
    return float(answer.strip() == reference.strip())


def contains(answer: str, reference: str) -> float:
    """1 when the reference's words stand in the answer in that order, whatever their case; else 0."""
    wanted, given = _words(reference), _words(answer)
    if not wanted:
        return exact_match(answer, reference)
    return float(any(given[at : at + len(wanted)] == wanted for at in range(len(given) - len(wanted) + 1)))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of the words, as SQuAD counts them (Rajpurkar et al. 2016): lower case,
    without punctuation and English articles. Two texts without a word are equal."""
    given, wanted = _squad_words(answer), _squad_words(reference)
    if not given or not wanted:
        return float(given == wanted)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted))


def _squad_words(text: str) -> list[str]:
    plain = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", plain).split()


def bleu(answer: str, reference: str) -> float:
    """sacrebleu's BLEU of one sentence (Post 2018), with the effective order so that short answers count, over 100."""
    return float(_bleu(sentence=True).sentence_score(answer, [reference]).score) / 100


def chrf(answer: str, reference: str) -> float:
    """sacrebleu's chrF2 of one answer (Popović 2015), over 100."""
    return float(_chrf().sentence_score(answer, [reference]).score) / 100


def rouge_1(answer: str, reference: str) -> float:
    """F-measure of shared words (Lin 2004), by the rouge-score package with stemming."""
    return float(_rouge().score(reference, answer)["rouge1"].fmeasure)


def rouge_l(answer: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004), by the rouge-score package with stemming."""
    return float(_rouge().score(reference, answer)["rougeL"].fmeasure)


@cache
def _bleu(sentence: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=sentence)


@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rougeL"], use_stemmer=True)


@dataclass(frozen=True)
class CorpusScore:
    """A score of all answers together, 0 to 100 as publications give it, and sacrebleu's signature of how it was
    computed. It is no mean of the sentences' scores."""

    score: float
    signature: str


def corpus_bleu(answers: Sequence[str], references: Sequence[str]) -> CorpusScore:
    return _corpus(_bleu(sentence=False), answers, references)


def corpus_chrf(answers: Sequence[str], references: Sequence[str]) -> CorpusScore:
    return _corpus(_chrf(), answers, references)


def _corpus(metric: Any, answers: Sequence[str], references: Sequence[str]) -> CorpusScore:
    score = float(metric.corpus_score(list(answers), [list(references)]).score)
    return CorpusScore(score, str(metric.get_signature()))
