"""The job of kind "chat": holds a tuned model and its base, and answers with both side by side until it is closed.

A request is `{"messages": […], "sides": ["base", "tuned"], …}` (`ChatRequest`). Its reply is a stream of parts:
`{"side", "text"}` while a side writes, `{"side", "done": true, "seconds", "tokens", "time_to_first_token"}` when it
ends, `{"finished": true}` last; `{"error": {what, why, fix}, "finished": true}` for a request that can't be answered.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evaluation.generate import Piece, stream
from evaluation.spec import ChatRequest, ChatSpec, Side
from jobs.context import JobContext
from jobs.errors import BadInput, UserError

if TYPE_CHECKING:
    from models.load import LoadedModel
    from models.reference import ResolvedModel

POLL_SECONDS = 0.05
ASK_OTHERS_SECONDS = 1.0


@dataclass(frozen=True)
class Voice:
    """One side of the chat: a loaded model, and whether it answers without its adapter."""

    loaded: LoadedModel
    base_only: bool


@dataclass
class Answer:
    """One side's answer while it is written. Seconds count this side's own work alone: the sides take turns."""

    side: Side
    pieces: Iterator[Piece]
    tokens: int = 0
    seconds: float = 0.0
    first_token: float | None = None


def run(context: JobContext) -> dict[str, Any]:
    """Answer requests until stopped, left idle for idle_minutes, or until another job waits for the machine."""
    spec = ChatSpec.parse(context.spec)
    context.progress(None, "loading")
    voices = _load(context, spec)
    answered = 0
    last_used = last_asked = time.monotonic()
    context.progress(None, "ready")
    while True:
        context.check_stop()
        request = context.directory.next_request()
        if request is not None:
            context.progress(None, "answering")
            _reply(context, voices, *request)
            answered += 1
            last_used = time.monotonic()
            context.progress(None, "ready")
            continue
        if time.monotonic() - last_asked >= ASK_OTHERS_SECONDS:
            last_asked = time.monotonic()
            waiting = context.resource_wanted()
            if waiting is not None:
                return _close(context, f"Closed to free the machine for {waiting}", answered)
        if time.monotonic() - last_used > spec.idle_minutes * 60:
            return _close(context, f"Closed after {spec.idle_minutes:g} minutes without a message", answered)
        time.sleep(POLL_SECONDS)


def _close(context: JobContext, message: str, answered: int) -> dict[str, Any]:
    context.log(message)
    context.progress(1.0, message)
    return {"message": message, "answers": answered}


def _load(context: JobContext, spec: ChatSpec) -> dict[Side, Voice]:
    """Both sides. An adapter shares its base's load; a fully trained model needs a second load for its base."""
    from models.chat_template import ChatTokenizer
    from models.load import load_resolved
    from models.reference import resolve

    files = resolve(spec.model, context.workspace)
    tuned = load_resolved(files, precision=spec.precision)
    context.resolve("model", files.name, f"'{spec.model}'")
    context.resolve("precision", tuned.dtype, tuned.origin["precision"])
    context.resolve("device", tuned.device, "where the model was loaded")
    if files.adapter is not None:
        base = replace(tuned, tokenizer=ChatTokenizer.load(files.folder))
        return {"base": Voice(base, base_only=True), "tuned": Voice(tuned, base_only=False)}
    base_files = _base_of_full_training(context, spec)
    if base_files is None:
        return {"tuned": Voice(tuned, base_only=False)}
    base = load_resolved(base_files, precision=spec.precision)
    return {"base": Voice(base, base_only=False), "tuned": Voice(tuned, base_only=False)}


def _base_of_full_training(context: JobContext, spec: ChatSpec) -> ResolvedModel | None:
    """What a job that trained all weights started from; None for a model that no job made."""
    from models.reference import ModelRef, resolve

    ref = ModelRef.parse(spec.model)
    if ref.kind != "job":
        return None
    return resolve(str(context.workspace.job(ref.target).header["spec"]["model"]), context.workspace)


def _reply(context: JobContext, voices: dict[Side, Voice], request_id: str, values: dict[str, Any]) -> None:
    """Stream the answers. A request that can't be answered gets its error as the reply; the job goes on."""
    try:
        request = ChatRequest.parse(values, "the chat request")
        answers = _begin(voices, request)
        while answers:
            answers = [answer for answer in answers if _advance(context, request_id, answer)]
            if context.should_stop():
                context.directory.reply(request_id, {"finished": True, "stopped": True})
                context.check_stop()
    except UserError as error:
        shown = {"what": error.what, "why": error.why, "fix": error.fix}
        context.directory.reply(request_id, {"error": shown, "finished": True})
        return
    context.directory.reply(request_id, {"finished": True})


def _begin(voices: dict[Side, Voice], request: ChatRequest) -> list[Answer]:
    missing = [side for side in request.sides if side not in voices]
    if missing:
        raise BadInput(
            f"The side '{missing[0]}' was asked for.",
            "This model has no adapter to switch off, and no job says what it was trained from.",
            "Ask the side 'tuned' alone, or open the chat on a train job.",
        )
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return [Answer(side, _stream(voices[side], messages, request)) for side in dict.fromkeys(request.sides)]


def _stream(voice: Voice, messages: list[dict[str, Any]], request: ChatRequest) -> Iterator[Piece]:
    return stream(
        voice.loaded,
        messages,
        max_new_tokens=request.max_new_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        base_only=voice.base_only,
    )


def _advance(context: JobContext, request_id: str, answer: Answer) -> bool:
    """Write one more token of one side; False when it is complete."""
    started = time.perf_counter()
    piece = next(answer.pieces, None)
    answer.seconds += time.perf_counter() - started
    if piece is None:
        figures = {"seconds": answer.seconds, "tokens": answer.tokens, "time_to_first_token": answer.first_token}
        context.directory.reply(request_id, {"side": answer.side, "done": True, **figures})
        return False
    answer.tokens = piece.tokens
    if answer.first_token is None:
        answer.first_token = answer.seconds
    if piece.text:
        context.directory.reply(request_id, {"side": answer.side, "text": piece.text})
    return True
