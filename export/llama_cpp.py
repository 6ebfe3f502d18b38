"""llama.cpp run on a GGUF file, inside this process or as its own server: its own rendering, tokens and answers."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.endpoints.embedded import llama_server
from models.hardware import probe
from models.llama_programs import find_tool

Message = dict[str, Any]
# Never through a proxy: it is this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LOOK_SECONDS = 0.1
_ANSWER_SECONDS = 5.0


class LlamaCppError(RuntimeError):
    """llama.cpp refused a file or a request; the text is its own."""


@dataclass(frozen=True)
class Completion:
    """An answer. `token_ids` as llama.cpp reports them; `ended`: it stopped by itself rather than at the limit."""

    text: str
    token_ids: list[int]
    ended: bool
    tokens_per_second: float


class LlamaCpp:
    """A running server's own endpoints (https://github.com/ggml-org/llama.cpp/tree/master/tools/server)."""

    def __init__(self, address: str) -> None:
        self._address = address

    def render(self, messages: list[Message], tools: list[Any] | None = None) -> str:
        """The prompt that the template inside the file makes of a conversation. Raises LlamaCppError."""
        body: dict[str, Any] = {"messages": messages}
        if tools:
            body["tools"] = tools
        return str(self._post("/apply-template", body)["prompt"])

    def tokenise(self, text: str) -> list[int]:
        """Token ids as the server itself would use them for a rendered prompt."""
        return list(self._post("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"])

    def complete(self, prompt: str, max_tokens: int) -> Completion:
        """The likeliest answer, token by token (greedy)."""
        body = {
            "prompt": prompt,
            "n_predict": max_tokens,
            "temperature": 0,
            "top_k": 1,
            "repeat_penalty": 1.0,
            "cache_prompt": False,
            "return_tokens": True,
        }
        answer = self._post("/completion", body)
        return Completion(
            text=answer["content"],
            token_ids=list(answer["tokens"]),
            ended=answer["stop_type"] != "limit",
            tokens_per_second=float(answer["timings"].get("predicted_per_second") or 0.0),
        )

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self._address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with _OPENER.open(request) as response:
                return dict(json.loads(response.read()))
        except urllib.error.HTTPError as error:
            raise LlamaCppError(_message(error.read())) from error


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")


@contextmanager
def running(weights: Path, context_length: int, *, adapter: Path | None = None) -> Iterator[LlamaCpp]:
    """Load `weights`, with a GGUF adapter added if one is given, and serve them until the block ends.

    Where there is a graphics card and llama.cpp's own server is installed, that one does it: the one that comes along
    computes on the CPU. Raises LlamaCppError when llama.cpp can't load a file.
    """
    program = find_tool("llama-server") if probe().gpus else None
    if program is not None:
        with _server_process(program, weights, context_length, adapter) as address:
            yield LlamaCpp(address)
        return
    server = llama_server(weights, context_length=context_length, slots=1, adapter=adapter)
    try:
        access = server.__enter__()
    except RuntimeError as error:
        raise LlamaCppError(f"llama.cpp can't load {weights.name}: {error}") from error
    try:
        yield LlamaCpp(access.address)
    finally:
        server.__exit__(None, None, None)


@contextmanager
def _server_process(program: Path, weights: Path, context_length: int, adapter: Path | None) -> Iterator[str]:
    """llama.cpp's server as a process with all layers on the card; its address, once it has loaded the file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(program), "-m", str(weights), "-c", str(context_length), "-np", "1", "-ngl", "999", "--jinja"]
    command += ["--host", "127.0.0.1", "--port", str(port), *(["--lora", str(adapter)] if adapter else [])]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not _answers(f"http://127.0.0.1:{port}/health"):
                if process.poll() is not None:
                    log.seek(0)
                    last = log.read().decode(errors="replace").strip().splitlines()[-5:]
                    raise LlamaCppError(f"llama.cpp can't load {weights.name}: {' '.join(last)}")
                time.sleep(_LOOK_SECONDS)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _answers(address: str) -> bool:
    """Whether the server has loaded its model; until then it refuses, or answers 503."""
    try:
        with _OPENER.open(address, timeout=_ANSWER_SECONDS) as response:
            return bool(response.status == 200)
    except OSError:
        return False
