"""A fake chat endpoint on a real port: OpenAI's and Ollama's chat APIs, misbehaving on command.

The shapes of its answers follow recorded exchanges with an Ollama server and with llama.cpp's server.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

Fault = Literal["hang", "half", "dribble", "html", "error_inside"]


@dataclass(frozen=True)
class Asked:
    """A request as it came. `times`: how often the same prompt was asked before."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    times: int

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Reply:
    """How to answer: with `text`; or with an HTTP `status` other than 200; or by committing a `fault`."""

    text: str = "Yes."
    finish_reason: str = "stop"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    tokens: tuple[int, int] | None = (11, 7)
    body: bytes | None = None


Behave = Callable[[Asked], Reply]


class FakeChatServer:
    """Answers as `behave` says. `asked` lists every request, `answered` counts whole answers by prompt."""

    def __init__(self, behave: Behave = lambda _asked: Reply()) -> None:
        self.behave = behave
        self.asked: list[Asked] = []
        self.answered: Counter[str] = Counter()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def prompts(self) -> Counter[str]:
        """How often each prompt was asked."""
        with self._lock:
            return Counter(asked.prompt for asked in self.asked)

    def answer(self, handler: _Handler, path: str, body: dict[str, Any]) -> None:
        """One request, in its own thread."""
        with self._lock:
            times = sum(earlier.body["messages"][-1] == body["messages"][-1] for earlier in self.asked)
            asked = Asked(path, body, dict(handler.headers.items()), times)
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self.behave(asked)
            if reply.fault is None and reply.status == 200:
                with self._lock:
                    self.answered[asked.prompt] += 1
            self._send(handler, asked, reply)
        finally:
            with self._lock:
                self._at_once -= 1

    def _send(self, handler: _Handler, asked: Asked, reply: Reply) -> None:
        if reply.fault == "hang":
            self._closing.wait()
            handler.drop()
        elif reply.fault == "html":
            handler.send(200, "text/html", b"<html>Sign in to the hotel's network</html>", {})
        elif reply.status != 200 or reply.body is not None:
            content = reply.body if reply.body is not None else _error(asked, f"status {reply.status}")
            handler.send(reply.status, "application/json", content, reply.headers)
        elif asked.body.get("stream", asked.path == "/api/chat"):
            self._stream(handler, asked, reply)
        elif reply.fault == "error_inside":
            handler.send(200, "application/json", _error(asked, "the model fell over"), {})
        elif reply.fault == "dribble":
            handler.send_chunks("application/json", iter(lambda: None if self._closing.wait(0.02) else b" ", None))
        else:
            whole = json.dumps(_whole(asked, reply)).encode()
            handler.send(200, "application/json", whole, {}, cut=reply.fault == "half")

    def _stream(self, handler: _Handler, asked: Asked, reply: Reply) -> None:
        events = _ollama_lines(asked, reply) if asked.path == "/api/chat" else _openai_events(asked, reply)
        kind = "application/x-ndjson" if asked.path == "/api/chat" else "text/event-stream"
        if reply.fault == "error_inside":
            events = [*events[:1], _line(asked, {"error": _error_value(asked, "the model fell over")})]
        handler.send_chunks(
            kind, iter(events[: len(events) // 2] if reply.fault == "half" else events), cut=reply.fault == "half"
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, fake: FakeChatServer) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/api/tags":
            self.send(200, "application/json", b'{"models": [{"name": "t3:latest"}, {"name": "t1:latest"}]}', {})
        else:
            self.send(200, "application/json", b'{"object": "list", "data": [{"id": "me/t1"}, {"id": "base"}]}', {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.fake.answer(self, self.path, body)

    def send(self, status: int, kind: str, content: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.drop()

    def send_chunks(self, kind: str, chunks: Any, *, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        if cut:
            self.drop()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def drop(self) -> None:
        """Hang up in the middle."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing goes to the screen."""


def _error_value(asked: Asked, message: str) -> Any:
    return message if asked.path == "/api/chat" else {"message": message, "type": "fake"}


def _error(asked: Asked, message: str) -> bytes:
    return json.dumps({"error": _error_value(asked, message)}).encode()


def _line(asked: Asked, value: dict[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False).encode()
    return text + b"\n" if asked.path == "/api/chat" else b"data: " + text + b"\n\n"


def _whole(asked: Asked, reply: Reply) -> dict[str, Any]:
    if asked.path == "/api/chat":
        return _ollama(asked, reply.text) | _ollama_end(reply)
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": reply.finish_reason,
        "message": {"role": "assistant", "content": reply.text},
    }
    return {"object": "chat.completion", "model": asked.body["model"], "choices": [choice], **_usage(reply)}


def _usage(reply: Reply) -> dict[str, Any]:
    if reply.tokens is None:
        return {}
    prompt, completion = reply.tokens
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}}


def _pieces(text: str) -> list[str]:
    return [text[start : start + 5] for start in range(0, len(text), 5)]


def _openai_events(asked: Asked, reply: Reply) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"content": piece} for piece in _pieces(reply.text)]
    values: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "finish_reason": None, "delta": delta}]} for delta in deltas
    ]
    values.append({"choices": [{"index": 0, "finish_reason": reply.finish_reason, "delta": {}}]})
    values.append({"choices": [], **_usage(reply)})
    return [*(_line(asked, value) for value in values), b"data: [DONE]\n\n"]


def _ollama(asked: Asked, text: str) -> dict[str, Any]:
    return {"model": asked.body["model"], "message": {"role": "assistant", "content": text}, "done": False}


def _ollama_end(reply: Reply) -> dict[str, Any]:
    counts: dict[str, Any] = dict(zip(("prompt_eval_count", "eval_count"), reply.tokens or (), strict=False))
    return {"done": True, "done_reason": reply.finish_reason, **counts}


def _ollama_lines(asked: Asked, reply: Reply) -> list[bytes]:
    lines = [_line(asked, _ollama(asked, piece)) for piece in _pieces(reply.text)]
    return [*lines, _line(asked, _ollama(asked, "") | _ollama_end(reply))]
