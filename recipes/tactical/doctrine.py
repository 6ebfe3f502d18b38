"""The rule book as code: reads doctrine.yaml, advises for a moment of the game, and says which laws an advice breaks.

Its expressions are an expansion's own, so that rows expanded from seeds and moments of the simulator are labelled by
the same text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from datasets_src.expansion import ExpansionSpec
from datasets_src.expansion.expressions import Expression, compile_expression
from datasets_src.expansion.plan import Plan, make_plans
from jobs.spec import Spec, option
from recipes.tactical.answers import ANSWER_SCHEMA, LARGEST_DELTA
from recipes.tactical.state import NUMBERS, SETTING, Domain, Scenario

FILE = Path(__file__).with_name("doctrine.yaml")
ANSWER = {name: f"{{{{ {name} }}}}" for name in ANSWER_SCHEMA["required"]}


class MoveSpec(Spec):
    """One move of the game."""

    how: str = option(label="Guidance", help="How to fly it.", min_length=1)
    aim: str = option(label="Aim", help="What it serves: attack, prepare, survive or leave.", min_length=1)
    delta: float = option(
        label="Shaping delta", help="Added to a learner's reward.", ge=-LARGEST_DELTA, le=LARGEST_DELTA
    )


class RuleSpec(Spec):
    """One rule: the first of its domain whose condition holds is followed."""

    when: str = option("True", label="When", help="An expression over numbers and facts.")
    because: str = option(label="Assessment", help="What decides.", min_length=1)
    do: str = option(label="Recommendation", help="The move, one word.", pattern=r"^[a-z]+$")


class DomainRules(Spec):
    """A domain of the game."""

    constraints: list[str] = option(list, label="Constraints", help="What its moments are.")
    situation: str = option(label="Situation", help="A template that tells the moment.", min_length=1)
    rules: list[RuleSpec] = option(label="Rules", help="In order; the last fits always.", min_length=1)


class LawSpec(Spec):
    """What must not be advised."""

    name: str = option(label="Name", help="The law in words.", min_length=1)
    domains: list[Domain] = option(label="Domains", help="Where it holds.", min_length=1)
    when: str = option(label="When", help="An expression over numbers and facts.", min_length=1)
    forbids: list[str] = option(list, label="Forbids", help="Moves that are against it.")
    except_for: list[str] = option(list, label="All but", help="The only moves that are not against it.")

    def is_broken_by(self, recommendation: str) -> bool:
        """Whether this advice is against the law, where it holds."""
        return recommendation in self.forbids or bool(self.except_for and recommendation not in self.except_for)


class StageSpec(Spec):
    """One turn of a moment that is thought through in several."""

    name: str = option(label="Stage", help="Such as strategic.", min_length=1)
    prompt: str = option(label="Question", help="A template.", min_length=1)
    answer: str = option(label="Answer", help="A template over the rule's answer.", min_length=1)


class DoctrineSpec(Spec):
    """The whole rule book."""

    system: str = option(label="System prompt", help="Before every moment.", min_length=1)
    facts: dict[str, str] = option(label="Facts", help="Expressions over the numbers and one another.")
    constraints: list[str] = option(list, label="Constraints", help="What a moment of any domain is.")
    moves: dict[str, MoveSpec] = option(label="Moves", help="All that rules may recommend.")
    domains: dict[Domain, DomainRules] = option(label="Domains", help="Each with its rules.")
    stages: list[StageSpec] = option(label="Stages", help="Turns of one conversation, in order.", min_length=1)
    laws: list[LawSpec] = option(list, label="Laws", help="What must not be advised.")

    @model_validator(mode="after")
    def _moves_are_known(self) -> Self:
        advised = {rule.do for domain in self.domains.values() for rule in domain.rules}
        judged = {move for law in self.laws for move in (*law.forbids, *law.except_for)}
        unknown = sorted((advised | judged) - set(self.moves))
        if unknown:
            raise ValueError(
                f"rules or laws name {', '.join(unknown)}, which is no move (there are: {', '.join(self.moves)})"
            )
        return self


@dataclass(frozen=True)
class Law:
    """A law, ready to be looked at."""

    spec: LawSpec
    holds: Expression


class Doctrine:
    """One domain's part of the rule book."""

    def __init__(self, book: DoctrineSpec, domain: Domain) -> None:
        self.domain = domain
        self.rules = book.domains[domain].rules
        self.options = tuple(dict.fromkeys(rule.do for rule in self.rules))
        self.situation = f"{book.domains[domain].situation} Cues: {{{{ cues }}}}."
        self._book = book
        self._plan: Plan = make_plans(self.expansion({name: [0] for name in (*NUMBERS, *SETTING)}))[0]
        self._laws = [Law(law, compile_expression(law.when)) for law in book.laws if domain in law.domains]

    @property
    def prompt(self) -> str:
        """The template of a question: the situation, and what there is to choose from."""
        *first, last = self.options
        return f"{self.situation} Choose {', '.join(first)} or {last}."

    @property
    def stages(self) -> list[dict[str, str]]:
        """The template of a moment in several turns, the situation told before the first question."""
        first, *others = [stage.model_dump() for stage in self._book.stages]
        return [{**first, "prompt": f"{self.situation} {first['prompt']}"}, *others]

    def expansion(self, parameters: dict[str, Any], **more: Any) -> ExpansionSpec:
        """The expansion that this domain is: its rows are questions with the rule book's answers."""
        return ExpansionSpec.parse(
            {
                "name": "tactical",
                "system": self._book.system,
                "parameters": parameters,
                "derived": {**self._book.facts, **self._answers()},
                "constraints": [*self._book.constraints, *self._book.domains[self.domain].constraints],
                "template": {"prompt": self.prompt, "answer": ANSWER},
                **more,
            },
            where=f"the rule book's domain {self.domain}",
        )

    def _answers(self) -> dict[str, str]:
        """The answer's parts as expressions: which rule fits, and what it says."""
        conditions = [f"{number} if {rule.when} else" for number, rule in enumerate(self.rules[:-1])]
        moves = [self._book.moves[rule.do] for rule in self.rules]
        return {
            "rule": " ".join([*conditions, str(len(self.rules) - 1)]),
            "cues": self._cues(),
            "assessment": self._by_rule([rule.because for rule in self.rules]),
            "recommendation": self._by_rule([rule.do for rule in self.rules]),
            "guidance": self._by_rule([move.how for move in moves]),
            "aim": self._by_rule([move.aim for move in moves]),
            "shaping_delta": self._by_rule([move.delta for move in moves]),
        }

    def _cues(self) -> str:
        """An expression that gives what speaks for each rule that fits, in the rules' order."""
        # What comes after the rule that decides is told with a comma before it.
        others = [
            f'({json.dumps(f", {rule.because}")} if rule < {number} and ({rule.when}) else "")'
            for number, rule in enumerate(self.rules[:-1])
        ]
        return " + ".join(["assessment", *others[1:]])

    def _by_rule(self, answers: Sequence[str | float]) -> str:
        """An expression that gives one of these by the number of the rule."""
        written = [json.dumps(answer) for answer in answers]
        cases = [f"{text} if rule == {number} else" for number, text in enumerate(written[:-1])]
        return " ".join([*cases, written[-1]])

    def values(self, scenario: Scenario) -> dict[str, Any]:
        """A moment's numbers with all facts, and the rule's answer by the names of its parts."""
        found = dict(scenario)
        for name, expression in self._plan.derived:
            found[name] = expression.value(found)
        return found

    def allows(self, scenario: Scenario) -> bool:
        """Whether the moment can be one of this domain."""
        found = self.values(scenario)
        return all(condition.expression.holds(found) for condition in (*self._plan.early, *self._plan.late))

    def messages(self, scenario: Scenario, before: str = "") -> list[dict[str, str]]:
        """The conversation about a moment, the rule book's answer last; `before` is said ahead of the situation."""
        found = self.values(scenario)
        (turn,) = self._plan.turns
        return [
            {"role": "system", "content": self._book.system},
            {"role": "user", "content": f"{before}{turn.prompt.text(found)}"},
            {"role": "assistant", "content": turn.answer.answer(found).text},
        ]

    def broken_laws(self, scenario: Scenario, recommendation: str) -> list[str]:
        """The laws that a recommendation is against in this moment; an unknown one is against the first of all."""
        if recommendation not in self.options:
            return ["advise a move of the game"]
        found = self.values(scenario)
        return [law.spec.name for law in self._laws if law.holds.holds(found) and law.spec.is_broken_by(recommendation)]


@cache
def doctrine(domain: Domain) -> Doctrine:
    """The rule book of a domain."""
    return Doctrine(DoctrineSpec.load(FILE), domain)
