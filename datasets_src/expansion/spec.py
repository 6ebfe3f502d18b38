"""ExpansionSpec: parameters, constraints and templates that a scenario is expanded from."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from datasets_src.expansion.parameters import ParameterSpec, check_value
from datasets_src.expansion.plan import check_name, make_plans
from datasets_src.spec import NAME_PATTERN
from jobs.spec import Spec, option

LIMIT = 1_000_000


class TurnSpec(Spec):
    """What is asked, and what is answered."""

    prompt: str = option(
        label="Prompt",
        help="A Jinja2 template over the parameters and derived values, as in `Range {{ range_km }} km.`",
        depth="essential",
        min_length=1,
    )
    answer: Any = option(
        label="Answer",
        help="A template; or an object or list whose texts are templates, which becomes an answer in JSON. A text that "
        "is one `{{ … }}` alone keeps its value's type, so that numbers stay numbers.",
        depth="essential",
    )
    name: str | None = option(
        None, label="Stage", help="What this turn is, such as `strategic`. Kept beside the row.", min_length=1
    )

    @field_validator("answer")
    @classmethod
    def _usable_answer(cls, answer: Any) -> Any:
        if not isinstance(answer, str | dict | list) or not answer:
            raise ValueError("the answer is text, or an object or list with something in it")
        check_value(answer)
        return answer


class DomainSpec(Spec):
    """A variation of the scenario. What it doesn't say is as in the spec that it is part of."""

    tag: str = option(label="Tag", help="Names the domain; its rows get it as their tag.", min_length=1)
    count: int | None = option(
        None,
        label="Scenarios",
        help="How many scenarios of this domain to draw. Without it, a sample is shared evenly between the domains, "
        "and a grid makes every combination.",
        ge=1,
    )
    parameters: dict[str, ParameterSpec] = option(
        dict, label="Parameters", help="Replace the general ones of the same name, or add to them."
    )
    constraints: list[str] = option(list, label="Constraints", help="Hold here in addition to the general ones.")
    replace_constraints: bool = option(
        False, label="Only these constraints", help="The general constraints don't hold in this domain."
    )
    derived: dict[str, str] = option(
        dict, label="Derived values", help="Replace the general ones of the same name, or add to them."
    )
    template: list[TurnSpec] | None = option(None, label="Template", help="Instead of the general one.", min_length=1)
    system: str | None = option(None, label="System prompt", help="Instead of the general one.", min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one_turn(cls, given: Any) -> Any:
        return _listed_template(given)

    @field_validator("parameters", "derived")
    @classmethod
    def _usable_names(cls, given: dict[str, Any]) -> dict[str, Any]:
        return _checked_names(given)


class ExpansionSpec(Spec):
    """A scenario with parameters, and how many rows to make of it. The same spec makes the same rows."""

    name: str = option(
        label="Name", help="Lower-case letters, digits, - and _. Groups of rows are named by it.", depth="essential"
    )
    parameters: dict[str, ParameterSpec] = option(
        dict,
        label="Parameters",
        help="What varies: for each name a list of values, a range (`start`, `stop` and `step` or `count`), or a "
        "sampler (`sampler: uniform`, `low`, `high`).",
        depth="essential",
    )
    derived: dict[str, str] = option(
        dict,
        label="Derived values",
        help="Expressions over the parameters and one another, so that an answer can depend on the state: "
        '`phase: \'"long range" if range_km > 15 else "close"\'`.',
    )
    constraints: list[str] = option(
        list,
        label="Constraints",
        help='Expressions that have to be true, such as `range_km < 40 or radar != "locked"`. A combination that '
        "breaks one is refused and counted.",
    )
    template: list[TurnSpec] = option(
        label="Template",
        help="A prompt and its answer; or a list of them, for a scenario that goes through several stages.",
        depth="essential",
        min_length=1,
        max_length=50,
    )
    stages: Literal["conversation", "rows"] = option(
        "conversation",
        label="Several stages",
        help="`conversation` makes them the turns of one row. `rows` makes each a row of its own; the rows of a "
        "scenario are one group, so that a split never parts them.",
    )
    group_by: list[str] = option(
        list,
        label="Keep together by",
        help="Parameters or derived values: scenarios that are equal in all of them are one group, so that a split "
        "never parts them, as with one code snippet explained at four levels. Without any, each scenario is a group.",
    )
    system: str | None = option(None, label="System prompt", help="A template put before each row.", min_length=1)
    domains: list[DomainSpec] = option(
        list,
        label="Domains",
        help="Variations of the scenario, each with a tag. Where there are any, only they are expanded; a domain with "
        "nothing but a tag is the scenario as it stands here.",
        max_length=200,
    )
    mode: Literal["grid", "sample"] = option(
        "grid",
        label="Which combinations",
        help="`grid`: all that satisfy the constraints. `sample`: a seeded random choice of `count` different ones.",
        depth="essential",
    )
    count: int | None = option(
        None, label="Scenarios", help="How many scenarios a sample makes, over all domains.", depth="essential", ge=1
    )
    seed: int = option(0, label="Seed", help="Another seed gives another sample.", ge=0, le=2**63 - 1)
    limit: int = option(
        LIMIT,
        label="At most combinations",
        help="A grid of more combinations is refused before anything is made; a sample gives up after so many.",
        depth="everything",
        ge=1,
        le=1_000_000_000,
    )

    @model_validator(mode="before")
    @classmethod
    def _one_turn(cls, given: Any) -> Any:
        return _listed_template(given)

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError("use 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit")
        return name

    @field_validator("parameters", "derived")
    @classmethod
    def _usable_names(cls, given: dict[str, Any]) -> dict[str, Any]:
        return _checked_names(given)

    @field_validator("domains")
    @classmethod
    def _distinct_tags(cls, domains: list[DomainSpec]) -> list[DomainSpec]:
        tags = [domain.tag for domain in domains]
        repeated = sorted({tag for tag in tags if tags.count(tag) > 1})
        if repeated:
            raise ValueError(f"{', '.join(repeated)} is the tag of more than one domain")
        return domains

    @model_validator(mode="after")
    def _can_be_planned(self) -> Self:
        make_plans(self)
        return self


def _listed_template(given: Any) -> Any:
    """A single turn may stand for a list of one."""
    if isinstance(given, dict) and isinstance(given.get("template"), dict):
        return {**given, "template": [given["template"]]}
    return given


def _checked_names(given: dict[str, Any]) -> dict[str, Any]:
    for name in given:
        check_name(name)
    return given
