"""JudgeSpec: which model judges, by what, and when its labels are refused. JudgingSpec: what it is given to judge."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from jobs.spec import Spec, option
from models.backends import Quantisation
from models.option_fields import (
    concurrency_option,
    key_variable_option,
    precision_option,
    quantisation_option,
    without_key,
)
from models.precision import Precision

Mode = Literal["pairwise", "rubric"]

CRITERIA = {
    "relevance": "answers what was asked, and nothing else",
    "completeness": "leaves out nothing that the question needs",
    "accuracy": "says nothing that is false",
    "clarity": "is easy to read and well ordered",
    "helpfulness": "is of use to whoever asked",
}


class JudgeSpec(Spec):
    """A judge of answers, and how far it has to be right to be believed."""

    model: str = option(
        label="Judge",
        help="embedded, a folder, a Hub id, job:<id>, a .gguf file, ollama:<name>, or an endpoint as "
        "https://host/v1#<name>. A judge should be more able than the models that it judges.",
        depth="essential",
        min_length=1,
    )
    mode: Mode = option(
        "pairwise",
        label="Way of judging",
        help="pairwise: which of two answers is better, asked in both orders; a preference that turns with the order "
        "counts as a tie. rubric: each answer by itself, with a score for every criterion.",
        depth="essential",
    )
    criteria: dict[str, str] = option(
        lambda: dict(CRITERIA),
        label="Criteria",
        help="What answers are judged by: a name and what it means, as in `tone: is friendly`.",
        depth="essential",
        min_length=1,
    )
    scale: int = option(5, label="Best score", help="Of a rubric; the worst is 1.", ge=2, le=10)
    instructions: str = option(
        "", label="Further instructions", help="What the judge should know besides, such as who the answers are for."
    )
    show_reference: bool = option(
        False,
        label="Show the reference answer",
        help="Tell the judge the dataset's own answer, where there is one. Right for questions that have one answer.",
    )
    min_agreement: float = option(
        0.4,
        label="Agreement needed",
        help="Cohen's kappa between the judge and your own votes: 0 is chance, 1 the same every time, 0.4 fair. Below "
        "this its labels are refused.",
        depth="essential",
        ge=-1,
        le=1,
    )
    min_votes: int = option(
        20, label="Votes needed", help="With fewer votes of yours, agreement can't be told from luck.", ge=2, le=10_000
    )
    max_votes: int = option(
        200, label="Votes used", help="At most so many votes are judged, drawn with the seed.", ge=2, le=100_000
    )
    without_votes: bool = option(
        False,
        label="Judge without votes",
        help="Use the judge though there are too few votes to check it by. The result is then marked as not checked "
        "against people.",
    )
    max_flip_rate: float = option(
        0.4,
        label="Flips allowed",
        help="The share of its clear preferences that may turn when the two answers change places. A coin turns half.",
        depth="essential",
        ge=0,
        le=1,
    )
    max_unusable: float = option(
        0.1, label="Unusable replies allowed", help="The share of replies that say no preference or score.", ge=0, le=1
    )
    max_position_bias: float = option(
        0.2,
        label="Pull of the place allowed",
        help="The share of pairs that may be lost to a liking for the first (or the second) answer.",
        depth="everything",
        ge=0,
        le=1,
    )
    temperature: float | None = option(
        0.0, label="Temperature", help="Empty leaves it to the endpoint; some allow no other.", depth="everything", ge=0
    )
    max_tokens: int = option(512, label="Longest reply", help="In tokens, thoughts included.", ge=1, le=131_072)
    key_variable: str | None = key_variable_option()
    structured: bool = option(
        True,
        label="Hold to the schema",
        help="Ask an endpoint to follow a JSON schema. Turn it off for one that refuses that; replies are checked "
        "either way.",
        depth="everything",
    )
    concurrency: int = concurrency_option()
    context_length: int = option(
        8192,
        label="Context length",
        help="For GGUF files and Ollama: tokens of question, answers and reply together.",
        depth="everything",
        ge=512,
        le=1_048_576,
    )
    batch_size: int = option(
        8, label="Batch", help="Questions that a loaded model judges together.", depth="everything", ge=1, le=1024
    )
    precision: Precision = precision_option()
    quantisation: Quantisation = quantisation_option()
    seed: int = option(0, label="Seed", help="Draws the votes and fixes any sampling.", depth="everything", ge=0)

    @field_validator("criteria")
    @classmethod
    def _named(cls, criteria: dict[str, str]) -> dict[str, str]:
        bad = [name for name in criteria if not re.fullmatch(r"\w[\w -]{0,39}", name)]
        if bad:
            raise ValueError(f"a criterion's name is a word or a few, of at most 40 characters; not {bad[0]!r}")
        return criteria

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, values: Any) -> Any:
        return without_key(values)


class JudgingSpec(Spec):
    """Answers given to a judge: those of a finished evaluation, or those that people voted on."""

    judge: JudgeSpec = option(label="Judge", help="Who judges, and when that is believed.", depth="essential")
    evaluation: str | None = option(
        None,
        label="Answers of",
        help="`job:ID` of a finished evaluation. Empty: the judge is only checked against your votes.",
        depth="essential",
        min_length=1,
    )
    reference: str | None = option(
        None,
        label="Compared with",
        help="The model of the evaluation that every other one is compared with; its first unless given.",
        min_length=1,
    )
    max_items: int | None = option(
        200, label="Questions", help="At most so many, drawn with the judge's seed; empty for all.", ge=1
    )
    confidence: float = option(0.95, label="Confidence", help="Of the intervals.", depth="everything", ge=0.5, le=0.999)

    @model_validator(mode="after")
    def _something_to_compare(self) -> Self:
        if self.reference is not None and self.evaluation is None:
            raise ValueError("`reference` names a model of an evaluation; give `evaluation` too")
        return self
