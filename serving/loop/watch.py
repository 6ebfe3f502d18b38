"""The job of kind "loop.watch": keeps looking whether a round of a plan is due, and begins it. Stop ends it."""

from __future__ import annotations

import time
from typing import Any

from jobs.context import JobContext
from jobs.directory import State
from jobs.errors import Stopped
from jobs.spec import option
from serving.loop.rounds import begin, rounds
from serving.loop.spec import LoopSpec

STOP_POLL_SECONDS = 0.5


class WatchSpec(LoopSpec):
    """A plan that is watched."""

    look_every_seconds: float = option(
        60.0, label="Look every", help="Seconds between looks.", depth="everything", gt=0, le=86_400
    )


def run(context: JobContext) -> dict[str, Any]:
    """Looks until it is stopped, which is its only good end: raises Stopped."""
    watched = WatchSpec.parse(context.spec, where="the plan")
    spec = LoopSpec.parse(watched.model_dump(mode="json", exclude={"look_every_seconds"}))
    said = ""
    while True:
        sentence = _look(context, spec)
        context.progress(None, sentence)
        if sentence != said:
            context.log(sentence)
            said = sentence
        _wait(context, watched.look_every_seconds)


def _look(context: JobContext, spec: LoopSpec) -> str:
    """Begin what is due. A round that failed or was stopped is left alone until a person goes on with it; one whose
    worker was killed is resumed."""
    open_round = next((each for each in rounds(context.workspace, spec.name) if each.outcome is None), None)
    if open_round is not None and open_round.state in (State.FAILED, State.STOPPED):
        return f"Round {open_round.job} is {open_round.state}: resume or delete it, then others follow."
    return begin(context.workspace, spec).sentence


def _wait(context: JobContext, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if context.should_stop():
            raise Stopped
        time.sleep(min(STOP_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
