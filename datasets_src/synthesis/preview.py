"""Before a synthesis is started: what it will take, and a few rows as it would make them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_src.rows import Row
from datasets_src.synthesis.campaign import Campaign
from datasets_src.synthesis.domain import DomainProgress
from datasets_src.synthesis.drive import Watch
from datasets_src.synthesis.figures import make_figures, require_rows
from datasets_src.synthesis.job import LEDGER, drive
from datasets_src.synthesis.ledger import WRITE, Call, Ledger
from datasets_src.synthesis.material import Material, load_material
from datasets_src.synthesis.spec import DomainSpec, SynthesisSpec
from datasets_src.synthesis.tally import Tally
from datasets_src.synthesis.teachers import tokens_of

REQUESTS_LOOKED_AT = 20
# A judge is shown the row and answers with a sentence and a number.
JUDGE_TOKENS_AROUND, JUDGE_TOKENS_OUT = 90, 60


@dataclass(frozen=True)
class Estimate:
    """What a synthesis takes if every answer is of use: refused rows and retries come on top.

    `cost` is None where a teacher's prices aren't known. Token counts come from the lengths of the first requests, and
    from what an answer of the mode usually takes.
    """

    calls: int
    tokens_in: int
    tokens_out: int
    cost: float | None

    def __str__(self) -> str:
        cost = "cost not known (no prices given)" if self.cost is None else f"cost about {self.cost:.4g}"
        return f"{self.calls} calls, about {self.tokens_in} tokens in and {self.tokens_out} out, {cost}"


@dataclass(frozen=True)
class Sample:
    """Rows as the job would make them, and its figures."""

    rows: list[Row]
    figures: dict[str, Any]


def estimate(spec: SynthesisSpec, base: Path) -> Estimate:
    """What the job will take; nothing is asked. Relative paths start at `base`. Raises Missing or BadInput."""
    material = load_material(spec, base)
    campaign = Campaign(spec, material)
    parts = [_domain_estimate(campaign, domain) for domain in campaign.domains.values()]
    costs = [part.cost for part in parts]
    return Estimate(
        calls=sum(part.calls for part in parts),
        tokens_in=sum(part.tokens_in for part in parts),
        tokens_out=sum(part.tokens_out for part in parts),
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
    )


def sample(spec: SynthesisSpec, rows: int, base: Path, *, should_stop: Callable[[], bool] = lambda: False) -> Sample:
    """Make `rows` rows now, spread over the domains, and forget the calls. Raises as the job does."""
    material = load_material(spec, base)
    campaign, tally = Campaign(_small(spec, rows, material), material), Tally()
    made: list[Row] = []
    watch = Watch(made.extend, lambda: None, should_stop)
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / LEDGER, campaign.work) as ledger:
        attempt = asyncio.run(drive(campaign, ledger, tally, watch))
    figures = make_figures(campaign, tally, material, cost_limit_reached=attempt.cost_limit_reached)
    require_rows(figures, attempt.last_reason)
    return Sample(made, figures)


def _small(spec: SynthesisSpec, rows: int, material: Material) -> SynthesisSpec:
    """The spec with so few rows: every domain gets its part, the first ones what is left over."""
    each, over = divmod(rows, len(spec.domains))
    counts = [each + (place < over) for place in range(len(spec.domains))]
    domains = [
        domain.model_copy(update={"count": min(count, _most(domain, spec, material))})
        for domain, count in zip(spec.domains, counts, strict=True)
        if count
    ]
    return spec.model_copy(update={"domains": domains})


def _most(domain: DomainSpec, spec: SynthesisSpec, material: Material) -> int:
    return DomainProgress(spec, domain, material).wanted


def _domain_estimate(campaign: Campaign, domain: DomainProgress) -> Estimate:
    spec = campaign.spec
    requests = domain.requests_if_all_goes_well
    looked_at = [domain.item(index) for index in range(min(requests, REQUESTS_LOOKED_AT))]
    tokens_out = campaign.recipe.answer_tokens(spec)
    tokens_in, cost = 0.0, 0.0
    priced = all(teacher.priced for teacher in spec.teachers)
    for item in looked_at:
        asked = tokens_of(campaign.request(item, Call(domain.domain.name, item.index, WRITE, 0)).messages)
        answered = min(tokens_out, item.teacher.max_tokens or tokens_out)
        tokens_in += asked / len(looked_at)
        cost += (item.teacher.cost(asked, answered) or 0.0) / len(looked_at)
    calls, total_in, total_out = requests, requests * tokens_in, float(requests * tokens_out)
    cost *= requests
    judge = spec.judging_teacher
    if judge is not None:
        row_tokens = tokens_out // domain.rows_per_request + JUDGE_TOKENS_AROUND
        calls += domain.wanted
        total_in += domain.wanted * row_tokens
        total_out += domain.wanted * JUDGE_TOKENS_OUT
        cost += domain.wanted * (judge.cost(row_tokens, JUDGE_TOKENS_OUT) or 0.0)
    return Estimate(calls, round(total_in), round(total_out), cost if priced else None)
