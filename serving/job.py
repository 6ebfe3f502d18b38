"""The job of kind "serve": opens the models, answers over HTTP until it is stopped, rests when others need the machine.

`address.json` in the job's folder says where it listens. Stopping lets running answers end. When nobody asked for a
while and another job waits for the machine, the models are closed and opened again at the next request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any

import uvicorn

from datasets_src.interactions.store import Interactions
from jobs.context import JobContext
from jobs.errors import Missing, Stopped
from jobs.files import write_json
from models.hardware import probe
from serving.chats import ChatLog
from serving.deck import Deck
from serving.errors import Refusal
from serving.experiments import Experiments
from serving.forget import UNKEPT
from serving.http import make_app
from serving.monitoring import forget_before
from serving.recording import Recorder
from serving.router.classifier.model import Classifier, load
from serving.router.router import Router
from serving.service import Service
from serving.spec import ServeSpec
from serving.tenancy import Tenancy

LOOK_SECONDS = 0.2
TEND_SECONDS = 2.0
FORGET_SECONDS = 3600.0
DAY = 86_400.0
WAKE_SECONDS = 30.0
ADDRESS = "address.json"
KEPT_OPERATIONS = 64


def run(context: JobContext) -> dict[str, Any]:
    """Serve until stopped. Raises what loading the models raises."""
    spec = ServeSpec.parse(context.spec)
    # oneDNN keeps a compiled operation for each shape it met, 1,024 by default: with batches and prompts of every
    # length that is 150 MB more within the first thousands of requests. One step of a model needs a few dozen.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KEPT_OPERATIONS))
    return asyncio.run(Server(context, spec).run())


class Server:
    """One run of the server."""

    def __init__(self, context: JobContext, spec: ServeSpec) -> None:
        self._context = context
        self._spec = spec
        self._deck = Deck(spec, context.workspace)
        self._tenancy = Tenancy(probe(context.workspace.root).resource, context.directory, spec.title)
        self._chats = self._open_chats()
        self._opening: asyncio.Task[None] | None = None

    def _open_chats(self) -> ChatLog | None:
        logging = self._spec.logging
        if not logging.chats:
            return None
        log = ChatLog(
            self._context.workspace,
            Path(self._context.path) / UNKEPT,
            scrub=logging.scrub,
            on_trouble=lambda what: self._context.log(f"Chats have to wait: {what}"),
        )
        for server in self._context.workspace.list_jobs("serve"):
            log.adopt(server.path / UNKEPT)
        return log

    async def run(self) -> dict[str, Any]:
        (self._context.path / ADDRESS).unlink(missing_ok=True)
        await self._open_models()
        router = Router(self._spec.routing(), self._deck.names, self._deck.stream, self._classifiers())
        self._recorder = Recorder(self._context.workspace, self._spec, self._chats)
        service = Service(self._context.workspace, self._spec, self._deck, router, self._recorder)
        service.awake = self._awake
        listening = _listen(self._spec.host, self._spec.port)
        host, port = listening.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        write_json(self._context.path / ADDRESS, {"address": address})
        self._said = f"Listening at {address}"
        self._context.log(f"{self._said}, serving {', '.join(service.models)}")
        try:
            await self._serve_until_stopped(service, listening)
        finally:
            await self._close()
        raise Stopped("Stopped, after the answers that were being written. Resume serves the same models again.")

    def _classifiers(self) -> dict[str, Classifier]:
        """Those that the router's rules name. Raises Missing for one that was never trained."""
        return {name: load(self._context.workspace, name) for name in self._spec.routing().classifiers}

    async def _serve_until_stopped(self, service: Service, listening: socket.socket) -> None:
        config = uvicorn.Config(
            make_app(service), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        self._context.progress(None, self._said)
        try:
            await self._tend(service, serving)
            self._context.progress(None, "Stopping: running answers end first")
            await service.drain()
        finally:
            server.should_exit = True
            await serving

    async def _tend(self, service: Service, serving: asyncio.Task[None]) -> None:
        """Look after everything until the job is stopped."""
        tended = forgot = time.monotonic()
        await asyncio.to_thread(self._forget)
        while not self._context.should_stop() and not serving.done():
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if now - tended >= TEND_SECONDS:
                tended = now
                await service.tend()
                await self._follow_registry()
                await self._rest_if_wanted(service)
            if now - forgot >= FORGET_SECONDS:
                forgot = now
                await asyncio.to_thread(self._forget)

    def _forget(self) -> None:
        """Delete what is older than it may be."""
        days = self._spec.logging.retention_days
        if days is None:
            return
        moment, place = time.time() - days * DAY, self._context.workspace
        chats = Interactions(place).forget_before(moment)
        figures = forget_before(place, moment) + Experiments(place).forget_before(moment)
        if chats or figures:
            self._context.log(f"{chats} chats and {figures} requests' figures were over {days:g} days old: deleted")

    async def _follow_registry(self) -> None:
        if self._deck.opened:
            for sentence in await self._deck.follow_registry():
                self._context.log(sentence)

    async def _rest_if_wanted(self, service: Service) -> None:
        """Make way for a job that waits, when nobody has asked for a while."""
        idle = time.monotonic() - service.last_used
        if not self._tenancy.held or idle < self._spec.idle_minutes * 60 or service.gate.running:
            return
        waiting = self._tenancy.wanted_by()
        if waiting is not None:
            await self._deck.close()
            await self._tenancy.give_back()
            self._context.log(f"The models are closed to free the machine for {waiting}")
            self._context.progress(None, f"Resting for {waiting}; the next request opens the models again")

    async def _open_models(self) -> None:
        """Take the machine where models are run on it, and load them."""
        if self._deck.computes_here and not self._tenancy.held:
            await self._tenancy.take(lambda message: self._context.progress(None, message))
        self._context.progress(None, f"Loading {', '.join(self._deck.names)}")
        try:
            await self._deck.open()
        except BaseException:
            await self._tenancy.give_back()
            raise

    async def _awake(self) -> None:
        """Open the models again where they rest. Raises Refusal while another job has the machine."""
        if self._deck.opened:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_again())
        try:
            await asyncio.wait_for(asyncio.shield(self._opening), WAKE_SECONDS)
        except TimeoutError as late:
            said = "the models are closed while another job has the machine"
            raise Refusal(503, said, "server_error", "resting", retry_after=WAKE_SECONDS) from late

    async def _open_again(self) -> None:
        await self._open_models()
        self._context.progress(None, self._said)

    async def _close(self) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            with contextlib.suppress(asyncio.CancelledError, Stopped):
                await self._opening
        await self._deck.close()
        await self._recorder.close()
        await self._tenancy.give_back()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises Missing where nothing can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # From now on clients may connect; they are answered as soon as the server runs.
        listening.listen(2048)
    except OSError as error:
        raise Missing(
            f"Nothing can listen at {host}, port {port}.",
            f"{error.strerror or error}: perhaps another server runs there.",
            "Choose another port, or 0 for one that is free.",
        ) from error
    return listening
