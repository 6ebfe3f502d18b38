"""RouterSpec: which served model answers a request, and what happens when that one fails."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from datasets_src.checks.language import LANGUAGES
from jobs.spec import Spec, option
from serving.router.decision import ASKED_BY_NAME, DEFAULT_ROUTE
from serving.router.ensemble_spec import EnsembleSpec, Name, Weight
from serving.router.patterns import compiled

AUTO = "auto"
RESERVED = {AUTO, DEFAULT_ROUTE, ASKED_BY_NAME}
Word = Annotated[str, Field(min_length=1, max_length=200)]
Weights = Annotated[dict[Name, Weight], Field(min_length=1)]
Target = Name | Weights


class ClassifiedAs(Spec):
    """What a trained classifier has to say about the text."""

    classifier: Name = option(
        label="Classifier", help="One trained by `python cli.py route train`.", depth="everything"
    )
    label: Name = option(label="Label", help="The tag that it has to find.", depth="everything")
    at_least: float = option(
        0.7,
        label="Sure at least",
        help="How probable the classifier has to find it, 0 to 1. What its training reports says how far to trust it.",
        depth="everything",
        ge=0,
        le=1,
    )


class Condition(Spec):
    """When a rule fits. Everything that is given has to hold; of several values in one list, one is enough."""

    tags: tuple[Word, ...] = option((), label="Tags", help="The request has one of these tags.")
    reasoning_modes: tuple[Word, ...] = option(
        (), label="Reasoning modes", help="The request asks for one of these modes."
    )
    any_words: tuple[Word, ...] = option(
        (), label="Any of these words", help="One of them stands in the question, as a whole word, in any case."
    )
    all_words: tuple[Word, ...] = option((), label="All of these words", help="Every one of them stands there.")
    pattern: str | None = option(
        None,
        label="Pattern",
        help="A regular expression that is found in the question. One that takes longer than 20 ms doesn't fit.",
        min_length=1,
    )
    languages: tuple[Word, ...] = option(
        (), label="Languages", help="The question is in one of these, by two letters: en, de, fr, …"
    )
    classified: ClassifiedAs | None = option(
        None, label="Classified", help="A classifier finds this label in the question.", depth="everything"
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError("name at least one condition; what no rule fits goes to the default")
        if self.pattern is not None:
            compiled(self.pattern)
        unknown = sorted(set(self.languages) - set(LANGUAGES))
        if unknown:
            raise ValueError(f"unknown language {', '.join(unknown)}; write two letters, as in en, de, zh")
        return self


class Rule(Spec):
    """One way to choose. Rules are looked at in their order; the first that fits wins."""

    name: Name = option(
        label="Name", help="Tells in headers and log why; a request may also name it as its model.", depth="essential"
    )
    when: Condition = option(label="When", help="The condition.", depth="essential")
    to: Target = option(
        label="To",
        help="A model, an ensemble, or several with weights: {small: 0.7, large: 0.3}. The same user always gets the "
        "same one.",
        depth="essential",
    )


class BreakerSpec(Spec):
    """When a model that fails is left alone for a while."""

    failures: int = option(
        5, label="Failures in a row", help="After so many the model is not asked for a while.", ge=1, le=1000
    )
    retry_seconds: float = option(
        30.0,
        label="Tried again after",
        help="Seconds until a single request tries the model again. If that goes well, all go there again.",
        gt=0,
        le=86_400,
    )


class RouterSpec(Spec):
    """How `model: auto` is answered."""

    default: Target = option(
        label="Default", help="What answers when no rule fits: a model, an ensemble, or weights.", depth="essential"
    )
    rules: tuple[Rule, ...] = option(
        (), label="Rules", help="The first that fits decides.", depth="essential", max_length=100
    )
    ensembles: tuple[EnsembleSpec, ...] = option(
        (), label="Ensembles", help="Several models that answer together, by vote.", max_length=50
    )
    fallback: tuple[Name, ...] = option(
        (), label="Fallback", help="Models that are tried, in this order, when the chosen one fails.", max_length=20
    )
    first_part_seconds: float = option(
        30.0, label="Seconds to the first word", help="Later than this, the next model is tried.", gt=0, le=3600
    )
    total_seconds: float = option(
        300.0,
        label="Seconds in all",
        help="For the whole answer, all tries together. Time that a slow reader takes doesn't count.",
        gt=0,
        le=86_400,
    )
    breaker: BreakerSpec = option(BreakerSpec, label="Circuit breaker", help="For each model by itself.")
    salt: str = option(
        "hearth",
        label="Salt",
        help="Another one shares users out anew.",
        depth="everything",
        max_length=200,
    )

    @model_validator(mode="after")
    def _names_are_clear(self) -> Self:
        names = [*(rule.name for rule in self.rules), *(ensemble.name for ensemble in self.ensembles)]
        twice = sorted({name for name in names if names.count(name) > 1} | (RESERVED & set(names)))
        if twice:
            raise ValueError(f"{', '.join(twice)} would mean two things; give each rule and ensemble a name of its own")
        ensembles = {each.name for each in self.ensembles}
        if not ensembles.isdisjoint(self.fallback):
            raise ValueError("fallback names an ensemble; name single models there")
        if any(not ensembles.isdisjoint(each.members) for each in self.ensembles):
            raise ValueError("an ensemble can't be a member of an ensemble; name its models")
        return self

    def problems(self, models: Collection[str]) -> list[str]:
        """What is wrong with this router where `models` are served: a sentence for each name that means nothing or
        two things."""
        ensembles = {each.name for each in self.ensembles}
        found = [
            f"{place}: there is no model or ensemble '{name}'{_near(name, [*models, *ensembles])}"
            for place, name in self._named()
            if name not in models and name not in ensembles
        ]
        shadowed = sorted({AUTO, *ensembles, *(rule.name for rule in self.rules)} & set(models))
        return found + [f"the model '{name}' has the name of a route; rename one of them" for name in shadowed]

    @property
    def models(self) -> list[str]:
        """The models that it names, each once."""
        ensembles = {each.name for each in self.ensembles}
        return list(dict.fromkeys(name for _, name in self._named() if name not in ensembles))

    @property
    def classifiers(self) -> list[str]:
        """The classifiers that its rules ask."""
        asked = [rule.when.classified for rule in self.rules]
        return sorted({each.classifier for each in asked if each is not None})

    def _named(self) -> Iterator[tuple[str, str]]:
        """Every name that has to be a model or an ensemble, with its place."""
        yield from (("default", name) for name in names_of(self.default))
        for number, rule in enumerate(self.rules):
            yield from ((f"rules.{number}.to", name) for name in names_of(rule.to))
        for number, ensemble in enumerate(self.ensembles):
            yield from ((f"ensembles.{number}.members", name) for name in ensemble.members)
        yield from (("fallback", name) for name in self.fallback)


def names_of(target: str | Mapping[str, float]) -> list[str]:
    """The models and ensembles that a target may lead to."""
    return [target] if isinstance(target, str) else list(target)


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else f" (there are: {', '.join(sorted(known)) or 'none'})"
