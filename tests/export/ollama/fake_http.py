"""How the fake Ollama server puts answers on the line: whole, in chunks, as lines of JSON, or broken off."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.export.ollama.fake_store import Refusal

NDJSON, JSON, JSON_UTF8 = "application/x-ndjson", "application/json", "application/json; charset=utf-8"


def compact(value: Any) -> bytes:
    """JSON as Go writes it, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class SendingHandler(BaseHTTPRequestHandler):
    """The sending half of the server's handler."""

    protocol_version = "HTTP/1.1"

    def stream(self, lines: Iterable[dict[str, Any]], kind: str) -> None:
        """Lines as they come; an error in the middle is a line as well, after status 200."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for line in lines:
                self.send_line(line)
        except Refusal as refusal:
            self.send_line({"error": refusal.said})
        except ConnectionResetError:
            self.drop()
            return
        self.wfile.write(b"0\r\n\r\n")

    def send_line(self, value: dict[str, Any]) -> None:
        content = compact(value) + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def send_json(self, value: Any, status: int = 200, *, kind: str = JSON_UTF8, chunked: bool = False) -> None:
        self.send(status, kind, compact(value), chunked=chunked)

    def send(self, status: int, kind: str | None, content: bytes, *, chunked: bool = False) -> None:
        self.send_response(status)
        if kind is not None:
            self.send_header("Content-Type", kind)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif kind is not None or self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content) if chunked else content)

    def drop(self) -> None:
        """Hang up in the middle."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing goes to the screen."""
