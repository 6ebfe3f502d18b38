"""What is kept of each request: figures, a line in the log without what was said, the experiment's outcome, the chat.

Nothing here makes a request wait or fail: databases are written from threads, and what can't be written yet waits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from datasets_src.checks.language import language_of
from datasets_src.interactions.records import Interaction
from jobs.errors import Missing
from jobs.workspace import Workspace
from serving import experiments
from serving.answering import Outcome, Who
from serving.chats import Chat, ChatLog
from serving.engines.engine import Ask
from serving.errors import told
from serving.experiments import Experiments
from serving.gate import TooMany
from serving.metrics import Metrics
from serving.monitoring.request_log import LEFT, RequestLog, RequestRecord
from serving.protocol import Feedback
from serving.router.question import question_text
from serving.spec import AUTO, ServeSpec
from serving.tables import serving_database
from serving.writer import Writer

SERVERS_FAULT = 500


@dataclass(frozen=True)
class Asked:
    """A request as it came in: under which model name, what, by whom."""

    model: str
    asks: Sequence[Ask]
    who: Who
    streamed: bool


class Recorder:
    """Used inside one event loop; `close` it when the server ends."""

    def __init__(self, workspace: Workspace, spec: ServeSpec, chats: ChatLog | None) -> None:
        self.metrics = Metrics()
        self._spec = spec
        self._chats = chats
        self._chat_lock = asyncio.Lock()
        self._keeping: set[asyncio.Task[None]] = set()
        self._writer = Writer(serving_database(workspace))
        self._requests = RequestLog(workspace, self._writer)
        self._experiments = Experiments(workspace, self._writer)
        self._lost = 0

    async def expose(self, asked: Asked) -> tuple[str, str | None]:
        """The model that a request goes to, and the experiment's arm, None outside of it."""
        if self._spec.experiment is None or asked.model != AUTO:
            return asked.model, None
        who = asked.who
        assignment = await asyncio.to_thread(
            self._experiments.assign, self._spec.experiment, who.user, who.conversation
        )
        self._experiments.expose(assignment, who.request_id)
        return assignment.model, assignment.arm if assignment.counted else None

    def record(self, asked: Asked, outcome: Outcome, arm: str | None, version: str | None) -> None:
        """Keep what a request came to."""
        decision = outcome.decision
        model = (decision.model or decision.target) if decision else "none"
        status = status_of(outcome)
        self._count(model, status, outcome)
        self._log(asked, model, status, outcome)
        self._requests.record(_record_of(asked, model, version, arm, outcome))
        if arm is not None:
            self._experiments.record(asked.who.request_id, _outcome_of(outcome))
        if self._chats is not None and outcome.ends and outcome.failure is None and not outcome.left:
            self._keep_chat(asked, model, version, outcome)

    def _count(self, model: str, status: str, outcome: Outcome) -> None:
        self.metrics.requests.labels(model, status).inc()
        self.metrics.queue_wait.observe(outcome.queue_wait)
        if isinstance(outcome.failure, TooMany):
            self.metrics.rejected.labels(outcome.failure.reason).inc()
        if outcome.ends:
            self.metrics.seconds.labels(model).observe(outcome.seconds)
            self.metrics.tokens.labels(model, "prompt").inc(outcome.prompt_tokens)
            self.metrics.tokens.labels(model, "answer").inc(outcome.answer_tokens)
        if outcome.first_token is not None:
            self.metrics.first_token.labels(model).observe(outcome.first_token)

    def _log(self, asked: Asked, model: str, status: str, outcome: Outcome) -> None:
        """One line of JSON: nothing of what was said, by whom, or with which key."""
        line = {
            "request": asked.who.request_id,
            "model": model,
            "status": status,
            "seconds": round(outcome.seconds, 3),
            "waited": round(outcome.queue_wait, 3),
            "first_token": None if outcome.first_token is None else round(outcome.first_token, 3),
            "prompt_tokens": outcome.prompt_tokens,
            "answer_tokens": outcome.answer_tokens,
            "route": outcome.decision.as_json() if outcome.decision else None,
        }
        print(json.dumps(line), flush=True)

    def _keep_chat(self, asked: Asked, model: str, version: str | None, outcome: Outcome) -> None:
        chats = [
            Chat(answer_id(asked, place), _interaction(asked, place, outcome, model, version))
            for place in sorted(outcome.ends)
        ]
        task = asyncio.create_task(self._keep_all(chats, asked.who.user))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep_all(self, chats: Sequence[Chat], user: str | None) -> None:
        assert self._chats is not None
        async with self._chat_lock:
            for chat in chats:
                await asyncio.to_thread(self._chats.keep, chat, user)

    async def take_feedback(self, feedback: Feedback) -> list[str]:
        """Keep what a person thought of an answer; what of it was kept. Raises Missing where nothing was."""
        await self.settle()
        kept = await self._rate_chat(feedback) if self._chats is not None else []
        if await self._rate_arm(feedback):
            kept = [*kept, "experiment"]
        if not kept and feedback.success is not None and self._chats is not None:
            raise Missing(
                "Nothing was kept: success alone counts in an experiment only.",
                "This answer was not part of one.",
                "Give a rating, an edit or a comment as well, or start an experiment.",
            )
        if not kept:
            raise Missing(
                "Nothing is known of that answer.",
                "This server keeps no chats and it was not part of an experiment, or it is from another server.",
                "Turn on logging.chats before asking.",
            )
        return kept

    async def _rate_chat(self, feedback: Feedback) -> list[str]:
        assert self._chats is not None
        async with self._chat_lock:
            return await asyncio.to_thread(
                self._chats.rate, feedback.id, rating=feedback.rating, edit=feedback.edit, comment=feedback.comment
            )

    async def _rate_arm(self, feedback: Feedback) -> bool:
        """Tell the experiment, where the answer was part of it."""
        if self._spec.experiment is None:
            return False
        await asyncio.to_thread(self._writer.flush)
        try:
            await asyncio.to_thread(self._experiments.require_exposed, feedback.id)
        except Missing:
            return False
        success = None if feedback.success is None else float(feedback.success)
        edited = True if feedback.edit is not None else None
        self._experiments.record(
            feedback.id, experiments.Outcome(rating=feedback.rating, edited=edited, success=success)
        )
        return True

    async def tend(self) -> None:
        """Write chats that had to wait, and stop arms of the experiment that err or slow."""
        if self._chats is not None and self._chats.waiting:
            async with self._chat_lock:
                await asyncio.to_thread(self._chats.write_waiting)
        report = self._writer.report()
        self.metrics.unkept.inc(report.lost - self._lost)
        self._lost = report.lost
        if self._spec.experiment is not None:
            for breach in await asyncio.to_thread(experiments.watch, self._experiments, self._spec.experiment):
                print(f"the arm {breach.arm} was stopped: {breach.reason}", flush=True)

    async def settle(self) -> None:
        """Wait until the chats of answers that are over were handed to their store."""
        await asyncio.gather(*self._keeping)

    async def close(self) -> None:
        """Write what waits."""
        await self.settle()
        if self._chats is not None:
            await asyncio.to_thread(self._chats.close)
        await asyncio.to_thread(self._writer.close)


