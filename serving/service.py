"""What the server does with a request, without HTTP: who may ask, what is asked of which model, what is kept of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from jobs.workspace import Workspace
from serving.answering import Answering, Outcome
from serving.deck import Deck
from serving.errors import Refusal
from serving.gate import Gate, KeyLimits
from serving.keys import Key, Keys
from serving.protocol import Feedback
from serving.recording import Asked, Recorder
from serving.router.breaker import State
from serving.router.router import Router
from serving.spec import AUTO, ServeSpec


class Service:
    """One server's state. Used inside one event loop."""

    def __init__(self, workspace: Workspace, spec: ServeSpec, deck: Deck, router: Router, recorder: Recorder) -> None:
        self.spec = spec
        self.deck = deck
        self.router = router
        self.metrics = recorder.metrics
        self.recorder = recorder
        self.gate = Gate(spec.limits.running, spec.limits.waiting)
        self.metrics.watch_queue(lambda: self.gate.running, lambda: self.gate.waiting)
        self.draining = False
        self.last_used = time.monotonic()
        self.awake: Callable[[], Awaitable[None]] = _nothing
        self._keys = Keys(workspace)
        self._limits = KeyLimits()

    @property
    def models(self) -> list[str]:
        """What a request may name: models, and routes where there is a choice."""
        routes = self.router.chooser.routes if self.spec.router or self.spec.experiment else [AUTO]
        return [*self.deck.names, *routes]

    async def admit(self, authorization: str | None, address: str) -> Key | None:
        """The key of a request, None where none is asked for. Raises Refusal or TooMany."""
        if not self.spec.keys:
            return None
        self._limits.check_address(address)
        given = (authorization or "").removeprefix("Bearer ").strip()
        key = await asyncio.to_thread(self._keys.find, given) if given else None
        if key is None:
            self._limits.wrong_key(address)
            self.metrics.rejected.labels("key").inc()
            said = "the key is not known, or was revoked" if given else "no key came with the request"
            raise Refusal(401, f"{said}; send Authorization: Bearer KEY", "authentication_error", "invalid_api_key")
        self._limits.take(key)
        return key

    async def answer(self, asked: Asked, key: Key | None) -> Answering:
        """Begin to answer; the first part is there when this returns. Raises what `errors.told` tells."""
        if self.draining:
            raise Refusal(503, "the server is stopping", "server_error", "draining", retry_after=30.0)
        self.last_used = time.monotonic()
        await self.awake()
        model, arm = await self.recorder.expose(asked)
        seconds = self.spec.limits.request_seconds
        answering = Answering(self.router, self.gate, seconds, lambda outcome: self._done(asked, key, outcome, arm))
        await answering.start(model, asked.asks, asked.who)
        return answering

    def _done(self, asked: Asked, key: Key | None, outcome: Outcome, arm: str | None) -> None:
        self.last_used = time.monotonic()
        if key is not None:
            self._limits.spend(key, outcome.prompt_tokens + outcome.answer_tokens)
        for name, state in self.router.circuits.items():
            self.metrics.circuit_open.labels(name).set(state is not State.CLOSED)
        model = outcome.decision.model if outcome.decision else ""
        served = self.deck.served.get(model)
        self.recorder.record(asked, outcome, arm, served.version if served else None)

    async def take_feedback(self, feedback: Feedback) -> list[str]:
        """Keep what a person thought of an answer; what of it could be kept. Raises Missing where nothing could."""
        return await self.recorder.take_feedback(feedback)

    async def tend(self) -> None:
        """Write what had to wait, and look after the experiment; called every few seconds."""
        await self.recorder.tend()

    async def drain(self) -> None:
        """Take nothing new, let running answers end, and keep what is still to be kept."""
        self.draining = True
        deadline = time.monotonic() + self.spec.limits.drain_seconds
        while (self.gate.running or self.gate.waiting) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await self.recorder.settle()


async def _nothing() -> None:
    """Nothing has to be opened first."""


def new_id(*, chat: bool) -> str:
    """The id of an answer, which nobody can guess."""
    return f"{'chatcmpl' if chat else 'cmpl'}-{secrets.token_hex(16)}"
