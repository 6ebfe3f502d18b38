"""A fake Hub: a local server that answers as the Hugging Face Hub does to huggingface_hub, faults included.

Its answers follow the real ones in what the library reads: model info with files and LFS entries, `resolve` with
X-Repo-Commit and ETag (of a large file a redirect to a storage host, with X-Linked-Etag and -Size), ranges, the error
codes of gated and unknown models, and whoami.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BLOCK = 64 * 1024


@dataclass
class Sent:
    """A content that was asked for: where the answer began, and how many bytes of it went out."""

    path: str
    start: int
    count: int = 0


@dataclass
class FakeHub:
    """`models`: files by model. The faults are set by tests, at any time.

    `cuts`: connections that break off, each after `cut_after` bytes; `damaged`: paths whose content is altered on the
    way; `gated`: models that want a token out of `tokens`; `slow`: seconds before each block.
    """

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    cuts: int = 0
    cut_after: int = BLOCK
    fails: int = 0
    ignores_ranges: bool = False
    slow: float = 0.0
    sent: list[Sent] = field(default_factory=list)
    authorised: list[str] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_port}"

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()

    def bytes_sent(self, path: str) -> int:
        return sum(each.count for each in self.sent if each.path == path)


def is_large(path: str) -> bool:
    """Whether the fake keeps a file as Git LFS does."""
    return path.endswith(".safetensors")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            return self._json({})
        if path == "/api/whoami-v2":
            return self._whoami()
        if path.startswith("/api/models/"):
            return self._model("/".join(path.split("/")[3:5]))
        if path.startswith("/storage/"):
            _, _, owner, name, file = path.split("/", 4)
            return self._content(f"{owner}/{name}", file)
        parts = path.strip("/").split("/", 4)
        if len(parts) == 5 and parts[2] == "resolve":
            return self._resolve(f"{parts[0]}/{parts[1]}", parts[4])
        return self._refuse(404, "RepoNotFound")

    @property
    def _token(self) -> str | None:
        header = self.headers.get("Authorization")
        return header.removeprefix("Bearer ") if header else None

    def _whoami(self) -> None:
        name = self.hub.tokens.get(self._token or "")
        if name is None:
            return self._refuse(401, "", "Invalid credentials in Authorization header")
        token = {"displayName": "hearth", "role": "read", "createdAt": "2026-01-01T00:00:00.000Z"}
        return self._json(
            {"type": "user", "name": name, "orgs": [], "auth": {"type": "access_token", "accessToken": token}}
        )

    def _model(self, hub_id: str) -> None:
        files = self.hub.models.get(hub_id)
        if files is None:
            return self._refuse(401 if self._token is None else 404, "RepoNotFound")
        siblings = []
        for path, content in files.items():
            entry: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git_sha1(content)}
            if is_large(path):
                entry["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        gated = "manual" if hub_id in self.hub.gated else False
        return self._json({"id": hub_id, "modelId": hub_id, "sha": COMMIT, "gated": gated, "siblings": siblings})

    def _resolve(self, hub_id: str, path: str) -> None:
        files = self.hub.models.get(hub_id)
        if files is None:
            return self._refuse(404, "RepoNotFound")
        if hub_id in self.hub.gated and self._token not in self.hub.tokens:
            return self._refuse(401 if self._token is None else 403, "GatedRepo")
        if self._token:
            self.hub.authorised.append(path)
        if path not in files:
            return self._refuse(404, "EntryNotFound")
        content = files[path]
        if not is_large(path):
            return self._content(hub_id, path)
        self.send_response(302)
        self.send_header("Location", f"{self.hub.url.replace('127.0.0.1', 'localhost')}/storage/{hub_id}/{path}")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Etag", f'"{sha256(content)}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def _content(self, hub_id: str, path: str) -> None:
        content = self.hub.models[hub_id][path]
        start = 0
        wanted = self.headers.get("Range")
        if wanted and not self.hub.ignores_ranges:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        if self.command == "GET" and self.hub.fails > 0:
            self.hub.fails -= 1
            return self._refuse(503, "")
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{git_sha1(content)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self._send_body(path, content, start)
        return None

    def _send_body(self, path: str, content: bytes, start: int) -> None:
        if path in self.hub.damaged:
            content = bytes(len(content))
        sent = Sent(path, start)
        self.hub.sent.append(sent)
        cut = self.hub.cuts > 0 and is_large(path)
        end = len(content)
        if cut and start + self.hub.cut_after < end:
            self.hub.cuts -= 1
            end = start + self.hub.cut_after
            self.close_connection = True
        for place in range(start, end, BLOCK):
            threading.Event().wait(self.hub.slow if is_large(path) else 0)
            block = content[place : min(place + BLOCK, end)]
            try:
                self.wfile.write(block)
                self.wfile.flush()
            except OSError:
                return
            sent.count += len(block)

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str, message: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message or code)
        self.send_header("Content-Length", "0")
        self.end_headers()