def answer_id(asked: Asked, place: int) -> str:
    """What a client knows a choice by: the first by the answer's own id."""
    return asked.who.request_id if place == 0 else f"{asked.who.request_id}-{place}"


def status_of(outcome: Outcome) -> str:
    """The HTTP status, or `left` for a client that did not wait."""
    if outcome.left:
        return "left"
    return "200" if outcome.failure is None else str(told(outcome.failure).status)


def _record_of(asked: Asked, model: str, version: str | None, arm: str | None, outcome: Outcome) -> RequestRecord:
    who, end = asked.who, outcome.ends.get(0)
    failure = outcome.failure
    return RequestRecord(
        request=who.request_id,
        model=model,
        status=LEFT if outcome.left else told(failure).status if failure else 200,
        seconds=outcome.seconds,
        version=version,
        key=who.key,
        first_token_seconds=outcome.first_token,
        prompt_tokens=outcome.prompt_tokens,
        answer_tokens=outcome.answer_tokens,
        queue_seconds=outcome.queue_wait,
        streamed=asked.streamed,
        finish_reason=end.reason if end else None,
        tag=who.tag,
        reasoning_mode=who.reasoning_mode,
        language=language_of(question_text(asked.asks[0].messages)) if asked.asks[0].messages else None,
        arm=arm,
        error=getattr(failure, "kind", None) or (type(failure).__name__ if failure else None),
    )


def _outcome_of(outcome: Outcome) -> experiments.Outcome:
    """What the experiment learns: a request that was wrong, or came when the server was full, is no arm's fault."""
    return experiments.Outcome(
        error=outcome.failure is not None and told(outcome.failure).status >= SERVERS_FAULT,
        seconds=outcome.seconds,
        first_token_seconds=outcome.first_token,
        tokens=outcome.answer_tokens,
    )


def _interaction(asked: Asked, place: int, outcome: Outcome, model: str, version: str | None) -> Interaction:
    ask, end = asked.asks[place], outcome.ends[place]
    prompt = list(ask.messages) if ask.prompt is None else [{"role": "user", "content": ask.prompt}]
    return Interaction(
        prompt=prompt,
        answer=outcome.texts.get(place, ""),
        model=model,
        model_version=version,
        conversation=asked.who.conversation,
        tag=asked.who.tag,
        reasoning_mode=asked.who.reasoning_mode,
        tools=[dict(tool) for tool in ask.tools or []],
        tool_calls=[dict(call) for call in outcome.calls.get(place, ())],
        prompt_tokens=end.prompt_tokens,
        answer_tokens=end.answer_tokens,
        sampling={"temperature": ask.temperature, "top_p": ask.top_p, "seed": ask.seed, "max_tokens": ask.max_tokens},
    )
