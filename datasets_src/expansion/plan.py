"""From a spec to plans that can be carried out: parameters, conditions and templates of each domain, all compiled.

Whatever can be wrong before a scenario is made is found here, all of it in one go.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import TYPE_CHECKING, Any

from datasets_src.expansion.expressions import FUNCTIONS, Expression, ExpressionError, compile_expression
from datasets_src.expansion.parameters import Parameter
from datasets_src.expansion.templates import (
    AnswerTemplate,
    TemplateProblem,
    TextTemplate,
    compile_answer,
    compile_text,
)

if TYPE_CHECKING:
    from datasets_src.expansion.spec import DomainSpec, ExpansionSpec

# Names that mean something else in an expression or a template.
RESERVED = {*FUNCTIONS, "loop", "true", "false", "none", "self", "varargs", "kwargs", "caller"}


@dataclass(frozen=True)
class Turn:
    """One exchange of a scenario, ready to be rendered."""

    name: str | None
    prompt: TextTemplate
    answer: AnswerTemplate


@dataclass(frozen=True)
class Condition:
    """A constraint as it was written, compiled."""

    text: str
    expression: Expression


@dataclass(frozen=True)
class Plan:
    """One domain, or the whole spec where there are none.

    `count`: scenarios wanted, None for all. `early` constraints need the parameters alone, `late` ones derived values.
    """

    tag: str | None
    count: int | None
    parameters: Mapping[str, Parameter]
    early: tuple[Condition, ...]
    derived: tuple[tuple[str, Expression], ...]
    late: tuple[Condition, ...]
    system: TextTemplate | None
    turns: tuple[Turn, ...]

    @property
    def combinations(self) -> int | None:
        """How many combinations the parameters have, None where a sampler draws from a curve."""
        sizes = [parameter.size for parameter in self.parameters.values()]
        return None if None in sizes else prod(size for size in sizes if size is not None)

    @property
    def even(self) -> bool:
        """Whether every combination is to be drawn equally often."""
        return all(parameter.even for parameter in self.parameters.values())

    def combination(self, place: int) -> dict[str, Any]:
        """The values at a place from 0 up to `combinations`; the last parameter changes fastest."""
        values: dict[str, Any] = {}
        for name in reversed(list(self.parameters)):
            size = self.parameters[name].size
            assert size is not None, "only finite parameters have places"
            place, own = divmod(place, size)
            values[name] = self.parameters[name].at(own)
        return dict(reversed(values.items()))

    def draw(self, seed: int, attempt: int) -> dict[str, Any]:
        """The values of one draw: equal for equal seed and attempt."""
        return {
            name: parameter.draw(seed, f"{self.tag or ''}/{name}/{attempt}")
            for name, parameter in self.parameters.items()
        }


def make_plans(spec: ExpansionSpec) -> list[Plan]:
    """The plans of a spec. Raises ValueError that names every problem and its place."""
    problems: list[str] = []
    counts = _counts(spec, problems)
    domains: Sequence[DomainSpec | None] = spec.domains or [None]
    plans = [_Planner(spec, domain, problems).plan(count) for domain, count in zip(domains, counts, strict=True)]
    if problems:
        raise ValueError("; ".join(dict.fromkeys(problems)))
    return plans


def _counts(spec: ExpansionSpec, problems: list[str]) -> list[int | None]:
    """How many scenarios each domain makes: its own count, else an even share of what is left of the whole."""
    given = [domain.count for domain in spec.domains] or [None]
    open_places = given.count(None)
    if spec.mode == "grid":
        if spec.count is not None:
            problems.append("count is for `mode: sample`; a grid makes every combination (a domain may have a count)")
        return given
    if spec.count is None:
        if open_places:
            problems.append("count is required with `mode: sample`: how many scenarios to make")
        return given
    left = spec.count - sum(count or 0 for count in given)
    if left < open_places or (left and not open_places):
        problems.append(f"count is {spec.count}, which the domains' own counts don't add up to")
    share, more = divmod(max(left, 0), max(open_places, 1))
    shares = iter([share + 1] * more + [share] * (open_places - more))
    return [next(shares) if count is None else count for count in given]


class _Planner:
    """Makes one domain's plan, noting what is wrong."""

    def __init__(self, spec: ExpansionSpec, domain: DomainSpec | None, problems: list[str]) -> None:
        self.spec = spec
        self.domain = domain
        self.problems = problems
        self.prefix = f"domain {domain.tag}: " if domain is not None else ""

    def note(self, place: str, problem: object) -> None:
        self.problems.append(f"{self.prefix}{place}: {problem}")

    def plan(self, count: int | None) -> Plan:
        spec, domain = self.spec, self.domain
        given = {**spec.parameters, **(domain.parameters if domain else {})}
        parameters = {name: Parameter(parameter) for name, parameter in given.items()}
        if not parameters:
            self.note("parameters", "there are none, so nothing would vary")
        if count is None:
            for name, parameter in parameters.items():
                if parameter.sampled:
                    self.note(f"parameters.{name}", "a grid needs every value; give a list or a range, or use a sample")
        expressions = {**spec.derived, **(domain.derived if domain else {})}
        derived = self._derived(expressions, set(parameters))
        known = {*parameters, *expressions}
        early, late = self._constraints(known, set(parameters))
        self._check_names(frozenset(spec.group_by), "group_by", known)
        system = (domain.system if domain else None) or spec.system
        return Plan(
            tag=domain.tag if domain else None,
            count=count,
            parameters=parameters,
            early=early,
            derived=derived,
            late=late,
            system=self._text(system, "system", known) if system else None,
            turns=tuple(self._turns(known)),
        )

    def _derived(self, given: Mapping[str, str], parameters: set[str]) -> tuple[tuple[str, Expression], ...]:
        """Derived values in an order in which each has what it needs."""
        compiled: dict[str, Expression] = {}
        for name, text in given.items():
            if name in parameters:
                self.note(f"derived.{name}", "is the name of a parameter as well")
            expression = self._expression(text, f"derived.{name}", parameters | set(given))
            if expression is not None:
                compiled[name] = expression
        needs = {name: expression.names & set(compiled) for name, expression in compiled.items()}
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            self.note("derived", f"these need one another: {' → '.join(reversed(error.args[1]))}")
            return ()
        return tuple((name, compiled[name]) for name in order)

    def _constraints(
        self, known: set[str], parameters: set[str]
    ) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
        spec, domain = self.spec, self.domain
        general = [] if domain and domain.replace_constraints else spec.constraints
        texts = [*general, *(domain.constraints if domain else [])]
        conditions = [
            Condition(text, expression)
            for number, text in enumerate(texts, start=1)
            if (expression := self._expression(text, f"constraint {number}", known)) is not None
        ]
        early = tuple(condition for condition in conditions if condition.expression.names <= parameters)
        return early, tuple(condition for condition in conditions if condition not in early)

    def _expression(self, text: str, place: str, known: set[str]) -> Expression | None:
        try:
            expression = compile_expression(text)
        except ExpressionError as error:
            self.note(place, error)
            return None
        self._check_names(expression.names, f"{place} `{text}`", known)
        return expression

    def _turns(self, known: set[str]) -> Iterator[Turn]:
        turns = (self.domain.template if self.domain else None) or self.spec.template
        for number, turn in enumerate(turns, start=1):
            place = "template" if len(turns) == 1 else f"template {number}"
            prompt = self._text(turn.prompt, f"{place}, prompt", known)
            try:
                answer = compile_answer(turn.answer)
            except TemplateProblem as error:
                self.note(f"{place}, answer", error)
                continue
            self._check_names(answer.names, f"{place}, answer", known)
            if prompt is not None:
                yield Turn(turn.name, prompt, answer)

    def _text(self, source: str, place: str, known: set[str]) -> TextTemplate | None:
        try:
            template = compile_text(source)
        except TemplateProblem as error:
            self.note(place, error)
            return None
        self._check_names(template.names, place, known)
        return template

    def _check_names(self, names: frozenset[str], place: str, known: set[str]) -> None:
        unknown = sorted(names - known)
        if unknown:
            shown = ", ".join(sorted(known)) or "none"
            self.note(place, f"{', '.join(unknown)} is neither a parameter nor derived; known: {shown}")


def check_name(name: str) -> None:
    """Raise ValueError unless a parameter or derived value can be called so."""
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name) or name in RESERVED:
        raise ValueError(
            f"'{name}' can't be a name here: use letters, digits and _, and no word that means something else"
        )
