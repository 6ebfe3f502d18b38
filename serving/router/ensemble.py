"""An ensemble's answer: its members are asked at once, late and failing ones are left out, the votes are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from serving.engines.engine import EngineFailure, FailureKind
from serving.router.ballots import Ballot, Count, count_votes, read_ballot
from serving.router.decision import TOLD, Outcome
from serving.router.ensemble_spec import EnsembleSpec
from serving.router.guarded import Budget, GuardedStream, outcome_of, read_whole

# Begins a member's answer under a budget of its own. Raises EngineFailure while its circuit is open.
Begin = Callable[[str, Budget], GuardedStream]


async def ask_members(spec: EnsembleSpec, tag: str | None, begin: Begin, budget: Budget) -> Count:
    """The counted votes of all members that are asked in this scenario. `budget` loses the time that this took."""
    weights = spec.asked(tag)
    loop = asyncio.get_running_loop()
    began = loop.time()
    seconds = min(spec.timeout_seconds, budget.left)
    try:
        # A client that leaves cancels this, and with it every member.
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_ballot(spec, model, begin, seconds)) for model in weights]
    finally:
        budget.left -= loop.time() - began
    return count_votes(weights, [task.result() for task in tasks])


async def _ballot(spec: EnsembleSpec, model: str, begin: Begin, seconds: float) -> Ballot:
    try:
        return read_ballot(spec, model, await read_whole(begin(model, Budget(seconds))))
    except EngineFailure as failure:
        outcome = outcome_of(failure)
        problem = f"failed ({failure.kind})" if outcome is Outcome.FAILED else TOLD[outcome]
        return Ballot(model, problem=problem, failure=failure.kind)


def require_quorum(spec: EnsembleSpec, count: Count) -> Ballot:
    """The winner's ballot. Raises EngineFailure with each silent member's reason where too few voted."""
    cast = sum(vote.vote is not None for vote in count.votes)
    if count.winner is not None and cast >= spec.quorum:
        return count.winner
    silent = "; ".join(f"{vote.model} {vote.problem}" for vote in count.votes if vote.vote is None)
    # Where all failed for one reason, say that the request is too long, the client is told that.
    kind = next(iter(count.failures)) if len(count.failures) == 1 and not cast else FailureKind.UNAVAILABLE
    raise EngineFailure(
        kind,
        f"The ensemble {spec.name} has {cast} of the {spec.quorum} votes that it needs: {silent}.",
    )
