"""SynthesisSpec: what rows to make, of what, by which teachers, and when to stop.

The form, the command line, the YAML file and the options' documentation are derived from these fields.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal, Self

from pydantic import field_validator, model_validator

from datasets_src.spec import NAME_PATTERN
from datasets_src.synthesis.teacher_spec import TeacherSpec
from jobs.spec import Spec, option

Mode = Literal["question_answer", "self_instruct", "rewrite", "answers", "chain_of_thought", "multi_turn"]
Evolution = Literal["harder", "concrete", "reworded", "constrained", "broader", "simpler"]
NEEDS_INPUT: tuple[Mode, ...] = ("question_answer", "rewrite", "answers", "chain_of_thought")


class DomainSpec(Spec):
    """A kind of rows and how many of them are wanted."""

    name: str = option(
        label="Name", help="The tag that these rows get.", depth="essential", min_length=1, max_length=80
    )
    count: int | None = option(
        None,
        label="Rows",
        help="How many rows to make. Empty: every row of the input is used once, whatever comes of it.",
        depth="essential",
        ge=1,
        le=10_000_000,
    )
    description: str | None = option(
        None,
        label="Description",
        help="What belongs to it, in a sentence or two that the teacher is told.",
        depth="essential",
        min_length=1,
    )


class JudgeSpec(Spec):
    """A score for every row, and the least that is kept."""

    rubric: str = option(
        label="Rubric",
        help="What makes a row good, in one sentence. The judge gives 1 (useless) to 10 (perfect) for it.",
        depth="essential",
        min_length=1,
    )
    min_score: int = option(7, label="Keep from", help="Rows with a lower score are refused.", ge=1, le=10)
    teacher: str | None = option(
        None,
        label="Judge",
        help="The name of the teacher that judges; the first unless given. One that others' rows are judged by and "
        "that writes none has the share 0.",
    )


class SynthesisSpec(Spec):
    """What rows to make, of what, and by which teachers."""

    name: str = option(
        label="Name",
        help="Lower-case letters, digits, - and _.",
        depth="essential",
    )
    mode: Mode = option(
        label="What to make",
        help="`question_answer`: questions that documents answer. `self_instruct`: new tasks in the manner of example "
        "rows. `rewrite`: rows made harder, more concrete or worded anew. `answers`: the teacher's answers to given "
        "prompts. `chain_of_thought`: answers with the reasoning before them. `multi_turn`: conversations.",
        depth="essential",
    )
    teachers: list[TeacherSpec] = option(
        label="Teachers",
        help="The models that write. Several work at once, each on its share.",
        depth="essential",
        min_length=1,
    )
    domains: list[DomainSpec] = option(
        label="Domains",
        help="How many rows of what to make. Input rows with a `tag` are used for the domain of that name alone.",
        depth="essential",
        min_length=1,
    )
    input: str | None = option(
        None,
        label="Input",
        help="The file or folder with documents (PDF, Word, text, or a `text` column), example rows or prompts. A "
        "relative path starts at the spec file's folder. `self_instruct` and `multi_turn` work without one.",
        depth="essential",
        min_length=1,
    )
    instructions: str | None = option(
        None,
        label="Instructions",
        help="What the teacher is told besides: language, style, level. It does not stand in the rows.",
        depth="essential",
        min_length=1,
    )
    system_prompt: str | None = option(
        None, label="System prompt", help="Stands at the beginning of every row that is made.", min_length=1
    )
    judge: JudgeSpec | None = option(
        None, label="Judge", help="A teacher that scores every row, so that weak ones are refused. Doubles the calls."
    )
    similarity: float | None = option(
        0.7,
        label="Too alike from",
        help="New questions whose words overlap with an earlier one's from this share on (ROUGE-L) are refused. Empty "
        "refuses exact repetitions alone.",
        gt=0,
        le=1,
    )
    pairs_per_document: int = option(
        3, label="Questions per document", help="Asked for in one request. For `question_answer`.", ge=1, le=20
    )
    document_characters: int = option(
        6000,
        label="Longest piece",
        help="Longer documents are cut into pieces of this many characters, at paragraphs where possible.",
        depth="everything",
        ge=200,
        le=500_000,
    )
    examples: int = option(
        3, label="Examples shown", help="Rows of the input shown with each request of `self_instruct`.", ge=0, le=20
    )
    evolutions: list[Evolution] = option(
        lambda: ["harder", "concrete", "reworded"],
        label="Rewritten to be",
        help="For `rewrite`, taken in turn: harder, more concrete, worded anew, under a further constraint, on a "
        "broader matter, simpler.",
        min_length=1,
    )
    turns: int = option(
        3, label="Exchanges", help="Questions with answers in a `multi_turn` conversation.", ge=2, le=20
    )
    reasoning_style: Literal["text", "think_tags"] = option(
        "text",
        label="Reasoning is written",
        help="For `chain_of_thought`: as plain text before `Answer:`, or inside <think> tags before the answer.",
    )
    attempts: float = option(
        3.0,
        label="Attempts per row",
        help="Refused rows are made up for by further requests, up to this many times those that the count needs.",
        depth="everything",
        ge=1,
        le=100,
    )
    max_cost: float | None = option(
        None,
        label="Spend at most",
        help="No request is made that could cost more than is left of this. Needs every teacher's prices and longest "
        "answer. A call that timed out may be billed without being counted.",
        gt=0,
    )
    request_timeout: float = option(
        120.0, label="Time for an answer", help="In seconds; what takes longer is asked again.", gt=0, le=3600
    )
    retries: int = option(
        4,
        label="Retries",
        help="How often a request that failed, or whose answer was of no use, is made again before it is given up.",
        ge=0,
        le=20,
    )
    backoff_seconds: float = option(
        1.0,
        label="First wait",
        help="Before the first retry, in seconds; doubled for each further one, up to a minute.",
        depth="everything",
        ge=0,
        le=60,
    )
    seed: int = option(
        0, label="Seed", help="Another seed uses the input in another order.", depth="everything", ge=0, le=2**63 - 1
    )

    @property
    def judging_teacher(self) -> TeacherSpec | None:
        """Who scores, None when nobody does."""
        if self.judge is None:
            return None
        return next((one for one in self.teachers if one.title == self.judge.teacher), self.teachers[0])

    def with_absolute_paths(self, base: Path) -> Self:
        """The same spec with its input's path resolved against `base`, for a job that runs elsewhere."""
        return self.model_copy(update={"input": str((base / self.input).resolve())}) if self.input else self

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError("use 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit")
        return name

    @field_validator("domains")
    @classmethod
    def _different_domains(cls, domains: list[DomainSpec]) -> list[DomainSpec]:
        _require_different([domain.name for domain in domains], "domains")
        return domains

    @field_validator("teachers")
    @classmethod
    def _somebody_writes(cls, teachers: list[TeacherSpec]) -> list[TeacherSpec]:
        _require_different([teacher.title for teacher in teachers], "teachers")
        if not any(teacher.weight for teacher in teachers):
            raise ValueError("every share is 0, so that nobody writes; give one teacher a share")
        return teachers

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.input is None and self.mode in NEEDS_INPUT:
            raise ValueError(f"`{self.mode}` needs an input file")
        uncounted = [domain.name for domain in self.domains if domain.count is None]
        if uncounted and (self.input is None or self.mode == "self_instruct"):
            raise ValueError(f"domain '{uncounted[0]}' needs a count: there is no input that says how many rows")
        titles = [teacher.title for teacher in self.teachers]
        if self.judge and self.judge.teacher is not None and self.judge.teacher not in titles:
            raise ValueError(f"judge.teacher is '{self.judge.teacher}'; the teachers are {', '.join(titles)}")
        unbounded = [one.title for one in self.teachers if not one.priced or one.max_tokens is None]
        if self.max_cost is not None and unbounded:
            raise ValueError(f"max_cost needs price_in, price_out and max_tokens of {', '.join(unbounded)}")
        return self


def _require_different(names: list[str], what: str) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"two {what} are named '{repeated[0]}'; give each a name of its own")
