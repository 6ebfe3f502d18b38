"""llama.cpp run inside this process on a GGUF file: its own rendering, tokens and answers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Message = dict[str, Any]


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
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({})
        )  # never through a proxy: it is this process
        try:
            with opener.open(request) as response:
                return dict(json.loads(response.read()))
        except urllib.error.HTTPError as error:
            raise LlamaCppError(_message(error.read())) from error


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")


@contextmanager
def running(weights: Path, context_length: int) -> Iterator[LlamaCpp]:
    """Load `weights` and serve them until the block ends. Raises LlamaCppError when llama.cpp can't load the file."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = context_length
    params.n_parallel = 1
    params.warmup = False
    params.use_jinja = True
    params.verbosity = 0
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise LlamaCppError(f"llama.cpp can't load {weights.name}: {error}") from error
    try:
        yield LlamaCpp(server.listening_address)
    finally:
        del server  # frees the weights
