"""Which model or ensemble a request goes to: the first rule that fits, else the default. Asks no model."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping

from datasets_src.checks.language import language_of
from jobs.errors import BadInput, Missing
from serving.router.conditions import Classifies, Evidence, fits
from serving.router.decision import ASKED_BY_NAME, DEFAULT_ROUTE, Decision
from serving.router.question import Question
from serving.router.spec import AUTO, RouterSpec
from serving.router.weights import drawn_choice, sticky_choice


class Chooser:
    """Decides by a RouterSpec. `classifiers`: those its rules name; `draw`: for askers that can't be told apart."""

    def __init__(
        self,
        spec: RouterSpec,
        models: Collection[str],
        classifiers: Mapping[str, Classifies] | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        problems = spec.problems(models)
        if problems:
            raise BadInput(
                "The router can't be used:\n" + "\n".join(f"  - {line}" for line in problems),
                "It can only send to models that are served.",
                "Mend the names, or serve these models.",
            )
        self.spec = spec
        self.models = frozenset(models)
        self.ensembles = {each.name: each for each in spec.ensembles}
        self._rules = {rule.name: rule for rule in spec.rules}
        self._classifiers = classifiers or {}
        self._draw = draw
        _require_classifiers(spec, self._classifiers)
        if any(rule.when.languages for rule in spec.rules):
            # The first text that is not English loads the identifier, which takes seconds: not while somebody waits.
            language_of("Wer einmal lügt, dem glaubt man nicht, und wenn er auch die Wahrheit spricht.")

    @property
    def routes(self) -> list[str]:
        """What a request may name as its model besides models: `auto`, rules, ensembles."""
        return [AUTO, *self._rules, *self.ensembles]

    def choose(self, question: Question, asked: str = AUTO) -> Decision:
        """The decision for a request that names `asked` as its model. Raises Missing for a name that there isn't."""
        if asked == AUTO:
            return self._by_rules(question)
        if asked in self._rules:
            return self._to(self._rules[asked].to, asked, f"the route {asked} was asked for by name", question)
        if asked in self.ensembles or asked in self.models:
            route = asked if asked in self.ensembles else ASKED_BY_NAME
            return Decision(route, asked, f"{asked} was asked for by name")
        raise Missing(
            f"There is no model or route '{asked}'.",
            f"Routes are {', '.join(self.routes)}; models are {', '.join(sorted(self.models))}.",
            f"Name one of these; {AUTO} leaves the choice to the rules.",
        )

    def _by_rules(self, question: Question) -> Decision:
        evidence = Evidence(question, self._classifiers)
        passed: list[str] = []
        for rule in self.spec.rules:
            found = fits(rule.when, evidence)
            if found.holds:
                return self._to(rule.to, rule.name, f"{rule.name}: {found.why}", question, tuple(passed))
            passed.append(f"{rule.name}: {found.why}")
        why = "no rule fits" if self.spec.rules else "there are no rules"
        return self._to(self.spec.default, DEFAULT_ROUTE, why, question, tuple(passed))

    def _to(
        self,
        target: str | Mapping[str, float],
        route: str,
        why: str,
        question: Question,
        passed: tuple[str, ...] = (),
    ) -> Decision:
        if isinstance(target, str):
            return Decision(route, target, why, passed)
        name = self._by_weight(target, route, question.asker)
        share = target[name] / sum(target.values())
        how = "always, for this asker" if question.asker else "drawn, since nobody is named as asking"
        return Decision(route, name, f"{why}; {name} by its weight of {share:.0%} ({how})", passed)

    def _by_weight(self, weights: Mapping[str, float], route: str, asker: str | None) -> str:
        if asker is None:
            return drawn_choice(weights, self._draw())
        return sticky_choice(weights, self.spec.salt, route, asker)


def _require_classifiers(spec: RouterSpec, classifiers: Mapping[str, Classifies]) -> None:
    """Raise Missing or BadInput unless every rule's classifier is there and knows the rule's label."""
    for rule in spec.rules:
        wanted = rule.when.classified
        if wanted is None:
            continue
        if wanted.classifier not in classifiers:
            raise Missing(
                f"The rule {rule.name} asks the classifier '{wanted.classifier}', which is not loaded.",
                f"Loaded are {', '.join(sorted(classifiers)) or 'none'}.",
                f"Train it: `python cli.py route train --data D --name {wanted.classifier}`.",
            )
        labels = classifiers[wanted.classifier].labels
        if wanted.label not in labels:
            raise BadInput(
                f"The rule {rule.name} waits for the label '{wanted.label}'.",
                f"The classifier {wanted.classifier} knows {', '.join(labels)}.",
                "Name one of these, or train it on rows with that tag.",
            )
