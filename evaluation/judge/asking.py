"""Asking any model many questions: one loaded here in batches, one behind an endpoint several at once.

Replies are kept in an append-only file as they come, so that a job that was killed asks nothing twice; what a loaded
model samples depends on a request's place in the whole list alone, so a resumed job gets the same replies as one that
was never stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from evaluation.judge.replies import Manner, Replies, Reply, Request
from jobs.context import JobContext
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.endpoints.client import ChatOptions, EndpointFailure, FailureKind
from models.endpoints.patience import Backoff, PatientClient
from models.reference import ModelRef

if TYPE_CHECKING:
    from models.load import LoadedModel

TRIES = 4
LOOK_UP_SECONDS = 0.1
# What is wrong with one request alone: it counts as unusable. The other failures are the endpoint's, and end the job.
OF_ONE_REQUEST = (FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.BROKEN_OFF)
HOPELESS = 5


Tick = Callable[[], None]


class Asker(Protocol):
    """A model ready to be asked."""

    def ask(self, requests: Sequence[Request], replies: Replies, tick: Tick) -> None:
        """Ask what has no reply yet. `tick` is called between replies and may raise to end the work."""


def ticker(context: JobContext, requests: Sequence[Request], replies: Replies, message: str) -> Tick:
    """A tick that tells the job's progress, and raises Stopped when the user asked for it."""
    begun = time.monotonic()
    known = sum(request.key in replies for request in requests)

    def tick() -> None:
        done = sum(request.key in replies for request in requests)
        rate = (done - known) / (time.monotonic() - begun + 1e-9)
        eta = (len(requests) - done) / rate if rate > 0 else None
        context.progress(done / len(requests), f"{message}: {done} of {len(requests)} replies", eta)
        context.check_stop()

    return tick


@contextmanager
def open_asker(manner: Manner, workspace: Workspace) -> Iterator[Asker]:
    """The model, loaded or connected to until the block ends. Raises Missing or BadInput as `resolve` does."""
    ref = ModelRef.parse(manner.model)
    if ref.asked:
        with asyncio.Runner() as runner:
            endpoint = EndpointAsker(manner, ref, runner)
            try:
                yield endpoint
            finally:
                endpoint.close()
        return
    from evaluation.sharing import SharedLoad, free_memory
    from models.reference import resolve

    files = resolve(ref, workspace)
    shared = SharedLoad([files], quantisation=manner.quantisation, precision=manner.precision)
    asker = LoadedAsker(manner)
    try:
        with shared.answering(files) as asker.loaded:
            del shared
            yield asker
    finally:
        # Whoever asked may still hold the asker; the memory is for the next model.
        asker.loaded = None
        free_memory()


