"""What a synthesis made, refused, asked and paid, as the job's figures and in sentences."""

from __future__ import annotations

from collections import Counter
from typing import Any

from datasets_src.synthesis.campaign import SURPLUS, Campaign
from datasets_src.synthesis.drive import hopeless
from datasets_src.synthesis.material import Material
from datasets_src.synthesis.tally import Tally
from jobs.errors import BadInput, Missing


def make_figures(campaign: Campaign, tally: Tally, material: Material, *, cost_limit_reached: bool) -> dict[str, Any]:
    """What was made, refused, asked and paid, over all attempts of the job."""
    refused = Counter(campaign.refused)
    if campaign.surplus():
        refused[SURPLUS] += campaign.surplus()
    rows = sum(domain.rows for domain in campaign.domains.values())
    wanted = sum(domain.wanted for domain in campaign.domains.values())
    figures = {
        "rows": rows,
        "wanted": wanted,
        "domains": {name: {"rows": one.rows, "wanted": one.wanted} for name, one in campaign.domains.items()},
        "refused": dict(refused.most_common()),
        "retries": dict((tally.failures + campaign.unusable).most_common()),
        "given_up": dict(campaign.given_up.most_common()),
        "input_left_out": dict(material.left_out.most_common()),
        **tally.figures(),
    }
    return {
        **figures,
        "summary": _summary(figures),
        "warnings": _warnings(campaign, figures, cost_limit_reached),
    }


def _summary(figures: dict[str, Any]) -> list[str]:
    cost = "at a cost that is not known" if figures["cost"] is None else f"for {figures['cost']:.4g}"
    cost = cost if figures["cost"] != 0 else "free of charge"
    per_domain = ", ".join(f"{name} {one['rows']} of {one['wanted']}" for name, one in figures["domains"].items())
    lines = [
        f"{figures['rows']} of {figures['wanted']} rows made ({per_domain}).",
        f"{figures['answers']} answers to {figures['requests']} requests: {figures['tokens_in']:,} tokens in, "
        f"{figures['tokens_out']:,} out, {cost}.",
    ]
    for title, counts in (("Refused", figures["refused"]), ("Asked again", figures["retries"])):
        if counts:
            lines.append(f"{title}: " + ", ".join(f"{count} for {reason}" for reason, count in counts.items()) + ".")
    return lines


def _warnings(campaign: Campaign, figures: dict[str, Any], cost_limit_reached: bool) -> list[str]:
    found = []
    if cost_limit_reached:
        found.append(f"It ended at the limit of cost, {campaign.spec.max_cost:.4g}.")
    for name, domain in campaign.domains.items():
        if not cost_limit_reached and domain.domain.count is not None and not domain.full:
            found.append(
                f"{name}: {domain.rows} of {domain.wanted} rows; its {domain.most_requests} requests are used up. "
                "`attempts` allows more; the refusals above say what they were used for."
            )
    if figures["given_up"]:
        kinds = ", ".join(f"{count} for {kind}" for kind, count in figures["given_up"].items())
        found.append(f"Requests given up after all tries: {kinds}.")
    if figures["input_left_out"]:
        reasons = ", ".join(f"{count} for {reason}" for reason, count in figures["input_left_out"].items())
        found.append(f"Rows of the input that were of no use: {reasons}.")
    return found


def require_rows(figures: dict[str, Any], last_reason: str) -> None:
    """A run that made nothing has failed. Raises Missing or BadInput that says by what."""
    if figures["rows"]:
        return
    reasons = ", ".join(f"{count} for {reason}" for reason, count in figures["refused"].items())
    reason = last_reason or (f"Refused: {reasons}." if reasons else "The limit of cost allows no request.")
    unanswered = bool(last_reason) and figures["answers"] == 0
    raise hopeless(Missing if unanswered else BadInput, "Not one row could be made.", reason)
