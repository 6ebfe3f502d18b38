"""The job of kind "chat": holds up to four models and answers with them side by side until it is closed.

A request is `{"asks": [{"voice": 0, "messages": […], "sampling": {…}}, …]}` (`ChatRequest`). Its reply is a stream of
parts: `{"voice", "text"}` while a model writes, `{"voice", "done": true, "seconds", "tokens", "time_to_first_token",
"memory_bytes", "prompt", …}` when it ends, `{"finished": true}` last. A request that can't be answered gets
`{"error": {what, why, fix}, "finished": true}`, one model that can't the same error in its own `done`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evaluation.chat_spec import ChatRequest, ChatSpec, VoiceAsk
from evaluation.voices import Asked, Loaded, Part, Voices
from jobs.context import JobContext
from jobs.errors import BadInput, UserError
from models.reference import ModelRef, ResolvedModel, require_gguf, resolve

POLL_SECONDS = 0.05
NOTHING_NEW_SECONDS = 0.01
ASK_OTHERS_SECONDS = 1.0
# Beside the weights: keys and values, activations, and what a library needs for itself.
ROOM_BESIDE_WEIGHTS = 1.2
SHARE_OF_FREE_MEMORY = 0.9


class Chat:
    """The models of a chat, all open at once, or one load after the other where they don't fit together."""

    def __init__(self, context: JobContext, spec: ChatSpec) -> None:
        self._context = context
        self._groups = _groups(context, spec)
        needed, free = sum(_bytes_of(group, spec) for group in self._groups), _free_memory()
        self._together = needed <= SHARE_OF_FREE_MEMORY * free or len(self._groups) == 1
        figures = f"they need about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        context.resolve("together", self._together, figures)
        if self._together:
            for group in self._groups:
                group.open()
        else:
            context.log(f"The models answer one after the other: {figures}")

    def reply(self, request_id: str, values: dict[str, Any]) -> None:
        """Stream the answers to a request. One that can't be answered gets its error as the reply; the job goes on."""
        try:
            request = ChatRequest.parse(values, "the chat request")
            for part in self._parts(request.asks):
                if part is None:
                    time.sleep(NOTHING_NEW_SECONDS)
                else:
                    self._context.directory.reply(request_id, part)
                if self._context.should_stop():
                    self._context.directory.reply(request_id, {"finished": True, "stopped": True})
                    self._context.check_stop()
        except UserError as error:
            shown = {"what": error.what, "why": error.why, "fix": error.fix}
            self._context.directory.reply(request_id, {"error": shown, "finished": True})
            return
        self._context.directory.reply(request_id, {"finished": True})

    def close(self) -> None:
        for group in self._groups:
            group.close()

    def _parts(self, asks: Sequence[VoiceAsk]) -> Iterator[Part | None]:
        known = {place for group in self._groups for place in group.places}
        for ask in asks:
            if ask.voice not in known:
                raise BadInput(
                    f"Model {ask.voice + 1} was asked.",
                    f"This chat holds {len(known)}.",
                    "Open a chat that has it.",
                )
        wanted = [
            (group, [ask for ask in asks if ask.voice in group.places])
            for group in self._groups
            if any(ask.voice in group.places for ask in asks)
        ]
        if self._together:
            yield from _side_by_side([group.answer(own) for group, own in wanted])
            return
        for group, own in wanted:
            group.open()
            yield from group.answer(own)
            group.close()


def run(context: JobContext) -> dict[str, Any]:
    """Answer requests until stopped, left idle for idle_minutes, or until another job waits for the machine."""
    spec = ChatSpec.parse(context.spec)
    context.progress(None, "loading")
    chat = Chat(context, spec)
    try:
        return _serve(context, spec, chat)
    finally:
        chat.close()


def _serve(context: JobContext, spec: ChatSpec, chat: Chat) -> dict[str, Any]:
    answered = 0
    last_used = last_asked = time.monotonic()
    context.progress(None, "ready")
    while True:
        context.check_stop()
        request = context.directory.next_request()
        if request is not None:
            context.progress(None, "answering")
            chat.reply(*request)
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


def _side_by_side(streams: list[Iterator[Part | None]]) -> Iterator[Part | None]:
    """A part of each stream in turn; None when none of them had anything new."""
    while streams:
        news = False
        for each in list(streams):
            try:
                part = next(each)
            except StopIteration:
                streams.remove(each)
                continue
            if part is not None:
                news = True
                yield part
        if not news:
            yield None


def _groups(context: JobContext, spec: ChatSpec) -> list[Voices]:
    """The models by what they share: those of one base folder, and each that is asked for itself."""
    by_folder: dict[Path, list[tuple[int, ResolvedModel]]] = {}
    groups: list[Voices] = []
    names = []
    for place, text in enumerate(spec.models):
        context.progress(None, f"finding {text}")
        ref = ModelRef.parse(text)
        if ref.asked:
            groups.append(Asked((place,), ref, spec))
            names.append(ref.short)
            continue
        files = resolve(ref, context.workspace)
        by_folder.setdefault(files.folder, []).append((place, files))
        names.append(files.name)
    context.resolve("names", names, "what the models call themselves")
    loaded: list[Voices] = [
        Loaded(tuple(place for place, _ in own), [files for _, files in own], spec) for own in by_folder.values()
    ]
    return loaded + groups


def _bytes_of(group: Voices, spec: ChatSpec) -> float:
    """About how much memory a group takes here; nothing where a server elsewhere holds the model."""
    if isinstance(group, Asked):
        path = require_gguf(group.ref) if group.ref.kind == "gguf" else None
        return ROOM_BESIDE_WEIGHTS * path.stat().st_size if path else 0.0
    assert isinstance(group, Loaded)
    from models.folder import count_parameters
    from models.hardware import probe
    from models.precision import choose_precision

    each = {"4bit": 0.65, "8bit": 1.1}.get(spec.quantisation)
    if each is None:
        each = 4 if choose_precision(spec.precision, probe()).value == "fp32" else 2
    weights = count_parameters(group.files[0].folder) * each
    adapters = sum(_size(files.adapter) for files in group.files if files.adapter is not None)
    return ROOM_BESIDE_WEIGHTS * weights + adapters


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _free_memory() -> int:
    """Bytes that are free where models are loaded: on the first GPU, else in the machine."""
    from models.hardware import probe

    found = probe()
    return found.gpus[0].memory_free if found.gpus else found.memory_free
