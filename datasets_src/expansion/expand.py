"""From a spec to rows: scenarios rendered one by one, what is refused counted with its reason, nothing held in memory
but a hash of each row.

A YAML file that holds an ExpansionSpec is a source of rows like any other file: `read_expansion`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datasets_src.expansion.expressions import Expression, ExpressionError
from datasets_src.expansion.parameters import check_size
from datasets_src.expansion.plan import Plan, make_plans
from datasets_src.expansion.scenarios import Candidates, candidates
from datasets_src.expansion.spec import ExpansionSpec
from datasets_src.expansion.templates import Answer, TemplateProblem, to_json
from datasets_src.rows import Message, RawRow, Row
from jobs.errors import BadInput, Missing
from jobs.spec import read_yaml

EXAMPLES = 3
LONGEST_EXAMPLE = 160
# PyYAML reads about half a megabyte a second, and a spec is written by hand.
LARGEST_FILE = 2_000_000

Reason = Literal["constraint", "duplicate", "contradiction", "empty"]


@dataclass(frozen=True)
class Refusal:
    """Rows that were not made, for one reason. `what` names the constraint; `examples` are a few of them."""

    reason: Reason
    what: str
    count: int
    examples: tuple[dict[str, Any], ...]


@dataclass
class _Refused:
    """Counts refusals as they come."""

    found: dict[tuple[Reason, str], Refusal] = field(default_factory=dict)

    def add(self, reason: Reason, what: str, scenario: dict[str, Any], detail: str = "") -> None:
        known = self.found.get((reason, what), Refusal(reason, what, 0, ()))
        examples = known.examples
        if len(examples) < EXAMPLES:
            detailed = {"detail": detail} if detail else {}
            examples = (*examples, {"scenario": scenario, **detailed})
        self.found[reason, what] = Refusal(reason, what, known.count + 1, examples)


@dataclass(frozen=True)
class _Made:
    """A row, and for each answer in it the hashes of what comes before it and of the answer itself."""

    row: Row
    exchanges: tuple[tuple[int, int], ...]


class Expansion:
    """The rows of a spec, made as they are iterated over; each iteration starts anew and gives the same.

    `made` rows, `scenarios` and `refusals` are those of the latest iteration so far, `fraction` how far it is.
    """

    def __init__(self, spec: ExpansionSpec) -> None:
        self.spec = spec
        self._plans = make_plans(spec)
        # Refused here, before a row is made, when a grid is too large.
        for plan in self._plans:
            candidates(plan, spec.seed, spec.limit)
        self._start()

    def _start(self) -> None:
        self.made = 0
        self.scenarios = 0
        self.fraction = 0.0
        self._refused = _Refused()
        self._answers: dict[int, int] = {}

    @property
    def refusals(self) -> list[Refusal]:
        """What was refused and why, the most frequent first."""
        return sorted(self._refused.found.values(), key=lambda refusal: (-refusal.count, refusal.reason, refusal.what))

    def __iter__(self) -> Iterator[Row]:
        """The rows. Raises BadInput where an expression or template fails, or a sample can't be reached."""
        self._start()
        for place, plan in enumerate(self._plans):
            found = candidates(plan, self.spec.seed, self.spec.limit)
            yield from self._rows_of(plan, found, place)
        self.fraction = 1.0
        if not self.made:
            raise BadInput(
                f"The expansion {self.spec.name} makes no row.",
                self._in_words() or "Nothing was left to make one of.",
                "Loosen the constraints, or give other values.",
            )

    def _rows_of(self, plan: Plan, found: Candidates, place: int) -> Iterator[Row]:
        accepted = tried = 0
        wanted = plan.count or found.total or 1
        for scenario in found.values:
            tried += 1
            rows = self._scenario(plan, scenario)
            accepted += bool(rows)
            done = tried if plan.count is None else accepted
            self.fraction = (place + min(1.0, done / wanted)) / len(self._plans)
            self.made += len(rows)
            yield from rows
            if accepted == plan.count:
                return
        if plan.count is not None:
            raise self._too_few(plan, found, accepted, tried)

    def _scenario(self, plan: Plan, scenario: dict[str, Any]) -> list[Row]:
        """The rows of one scenario that can be kept: none where a constraint is broken."""
        values = self._values(plan, scenario)
        if values is None:
            return []
        number = self.scenarios + 1
        kept = [made.row for made in self._render(plan, scenario, values, number) if self._is_new(made, scenario)]
        self.scenarios += bool(kept)
        return kept

    def _values(self, plan: Plan, scenario: dict[str, Any]) -> dict[str, Any] | None:
        """Parameters and derived values, None where a constraint is broken."""
        values = dict(scenario)
        for condition in plan.early:
            if not self._computed(condition.expression, values, scenario, condition=True):
                self._refused.add("constraint", condition.text, scenario)
                return None
        for name, expression in plan.derived:
            values[name] = self._computed(expression, values, scenario)
        for condition in plan.late:
            if not self._computed(condition.expression, values, scenario, condition=True):
                self._refused.add("constraint", condition.text, scenario)
                return None
        return values

    def _computed(
        self, expression: Expression, values: dict[str, Any], scenario: dict[str, Any], condition: bool = False
    ) -> Any:
        try:
            return expression.holds(values) if condition else expression.value(values)
        except ExpressionError as error:
            raise self._failed(str(error), scenario) from error

    def _render(self, plan: Plan, scenario: dict[str, Any], values: dict[str, Any], number: int) -> Iterator[_Made]:
        """One row, or one for each stage, without those whose prompt or answer is empty."""
        try:
            system = plan.system.text(values) if plan.system else None
            turns = [(turn.name, turn.prompt.text(values), turn.answer.answer(values)) for turn in plan.turns]
        except TemplateProblem as error:
            raise self._failed(str(error), scenario) from error
        start: list[Message] = [{"role": "system", "content": system}] if system else []
        stages = [[turn] for turn in turns] if self.spec.stages == "rows" else [turns]
        for stage in stages:
            if all(prompt.strip() and answer.text.strip() for _, prompt, answer in stage):
                yield self._row(plan, scenario, self._group(values, number), start, stage)
            else:
                self._refused.add("empty", "a prompt or an answer is empty", scenario)

    def _group(self, values: dict[str, Any], number: int) -> str:
        """What a split keeps together: one scenario, or all that share the values that the spec names."""
        if not self.spec.group_by:
            return f"{self.spec.name}/{number}"
        shared = to_json([values[name] for name in self.spec.group_by])
        return f"{self.spec.name}/{_hash(shared):016x}"

    def _row(
        self,
        plan: Plan,
        scenario: dict[str, Any],
        group: str,
        start: list[Message],
        stage: Sequence[tuple[str | None, str, Answer]],
    ) -> _Made:
        messages, exchanges = list(start), []
        for _, prompt, answer in stage:
            messages.append({"role": "user", "content": prompt})
            before = "\0".join(f"{message['role']}\1{message['content']}" for message in messages)
            exchanges.append((_hash(before), _hash(answer.text)))
            messages.append({"role": "assistant", "content": answer.text})
        row: Row = {"messages": messages, "scenario": scenario, "group": group}
        if plan.tag is not None:
            row["tag"] = plan.tag
        structured = [answer.structured for _, _, answer in stage]
        if structured[-1] is not None:
            row["answer"] = structured[-1]
        names = [name for name, _, _ in stage if name is not None]
        if names:
            row["stage"] = names[0] if len(stage) == 1 else names
        return _Made(row, tuple(exchanges))

    def _is_new(self, made: _Made, scenario: dict[str, Any]) -> bool:
        """Whether no earlier row asks the same; if it is, it is remembered."""
        known = [self._answers.get(before) for before, _ in made.exchanges]
        given = [answer for _, answer in made.exchanges]
        prompt = made.row["messages"][-2]["content"]
        if any(earlier not in (None, answer) for earlier, answer in zip(known, given, strict=True)):
            what = "the same prompt has another answer in an earlier row"
            self._refused.add("contradiction", what, scenario, _shorten(prompt))
            return False
        if None not in known:
            self._refused.add("duplicate", "an earlier row is the same", scenario, _shorten(prompt))
            return False
        self._answers.update(made.exchanges)
        return True

    def _too_few(self, plan: Plan, found: Candidates, accepted: int, tried: int) -> BadInput:
        domain = f" of the domain {plan.tag}" if plan.tag else ""
        reached = (
            f"Only {accepted:,} are possible: all {found.total:,} combinations were tried."
            if found.total is not None
            else f"Only {accepted:,} were found in {tried:,} different combinations, after which it gave up."
        )
        return BadInput(
            f"The expansion {self.spec.name} can't make {plan.count:,} different scenarios{domain}.",
            f"{reached} {self._in_words()}".strip(),
            f"Ask for {accepted:,} or fewer, loosen the constraints, or give more values.",
        )

    def _in_words(self) -> str:
        """The refusals as a sentence."""
        parts = [f"{refusal.count:,} × {refusal.reason} ({refusal.what})" for refusal in self.refusals]
        return f"Refused: {'; '.join(parts)}." if parts else ""

    def _failed(self, problem: str, scenario: dict[str, Any]) -> BadInput:
        values = ", ".join(f"{name} = {_shorten(repr(value), 40)}" for name, value in scenario.items())
        return BadInput(
            f"The expansion {self.spec.name} fails: {problem}.",
            f"It is so for the scenario with {values}.",
            "Mend it there, or rule such scenarios out with a constraint.",
        )


