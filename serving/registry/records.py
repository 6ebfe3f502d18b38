"""What the registry keeps: a version with lineage, evidence, licences and stage; a change; what may be a name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from jobs.errors import BadInput

Stage = Literal["candidate", "production", "retired"]
Action = Literal["register", "promote", "roll back", "retire", "delete"]
STAGES: tuple[Stage, ...] = get_args(Stage)
PREFIX = "registry:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_NAMED = re.compile(rf"({NAME.pattern})(?:@([0-9]{{1,9}})|:(candidate|production))?")
LONGEST_TAG, MOST_TAGS, LONGEST_TEXT = 40, 20, 4000


@dataclass(frozen=True)
class Lineage:
    """Where a version came from, as far as that is known.

    `base`: the untrained model below it; `parent`: the tuned model that its training went on from; `data`: as
    name@version; `method`: such as "sft, lora"; `spec`: the training's spec as YAML; `job` and `export`: job ids.
    """

    base: str | None = None
    parent: str | None = None
    data: str | None = None
    method: str | None = None
    spec: str | None = None
    job: str | None = None
    export: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What one evaluation measured of a version: the mean of one metric with its interval, and the verdict on it.

    `measured`: the model as the evaluation named it, which for a GGUF file may be the training it was exported from;
    `against`, `outcome` and `sentence` are None where it was the reference itself. `time`: seconds since 1970.
    """

    job: str
    time: float
    task: str
    data: str
    metric: str
    main: bool
    unit: str
    measured: str
    mean: float
    low: float | None
    high: float | None
    against: str | None
    outcome: str | None
    sentence: str | None


@dataclass(frozen=True)
class Licences:
    """Short names of licences; None: not stated anywhere that Hearth can see."""

    base: str | None = None
    data: str | None = None


@dataclass(frozen=True)
class Version:
    """One version of a registered model. `ref`: how the rest of Hearth names it, such as job:<id> or a GGUF's path.

    `sha256` is of the files that `ref` stands for; None where they are elsewhere. `created`: seconds since 1970.
    """

    name: str
    number: int
    ref: str
    stage: Stage
    created: float
    sha256: str | None
    lineage: Lineage
    evidence: tuple[Evidence, ...] = ()
    licences: Licences = field(default_factory=Licences)
    tags: tuple[str, ...] = ()
    note: str = ""

    @property
    def label(self) -> str:
        """`name@number`."""
        return f"{self.name}@{self.number}"


@dataclass(frozen=True)
class Change:
    """A line of a name's history: what was done to which version, and which was in production before and after."""

    time: float
    name: str
    number: int
    action: Action
    before: int | None
    after: int | None
    reason: str


@dataclass(frozen=True)
class Named:
    """A text such as `name`, `name@3` or `name:candidate` taken apart."""

    name: str
    number: int | None
    stage: Stage


def check_name(name: str) -> str:
    """The name. Raises BadInput for one that files, commands and addresses couldn't all take."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name[:100]!r} can't be a model's name.",
            "A name has 1 to 80 letters (a to z, A to Z), digits, dots, - and _, and begins with a letter or digit; "
            "@ and : stand between a name and its version.",
            "Choose a name such as support-bot.",
        )
    return name


def parse_named(text: str) -> Named:
    """`name` (its production version), `name@3` or `name:candidate`, with or without `registry:` before it.

    Raises BadInput for anything else.
    """
    bare = text.strip().removeprefix(PREFIX)
    found = _NAMED.fullmatch(bare)
    if found is None:
        raise BadInput(
            f"{bare[:100]!r} names no registered model.",
            "It is none of `name`, `name@3` and `name:candidate`.",
            "`python cli.py registry list` shows the names.",
        )
    name, number, stage = found.groups()
    return Named(name, int(number) if number else None, "candidate" if stage == "candidate" else "production")


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags without spaces around them, each once, in order. Raises BadInput for what can't be a tag."""
    kept = tuple(dict.fromkeys(tag.strip().removeprefix("#") for tag in tags if tag.strip()))
    bad = [tag for tag in kept if len(tag) > LONGEST_TAG or "," in tag or not tag.isprintable()]
    if bad:
        raise BadInput(
            f"{bad[0][:60]!r} can't be a tag.",
            f"A tag is one line of at most {LONGEST_TAG} characters without a comma.",
            "Write a few short tags, with commas between them; a note takes longer text.",
        )
    if len(kept) > MOST_TAGS:
        raise BadInput(f"{len(kept)} tags are too many.", f"A version takes {MOST_TAGS} at most.", "Leave some out.")
    return kept


def check_text(text: str, what: str) -> str:
    """A note or reason on one line: what could move a terminal's cursor becomes a space. Raises BadInput if long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(line) > LONGEST_TEXT:
        raise BadInput(
            f"The {what} has {len(line):,} characters.",
            f"It holds {LONGEST_TEXT:,} at most.",
            "Shorten it, or keep the long text in a file and name the file.",
        )
    return line
