"""EnsembleSpec: several models that answer the same question, and how their answers are counted as votes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from jobs.spec import Spec, option
from serving.router.patterns import compiled

Name = Annotated[str, Field(min_length=1, max_length=200)]
Weight = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
ScenarioWeight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
VoteBy = Literal["text", "json", "pattern"]
Confidence = Literal["none", "tokens", "answer"]


class EnsembleSpec(Spec):
    """Members vote; the answer is that of the heaviest member that voted for the winner."""

    name: Name = option(
        label="Name", help="What rules send to; a request may also name it as its model.", depth="essential"
    )
    members: dict[Name, Weight] = option(
        label="Members", help="Models with their weights: {bvr: 1, acm: 1.5}.", depth="essential", min_length=2
    )
    scenarios: dict[Name, dict[Name, ScenarioWeight]] = option(
        dict,
        label="Scenarios",
        help="By the request's tag, what members' weights are multiplied by: {defensive: {acm: 3}}. Who isn't named "
        "counts 1; who has 0 isn't asked.",
    )
    vote_by: VoteBy = option(
        "text",
        label="Vote by",
        help="text: whole answers that are the same but for case and blanks. json: a field of an answer that is JSON. "
        "pattern: what a regular expression finds.",
        depth="essential",
    )
    field: str | None = option(
        None,
        label="Field",
        help="For json: the field that is the vote; a dot leads inside: plan.action.",
        min_length=1,
    )
    pattern: str | None = option(
        None,
        label="Pattern",
        help="For pattern: its group named `vote`, else its first group, else all that it finds is the vote.",
        min_length=1,
    )
    confidence: Confidence = option(
        "none",
        label="Confidence",
        help="What else a vote is weighted by. tokens: how probable the model found its own answer. answer: a field of "
        "an answer that is JSON. A member that tells none counts as sure as the others on average.",
    )
    confidence_field: str = option(
        "confidence", label="Field of the confidence", help="0 to 1; a dot leads inside.", min_length=1
    )
    timeout_seconds: float = option(
        60.0, label="Seconds for a member", help="Later answers are left out, and named.", gt=0, le=3600
    )
    quorum: int = option(
        1, label="Fewest votes", help="With fewer votes than this the ensemble fails, and the fallback answers.", ge=1
    )

    @model_validator(mode="after")
    def _can_be_counted(self) -> Self:
        if (self.vote_by == "json") != (self.field is not None):
            raise ValueError("`field` is what `vote_by: json` reads; give both or neither")
        if (self.vote_by == "pattern") != (self.pattern is not None):
            raise ValueError("`pattern` is what `vote_by: pattern` searches for; give both or neither")
        if self.pattern is not None:
            compiled(self.pattern)
        for scenario, weights in self.scenarios.items():
            strangers = sorted(set(weights) - set(self.members))
            if strangers:
                raise ValueError(f"scenario {scenario} weighs {', '.join(strangers)}, which is no member")
        fewest = min(len(self.asked(scenario)) for scenario in [None, *self.scenarios])
        if self.quorum > fewest:
            raise ValueError(f"quorum {self.quorum} can't be met: {fewest} members are asked")
        return self

    def asked(self, tag: str | None) -> dict[str, float]:
        """The members that are asked for a request with this tag, with weight × scenario weight."""
        scenario = self.scenarios.get(tag, {}) if tag is not None else {}
        weights = {name: weight * scenario.get(name, 1.0) for name, weight in self.members.items()}
        return {name: weight for name, weight in weights.items() if weight > 0}