def expand(spec: ExpansionSpec) -> Expansion:
    """The rows of a spec, still to be made. Raises BadInput for a grid that is too large.

    A row: `messages`, `scenario` (its parameters), `group` (the spec's name and the scenario's number, or what
    `group_by` makes equal); with a domain its `tag`, for a structured answer the value under `answer` (that of the
    last turn), for named stages their name under `stage`.
    Equal prompts are kept once: a later row with the same answer is a duplicate, one with another a contradiction.
    """
    return Expansion(spec)


def read_expansion(path: Path) -> Iterator[RawRow]:
    """The rows of the ExpansionSpec in a YAML file. Raises Missing or BadInput."""
    if not path.is_file():
        raise Missing(f"There is no file {path}.", "Rows are to be expanded from it.", "Check the path.")
    if path.stat().st_size > LARGEST_FILE:
        raise BadInput(
            f"{path} has {path.stat().st_size / 1e6:.1f} MB.",
            f"A YAML file as a source holds an expansion, which takes at most {LARGEST_FILE / 1e6:.0f} MB.",
            "Save rows as JSONL; put long lists of values into fewer.",
        )
    try:
        values = read_yaml(path)
        check_size(values)
    except (RecursionError, ValueError) as error:
        raise BadInput(f"{path} can't be read as an expansion.", str(error), "Check it.") from error
    expansion = expand(ExpansionSpec.parse(values, where=str(path)))
    for number, row in enumerate(expansion, start=1):
        yield RawRow(number, row, expansion.fraction)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _shorten(text: str, longest: int = LONGEST_EXAMPLE) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