class LoadedAsker:
    """Asks a model that is loaded in this process, in batches of alike lengths."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self.loaded: LoadedModel | None = None

    def ask(self, requests: Sequence[Request], replies: Replies, tick: Tick) -> None:
        """As Asker.ask."""
        from evaluation.decoding import Sampling
        from evaluation.generate import generate_batches

        assert self.loaded is not None, "asked after its block has ended"
        manner = self._manner
        for batch in generate_batches(
            self.loaded,
            [request.messages for request in requests],
            max_new_tokens=manner.max_tokens,
            batch_size=manner.batch_size,
            sampling=Sampling(manner.temperature or 0.0, manner.top_p, manner.seed),
            tools=[request.tools for request in requests],
            known={place for place, request in enumerate(requests) if request.key in replies},
        ):
            for place, answer in batch.items():
                ended = "stop" if answer.ended else "length"
                replies.add(Reply(requests[place].key, answer.text, ended, round(answer.seconds, 3), manner.seed))
            tick()


class EndpointAsker:
    """Asks a model behind an endpoint, several requests at once."""

    def __init__(self, manner: Manner, ref: ModelRef, runner: asyncio.Runner) -> None:
        self._manner = manner
        self._ref = ref
        self._runner = runner
        self._stack = AsyncExitStack()
        self._refused_in_a_row = 0
        self._client = runner.run(self._opened())

    async def _opened(self) -> PatientClient:
        from models.endpoints.opening import open_client

        manner = self._manner
        opening = open_client(
            self._ref,
            key_variable=manner.key_variable,
            context_length=manner.context_length,
            slots=manner.concurrency,
        )
        client = await self._stack.enter_async_context(opening)
        return PatientClient(client, concurrency=manner.concurrency, backoff=Backoff(seed=manner.seed))

    def close(self) -> None:
        """Give the connections, or a GGUF file's memory, back."""
        self._runner.run(self._stack.aclose())

    def ask(self, requests: Sequence[Request], replies: Replies, tick: Tick) -> None:
        """As Asker.ask. Raises Missing when the endpoint gives out, BadInput when it refuses every request."""
        missing = [request for request in requests if request.key not in replies]
        self._runner.run(self._ask_all(missing, replies, tick))

    async def _ask_all(self, requests: Sequence[Request], replies: Replies, tick: Tick) -> None:
        waiting = iter(requests)
        tasks: set[asyncio.Task[Reply]] = set()
        try:
            while True:
                while len(tasks) < self._manner.concurrency and (request := next(waiting, None)) is not None:
                    tasks.add(asyncio.create_task(self._one(request)))
                if not tasks:
                    return
                done, tasks = await asyncio.wait(tasks, timeout=LOOK_UP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task.exception() is None:
                        replies.add(task.result())
                for task in done:
                    task.result()  # raises what ended the request
                tick()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, request: Request) -> Reply:
        seed = request.seed if self._ref.kind in ("gguf", "ollama") else None
        try:
            answer = await self._client.complete(
                request.messages, self._options(request, seed), tries=TRIES, on_failure=lambda _: None
            )
        except EndpointFailure as failure:
            return self._failed(request, failure)
        self._refused_in_a_row = 0
        return Reply(request.key, answer.text, answer.finish_reason, round(answer.seconds, 3), seed)

    def _options(self, request: Request, seed: int | None) -> ChatOptions:
        manner = self._manner
        extra: dict[str, Any] = {"tools": request.tools} if request.tools else {}
        if manner.top_p < 1:
            extra |= self._with_top_p(seed)
        return ChatOptions(
            temperature=manner.temperature,
            max_tokens=manner.max_tokens,
            seed=seed,
            schema=manner.schema,
            timeout_seconds=manner.timeout_seconds,
            extra=extra,
        )

    def _with_top_p(self, seed: int | None) -> dict[str, Any]:
        """Where each API wants it: Ollama among its options, which are then given whole."""
        manner = self._manner
        if self._ref.kind != "ollama":
            return {"top_p": manner.top_p}
        settings = {
            "temperature": manner.temperature,
            "num_predict": manner.max_tokens,
            "seed": seed,
            "num_ctx": manner.context_length,
            "top_p": manner.top_p,
        }
        return {"options": {name: value for name, value in settings.items() if value is not None}}

    def _failed(self, request: Request, failure: EndpointFailure) -> Reply:
        told = f"{failure.kind}: {failure}"
        if failure.kind not in OF_ONE_REQUEST:
            raise Missing(
                f"{self._ref.text} doesn't answer.",
                told,
                "See to the endpoint (is it up, is its address right?), then press Resume: what came is kept.",
            ) from failure
        self._refused_in_a_row += failure.kind is FailureKind.REFUSED
        if self._refused_in_a_row >= HOPELESS:
            raise BadInput(
                f"{self._ref.text} refused {HOPELESS} requests in a row.",
                told,
                "Turn `structured` off if it takes no JSON schema, empty the temperature if it allows none, or "
                "choose another model.",
            ) from failure
        return Reply(request.key, "", failure=told)
