"""The HTTP side: OpenAI's routes, health and metrics, sizes and slow readers bounded, clients that leave noticed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.errors import UserError
from serving import wire
from serving.answering import Answering, Who
from serving.engines.engine import Ask, EngineFailure
from serving.errors import Refusal, told
from serving.gate import TooMany
from serving.keys import Key
from serving.protocol import (
    Accepted,
    ChatRequest,
    CompletionRequest,
    ErrorAnswer,
    Feedback,
    Health,
    Model,
    ModelList,
    Sampled,
)
from serving.recording import Asked
from serving.router.decision import headers
from serving.service import Service, new_id

KNOWN_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer} for status in (400, 401, 404, 413, 429, 502, 503, 504)
}
T = TypeVar("T")
PROBLEMS = (Refusal, TooMany, EngineFailure, UserError)


def make_app(service: Service) -> FastAPI:
    """The server's application."""
    app = FastAPI(title="Hearth", summary="Tuned models over OpenAI's interface", docs_url=None, redoc_url=None)
    app.add_middleware(BoundedBody, most=round(service.spec.limits.body_mb * 1e6))
    for problem in PROBLEMS:
        app.add_exception_handler(problem, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    _add_answers(app, service)
    _add_figures(app, service)
    return app


def _add_answers(app: FastAPI, service: Service) -> None:
    async def admit(request: Request) -> None:
        address = request.client.host if request.client else "unknown"
        request.state.key = await service.admit(request.headers.get("authorization"), address)

    answers = APIRouter(prefix="/v1", dependencies=[Depends(admit)], responses=KNOWN_ERRORS)

    @answers.post("/chat/completions", response_model=None)
    async def chat(body: ChatRequest, request: Request) -> Response:
        """An answer to a conversation."""
        asks = [_ask(service, body, place) for place in range(body.n or 1)]
        return await _answer(service, body, asks, request, chat=True)

    @answers.post("/completions", response_model=None)
    async def complete(body: CompletionRequest, request: Request) -> Response:
        """How texts go on."""
        asks = [_ask(service, body, place, text) for text in body.prompts() for place in range(body.n or 1)]
        return await _answer(service, body, asks, request, chat=False)

    @answers.get("/models")
    async def models() -> ModelList:
        """The models that a request may name."""
        return ModelList(data=[Model(id=name) for name in service.models])

    @answers.post("/feedback")
    async def feedback(body: Feedback) -> Accepted:
        """What a person thought of an answer."""
        return Accepted(id=body.id, kept=await service.take_feedback(body))

    app.include_router(answers)


def _add_figures(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> Health:
        """Whether it answers."""
        state = "draining" if service.draining else "ok" if service.deck.opened else "resting"
        return Health(
            status=state,  # type: ignore[arg-type]
            models=service.deck.names,
            running=service.gate.running,
            waiting=service.gate.waiting,
        )

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _ask(service: Service, body: Sampled, place: int, prompt: str | None = None) -> Ask:
    """What is asked of the model for one choice. OpenAI's defaults: temperature 1, and 16 tokens for completions."""
    limit = service.spec.limits.answer_tokens
    wanted = body.max_tokens
    messages, tools, schema = [], None, None
    if isinstance(body, ChatRequest):
        wanted = body.max_completion_tokens or wanted or limit
        messages = [message.plain() for message in body.messages]
        tools = [tool.model_dump() for tool in body.tools] if body.tools and body.tool_choice != "none" else None
        schema = body.response_format.schema() if body.response_format else None
    return Ask(
        messages=messages,
        prompt=prompt,
        tools=tools,
        max_tokens=min(wanted or 16, limit),
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        seed=None if body.seed is None else (body.seed + place) % 2**31,
        stop=body.stops(),
        schema=schema,
    )


async def _answer(service: Service, body: Sampled, asks: list[Ask], request: Request, *, chat: bool) -> Response:
    about = body.metadata or {}
    key: Key | None = request.state.key
    who = Who(
        new_id(chat=chat),
        user=body.user,
        conversation=about.get("conversation"),
        tag=about.get("tag"),
        reasoning_mode=about.get("reasoning_mode"),
        key=key.name if key else None,
    )
    asked = Asked(body.model, asks, who, body.stream)
    answering = await _unless_left(request, service.answer(asked, key))
    decision = answering.outcome.decision
    beside = {"X-Request-Id": who.request_id, **(headers(decision) if decision else {})}
    model = decision.model if decision and decision.model else body.model
    usage = bool(body.stream_options and body.stream_options.include_usage)
    shape = wire.Shape.now(who.request_id, model, chat=chat, include_usage=usage)
    if body.stream:
        return AnswerStream(wire.events(shape, answering), answering, service.spec.limits.send_seconds, beside)
    try:
        await _unless_left(request, _read_all(answering))
    finally:
        answering.leave()
    return JSONResponse(wire.whole(shape, answering.outcome), headers=beside)


async def _read_all(answering: Answering) -> None:
    async for _ in answering.parts():
        pass


async def _unless_left(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is ended when the client leaves. Raises Refusal then, to nobody."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            doing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await doing
            raise Refusal(499, "the client left", "client_error", "left")
        return doing.result()
    finally:
        leaving.cancel()
        if not doing.done():
            doing.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class AnswerStream(StreamingResponse):
    """Server-sent events; a client that doesn't take them in time is cut off, one that leaves ends the work."""

    def __init__(
        self, content: AsyncIterator[bytes], answering: Answering, send_seconds: float, headers: dict[str, str]
    ) -> None:
        fixed = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(content, headers={**headers, **fixed}, media_type="text/event-stream")
        self._answering = answering
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._send_seconds):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            print("a client took too long to read its answer and was cut off", flush=True)
        finally:
            self._answering.leave()


class BoundedBody:
    """Refuses requests whose body is larger than it may be, before it is read whole."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most:
            await self._refuse(scope, receive, send)
            return
        watched = _Watched(receive, send, self._most)
        await self._app(scope, watched.receive, watched.send)
        if watched.over:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = told(_too_large(self._most))
        await JSONResponse(said.body, said.status, {"Connection": "close"})(scope, receive, send)


class _Watched:
    """One request whose body is counted: of one too large no more is read, and what the app says of it is dropped."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._read = 0
        self.over = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            self.over = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if not self.over:
            await self._send(message)


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"the request is larger than {most / 1e6:g} MB", code="too_large")


async def _answer_problem(_: Request, problem: Exception) -> JSONResponse:
    said = told(problem)
    return JSONResponse(said.body, said.status, said.headers)


async def _answer_invalid(_: Request, problem: Exception) -> JSONResponse:
    """Every problem of the body in one line, without repeating what was sent."""
    assert isinstance(problem, RequestValidationError)
    found = [f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in problem.errors()]
    return await _answer_problem(_, Refusal(400, "; ".join(found[:10])))


async def _answer_http(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, HTTPException)
    return await _answer_problem(_, Refusal(problem.status_code, str(problem.detail)))
