"""Whether a judge's labels may be used: its flips, its liking for a place, its unusable replies, its agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.judge.agreement import Agreement
from evaluation.judge.pairwise import Judged
from evaluation.judge.spec import JudgeSpec
from jobs.errors import BadInput

NOT_CHECKED = "not checked against people"
BIAS_P_VALUE = 0.01


@dataclass(frozen=True)
class Consistency:
    """How a judge behaves, whatever the answers. Shares are 0 to 1; None where there was nothing to tell it by.

    `flip_rate`: flips among pairs with a clear preference in both orders. `pull`: the share of usable pairs lost to a
    liking for the first answer (negative: the second), with the p-value of an exact sign test on the pairs where place
    decided: without such a liking, as many lean to the first as to the second.
    """

    pairs: int
    flips: int
    flip_rate: float | None
    unusable: int
    unusable_share: float
    pull: float | None
    pull_p_value: float | None
    example_of_unusable: str


@dataclass(frozen=True)
class Trust:
    """The whole finding. `checked`: there were enough votes to compare with. `refusals`: why labels are refused."""

    consistency: Consistency
    agreement: Agreement
    checked: bool
    refusals: list[str]

    @property
    def trusted(self) -> bool:
        return not self.refusals

    def as_json(self) -> dict[str, Any]:
        """For judge.json."""
        return {**asdict(self), "trusted": self.trusted}


def consistency_of(judgements: Sequence[Judged]) -> Consistency:
    """Count how the judge behaved; pairs whose two answers were equal were never asked and don't count."""
    asked = [each for each in judgements if each.orders or each.scores]
    unusable = [each for each in asked if each.outcome == "unusable"]
    both = [each for each in asked if each.orders and each.outcome != "unusable"]
    clear = sum(each.outcome in ("a", "b", "flip") for each in both)
    flips = sum(each.outcome == "flip" for each in both)
    pull = _pull(both)
    return Consistency(
        pairs=len(asked),
        flips=flips,
        flip_rate=flips / clear if clear else None,
        unusable=len(unusable),
        unusable_share=len(unusable) / len(asked) if asked else 0.0,
        pull=pull.share if pull else None,
        pull_p_value=pull.p_value if pull else None,
        example_of_unusable=unusable[0].problem[:300] if unusable else "",
    )


@dataclass(frozen=True)
class _Pull:
    share: float
    p_value: float


def _pull(both: Sequence[Judged]) -> _Pull | None:
    """A pair leans to a place when its two choices, by place, don't cancel out: first and first, or first and tie."""
    from scipy.stats import binomtest

    if not both:
        return None
    weight = {"first": 1, "second": -1, "tie": 0, None: 0}
    leanings = [sum(weight[choice] for choice in each.orders) for each in both]
    signs = Counter((leaning > 0) - (leaning < 0) for leaning in leanings)
    first, second = signs[1], signs[-1]
    p_value = float(binomtest(first, first + second, 0.5).pvalue) if first + second else 1.0
    return _Pull((first - second) / len(both), p_value)


def trust_in(spec: JudgeSpec, judgements: Sequence[Judged], agreement: Agreement) -> Trust:
    """Hold what was found against the spec's thresholds. `judgements`: all that the judge made; `agreement`: that with
    the votes among them."""
    consistency = consistency_of(judgements)
    checked = agreement.items >= spec.min_votes
    refusals = [*_behaviour(spec, consistency), *_agreement(spec, agreement, checked)]
    return Trust(consistency, agreement, checked, refusals)


def _behaviour(spec: JudgeSpec, found: Consistency) -> list[str]:
    refusals = []
    if found.pairs and found.unusable_share > spec.max_unusable:
        example = f' One of them: "{found.example_of_unusable}".' if found.example_of_unusable else ""
        refusals.append(
            f"{found.unusable_share:.0%} of pairs got a reply that says nothing usable (at most "
            f"{spec.max_unusable:.0%} allowed, `max_unusable`).{example}"
        )
    if found.flip_rate is not None and found.flip_rate > spec.max_flip_rate:
        refusals.append(
            f"{found.flip_rate:.0%} of its clear preferences turned when the answers changed places (at most "
            f"{spec.max_flip_rate:.0%} allowed, `max_flip_rate`; a coin turns 50 %)."
        )
    if (
        found.pull is not None
        and found.pull_p_value is not None
        and abs(found.pull) > spec.max_position_bias
        and found.pull_p_value < BIAS_P_VALUE
    ):
        place = "first" if found.pull > 0 else "second"
        refusals.append(
            f"It prefers whichever answer stands {place}: {abs(found.pull):.0%} of pairs are lost to that (at most "
            f"{spec.max_position_bias:.0%} allowed, `max_position_bias`; p {_p(found.pull_p_value)})."
        )
    return refusals


def _agreement(spec: JudgeSpec, found: Agreement, checked: bool) -> list[str]:
    if not checked:
        if spec.without_votes:
            return []
        return [
            f"It could be compared with {found.items} of your votes; {spec.min_votes} are needed (`min_votes`), or "
            "say `without_votes: true`, which marks the result as not checked against people."
        ]
    if found.kappa is None:
        return ["All your votes and all its choices are one and the same, so agreement beyond chance can't be told."]
    if found.kappa < spec.min_agreement:
        return [
            f"Its agreement with your {found.items} votes is kappa {found.kappa:.2f}{_interval(found)}; at least "
            f"{spec.min_agreement:.2f} is asked for (`min_agreement`; 0 is chance, 1 the same every time)."
        ]
    return []


def require_trusted(spec: JudgeSpec, trust: Trust) -> None:
    """Raise BadInput that names every figure and its threshold, unless the judge's labels may be used."""
    if trust.trusted:
        return
    raise BadInput(
        f"The labels of the judge {spec.model} are refused:\n" + "\n".join(f"  - {line}" for line in trust.refusals),
        "Labels that turn with the order, or don't match what you prefer yourself, would be noise dressed as a result.",
        "Choose a more able judge, make the criteria plainer, or vote on more answers; the thresholds are the judge's "
        "options.",
    )


def in_words(spec: JudgeSpec, trust: Trust) -> list[str]:
    """What was found, one sentence for each finding."""
    found, agreement = trust.consistency, trust.agreement
    said = []
    if found.flip_rate is not None:
        said.append(
            f"Asked in both orders about {found.pairs} pairs, the judge turned {found.flip_rate:.0%} of its clear "
            f"preferences with the order; these {found.flips} count as ties."
        )
    if found.unusable:
        said.append(f"{found.unusable} of {found.pairs} pairs got no usable reply and are left out.")
    if trust.checked and agreement.kappa is not None:
        said.append(
            f"It gave the same label as you on {agreement.agreed:.0%} of {agreement.items} votes: Cohen's kappa "
            f"{agreement.kappa:.2f}{_interval(agreement)}, at least {spec.min_agreement:.2f} asked for."
        )
    elif not trust.checked:
        said.append(f"This judge was {NOT_CHECKED}: {agreement.items} votes to compare with, {spec.min_votes} needed.")
    return [*said, *(f"Refused: {line}" for line in trust.refusals)]


def _interval(found: Agreement) -> str:
    return f" (95 % interval {found.low:.2f} to {found.high:.2f})" if found.low is not None else ""


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
