"""A fake Ollama server on a real port. It answers with the uploaded GGUF, through llama.cpp, and misbehaves on command.

Statuses, headers, lines and error texts follow exchanges recorded from a real server (0.30 line), against which
test_fake_server.py holds it. Prompts are rendered by the GGUF's own template: it has no Go templates.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from export.llama_cpp import Completion, LlamaCppError
from export.ollama.names import parse_name
from tests.export.ollama.fake_http import JSON, JSON_UTF8, NDJSON, SendingHandler
from tests.export.ollama.fake_store import NO_NETWORK, FakeModel, FakeStore, Refusal

READ_BYTES = 1 << 16
DIGEST = re.compile(r"sha256[:-][0-9a-f]{64}")


@dataclass
class Misbehaviour:
    """What goes wrong. `hold_upload_at` and `drop_upload_at` are bytes of an upload; `held` is set once it is held.

    `refuse_create`: the error that a create call ends with in mid-stream; `drop_create`: it hangs up instead.
    """

    version: str = "0.30.0"
    no_space: bool = False
    drop_upload_at: int | None = None
    hold_upload_at: int | None = None
    hold_create: bool = False
    refuse_create: str | None = None
    drop_create: bool = False
    drop_chat: bool = False
    error_in_chat: str | None = None
    seconds_per_read: float = 0.0
    knows_rendering: bool = True
    registry: bool = False
    wrong_prompts: bool = False
    not_ollama: bool = False
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class FakeOllama:
    """The server. `asked` lists method and path of every request, `received` the bytes of every upload."""

    def __init__(self, folder: Path, misbehaviour: Misbehaviour | None = None, port: int = 0) -> None:
        self.store = FakeStore(folder)
        self.does = misbehaviour or Misbehaviour()
        self.asked: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.received: list[int] = []
        self.pushed: list[str] = []
        self._server = _Server(self, port)

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.does.released.set()
        self._server.shutdown()
        self._server.server_close()
        self.store.close()

    # Answers

    def create_lines(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Raises Refusal in the middle."""
        for number, status in enumerate(self.store.create(body)):
            if number == 2:
                if self.does.hold_create:
                    self.does.held.set()
                    self.does.released.wait()
                if self.does.refuse_create:
                    raise Refusal(self.does.refuse_create)
                if self.does.drop_create:
                    raise ConnectionResetError
            yield {"status": status}

    def push_lines(self, name: str) -> Iterator[dict[str, Any]]:
        model = self.store.require(name)
        parts = parse_name(model.name)
        yield {"status": "retrieving manifest"}
        if not self.does.registry:
            blob = f"https://{parts.registry}/v2/{parts.namespace}/{parts.model}/blobs/{model.blob}"
            raise Refusal(f'Head "{blob}": {NO_NETWORK}')
        size = self.store.blob(model.blob).stat().st_size
        for done in (0, size // 2, size):
            yield {"status": f"pushing {model.blob[7:19]}", "digest": model.blob, "total": size, "completed": done}
        yield {"status": "pushing manifest"}
        self.pushed.append(model.name)
        yield {"status": "success"}

    def chat_lines(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        model = self.store.require(body["model"])
        if not body.get("messages"):
            yield self._loads(model, body, {"message": {"role": "assistant", "content": ""}})
            return
        prompt = self._prompt(model, body["messages"], body.get("tools"))
        if body.get("_debug_render_only") and self.does.knows_rendering:
            yield {**_stamp(body), "message": {"role": "", "content": ""}, "done": False, "_debug_info": {
                "rendered_template": prompt}}  # fmt: skip
            return
        for number, (text, last) in enumerate(self._answer(model, prompt, body)):
            if number == 1 and self.does.error_in_chat:
                raise Refusal(self.does.error_in_chat)
            if number == 1 and self.does.drop_chat:
                raise ConnectionResetError
            yield {**_stamp(body), "message": {"role": "assistant", "content": text}, **last}

    def generate_lines(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        model = self.store.require(body["model"])
        if not body.get("prompt"):
            yield self._loads(model, body, {"response": ""})
            return
        prompt = self._prompt(model, [{"role": "user", "content": body["prompt"]}], None)
        context = self.store.load(model).tokenise(prompt)
        for text, last in self._answer(model, prompt, body):
            extra = {**last, "context": context} if last["done"] else last
            yield {**_stamp(body), "response": text, **extra}

    def _loads(self, model: FakeModel, body: dict[str, Any], empty: dict[str, Any]) -> dict[str, Any]:
        """A request without a prompt loads the model or, with keep_alive 0, unloads it."""
        if body.get("keep_alive") == 0:
            # The real one answers first and unloads then.
            threading.Timer(0.1, self.store.unload, [model.name]).start()
            return {**_stamp(body), **empty, "done": True, "done_reason": "unload"}
        self.store.load(model)
        return {**_stamp(body), **empty, "done": True, "done_reason": "load"}

    def _prompt(self, model: FakeModel, messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        if model.system and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": model.system}, *messages]
        try:
            prompt = self.store.load(model).render([_openai_message(message) for message in messages], tools)
        except LlamaCppError as error:
            raise Refusal(str(error)) from error
        return prompt.replace("user", "human") if self.does.wrong_prompts else prompt

    def _answer(self, model: FakeModel, prompt: str, body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Pieces of the answer, and what stands beside each."""
        options = {**model.parameters, **(body.get("options") or {})}
        llama = self.store.load(model)
        begun = time.monotonic_ns()
        completion = llama.complete(prompt, int(options.get("num_predict", 128)))
        text, stopped = _cut(completion, options.get("stop") or [])
        for piece in re.findall(r"\s*\S+|\s+$", text):
            yield piece, {"done": False}
        took = time.monotonic_ns() - begun
        yield (
            "",
            {
                "done": True,
                "done_reason": "stop" if stopped else "length",
                "total_duration": took,
                "load_duration": 1,
                "prompt_eval_count": len(llama.tokenise(prompt)),
                "prompt_eval_duration": took // 2,
                "eval_count": len(completion.token_ids),
                "eval_duration": took // 2,
            },
        )


def _stamp(body: dict[str, Any]) -> dict[str, Any]:
    return {"model": body["model"], "created_at": datetime.now(UTC).isoformat()}


def _cut(completion: Completion, stops: list[str]) -> tuple[str, bool]:
    """The text up to the first stop token, and whether it ended there or by itself."""
    ends = [completion.text.index(stop) for stop in stops if stop in completion.text]
    return (completion.text[: min(ends)], True) if ends else (completion.text, completion.ended)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, fake: FakeOllama, port: int) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are part of the play."""


class _Handler(SendingHandler):
    server: _Server

    def do_HEAD(self) -> None:  # noqa: N802 - the name that http.server calls
        digest = self._begin().rsplit("/", 1)[-1]
        if not DIGEST.fullmatch(digest):
            self.send_json({"error": "invalid digest format"}, 400)
        elif self.server.fake.store.blob(digest).exists():
            self.send(200, None, b"")
        else:
            self.send_json({"error": f'blob "{digest}" not found'}, 404)

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        path, store = self._begin(), self.server.fake.store
        newest_first = sorted(store.models.values(), key=lambda model: model.modified, reverse=True)
        if self.server.fake.does.not_ollama:
            self.send(200, "text/html", b"<html>It works!</html>")
        elif path == "/api/version":
            self.send_json({"version": self.server.fake.does.version})
        elif path == "/api/tags":
            self.send_json({"models": [store.listed(model) for model in newest_first]})
        elif path == "/api/ps":
            self.send_json({"models": store.loaded()})
        elif path == "/v1/models":
            found = [_openai(model) for model in newest_first]
            self.send_json({"object": "list", "data": found}, kind=JSON)
        else:
            self.send(404, "text/plain", b"404 page not found")

    def do_DELETE(self) -> None:  # noqa: N802 - the name that http.server calls
        path, body = self._begin(), self._body()
        if path == "/api/delete":
            self._do(lambda: self.server.fake.store.delete(body["model"]))
        else:
            self.send(404, "text/plain", b"404 page not found")

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        path, fake = self._begin(), self.server.fake
        if path.startswith("/api/blobs/"):
            self._receive(path.rsplit("/", 1)[-1])
            return
        body = self._body()
        fake.bodies.append(body)
        if path == "/api/create":
            self._create(body)
        elif path == "/api/show":
            self._do(lambda: fake.store.shown(fake.store.require(body["model"], with_tag=True)))
        elif path == "/api/copy":
            self._do(lambda: fake.store.copy(body["source"], body["destination"]))
        elif path == "/api/push":
            self.stream(fake.push_lines(body["model"]), NDJSON)
        elif path == "/api/chat":
            self._talk(fake.chat_lines(body), body, "message")
        elif path == "/api/generate":
            self._talk(fake.generate_lines(body), body, "response")
        else:
            self.send(404, "text/plain", b"404 page not found")

    def _begin(self) -> str:
        path = unquote(self.path)
        self.server.fake.asked.append(f"{self.command} {path}")
        return path

    def _body(self) -> dict[str, Any]:
        return dict(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"))

    def _do(self, action: Any) -> None:
        """An action that answers with nothing, or with an object."""
        try:
            found = action()
        except Refusal as refusal:
            self.send_json({"error": refusal.said}, refusal.status)
            return
        if found is None:
            self.send(200, None, b"")
        else:
            self.send_json(found, chunked=True)

    def _receive(self, digest: str) -> None:
        """An upload: kept under its digest once it is whole and right."""
        fake, total = self.server.fake, int(self.headers.get("Content-Length") or 0)
        part = fake.store.blobs / f"part-{threading.get_ident()}"
        sha256, done = hashlib.sha256(), 0
        fake.received.append(0)
        number = len(fake.received) - 1
        try:
            with part.open("wb") as file:
                while done < total:
                    chunk = self.rfile.read(min(READ_BYTES, total - done))
                    if not chunk:
                        return  # the client gave up
                    done += len(chunk)
                    fake.received[number] = done
                    if self._upload_fails(digest, done):
                        return
                    sha256.update(chunk)
                    file.write(chunk)
            got = f"sha256:{sha256.hexdigest()}"
            if got != digest.replace("-", ":"):
                self.send_json({"error": f'digest mismatch, expected "{digest}", got "{got}"'}, 400)
                return
            part.replace(fake.store.blob(digest))
            self.send(200, None, b"")
        finally:
            part.unlink(missing_ok=True)

    def _upload_fails(self, digest: str, done: int) -> bool:
        """Misbehave where that is asked for; whether the upload is over."""
        does = self.server.fake.does
        time.sleep(does.seconds_per_read)
        if does.no_space:
            place = self.server.fake.store.shown_path(digest)
            self.send_json({"error": f"write {place}: no space left on device"}, 500)
            self.close_connection = True
            return True
        if does.hold_upload_at is not None and done >= does.hold_upload_at:
            does.held.set()
            does.released.wait()
        if does.drop_upload_at is not None and done >= does.drop_upload_at:
            self.drop()
            return True
        return False

    def _create(self, body: dict[str, Any]) -> None:
        fake = self.server.fake
        try:
            fake.store.check_request(body)
        except Refusal as refusal:
            named = refusal.said == "invalid model name"
            self.send_json(
                {"error": refusal.said}, refusal.status, kind=JSON_UTF8 if named else JSON, chunked=not named
            )
            return
        if body.get("stream", True):
            self.stream(fake.create_lines(body), NDJSON)
            return
        try:
            *_, last = fake.create_lines(body)
        except Refusal as refusal:
            self.send_json({"error": refusal.said}, 500, kind=JSON)
        else:
            self.send_json(last, kind=JSON)

    def _talk(self, lines: Iterator[dict[str, Any]], body: dict[str, Any], text: str) -> None:
        """A chat or a completion: as a stream, or its lines put together."""
        try:
            first = next(lines)
        except Refusal as refusal:
            self.send_json({"error": refusal.said}, refusal.status)
            return
        if body.get("stream", True):
            self.stream(_with_first(first, lines), NDJSON)
            return
        try:
            whole = [first, *lines]
        except Refusal as refusal:
            self.send_json({"error": refusal.said}, refusal.status)
            return
        if text == "message":
            content = "".join(line["message"]["content"] for line in whole)
            self.send_json({**whole[-1], "message": {**whole[-1]["message"], "content": content}})
        else:
            self.send_json({**whole[-1], "response": "".join(line["response"] for line in whole)})


def _with_first(first: dict[str, Any], rest: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield first
    yield from rest


def _openai_message(message: dict[str, Any]) -> dict[str, Any]:
    """As llama.cpp's server takes it: the arguments of a tool call as text."""
    calls = [
        {"type": "function", "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])}}
        for call in message.get("tool_calls") or []
    ]
    return {**message, "tool_calls": calls} if calls else message


def _openai(model: FakeModel) -> dict[str, Any]:
    owner = parse_name(model.name).namespace
    return {"id": model.name, "object": "model", "created": int(model.modified.timestamp()), "owned_by": owner}
