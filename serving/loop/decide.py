"""From three verdicts to one decision in words: promote, or not and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from serving.loop.spec import LoopSpec

Outcome = Literal["better", "worse", "no difference shown", "too few items"]
# passed: may be promoted. worse: something got worse. unproven: nothing did, but better wasn't shown either.
Result = Literal["passed", "worse", "unproven"]


@dataclass(frozen=True)
class Finding:
    """What one comparison with production says: of what it is, the verdict's outcome and its sentence."""

    about: str
    outcome: Outcome
    sentence: str

    @classmethod
    def of(cls, about: str, figures: dict[str, Any]) -> Finding:
        """The main verdict of an evaluation whose first model is production and whose second is the new one."""
        measure = next(measure for measure in figures["measures"] if measure["main"])
        verdict = measure["verdicts"][0]
        return cls(about, verdict["outcome"], verdict["sentence"])

    @property
    def told(self) -> str:
        return f"{self.about}: {self.sentence}"


@dataclass(frozen=True)
class Findings:
    """The three comparisons of a round."""

    new: Finding
    regression: Finding
    general: Finding

    @property
    def told(self) -> str:
        return "; ".join(finding.told for finding in (self.new, self.regression, self.general))


@dataclass(frozen=True)
class Decision:
    """What comes of the verdicts, and why, in a sentence that stands by itself."""

    result: Result
    sentence: str


def decide(findings: Findings, accept: Literal["better", "not worse"]) -> Decision:
    """Passed when the new chats are answered better (or, if `accept` says so, no difference shows among enough of
    them) and neither the regression set nor the general check says worse.

    A check that has too few items to say anything shows no safety, so it never lets a version pass.
    """
    guards = (findings.regression, findings.general)
    worse = [finding for finding in (findings.new, *guards) if finding.outcome == "worse"]
    if worse:
        return Decision("worse", f"Worse on {' and on '.join(each.about for each in worse)}: {findings.told}")
    silent = [finding.about for finding in guards if finding.outcome == "too few items"]
    if silent:
        return Decision("unproven", f"Too few items in {' and in '.join(silent)} to rule out harm: {findings.told}")
    if findings.new.outcome == "better":
        return Decision("passed", f"Better on {findings.new.about}, and worse nowhere: {findings.told}")
    if accept == "not worse" and findings.new.outcome == "no difference shown":
        return Decision("passed", f"Not worse anywhere, which the plan accepts: {findings.told}")
    return Decision("unproven", f"Not shown to be better on {findings.new.about}: {findings.told}")


def outcome_after(spec: LoopSpec, decision: Decision) -> str:
    """What the round ends as: promoted or waiting where it passed, else the decision's result."""
    if decision.result != "passed":
        return decision.result
    return "promoted" if spec.promote == "automatic" else "waiting"
