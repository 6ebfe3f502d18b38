"""An Ollama server at one address: what it has, what it holds in memory, and making models in it.

The `ollama` package speaks for whatever it covers; over it go the calls that it lacks (version, upload with progress,
rendering) and chats, of whose messages it drops empty turns.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import ollama

from export.ollama.blobs import Progress, Upload, has_blob, no_progress, upload
from export.ollama.failures import connection_lost, explained, no_answer
from export.ollama.messages import Message, ollama_messages
from export.ollama.names import parse_name, require_namespace, split_name
from jobs.errors import BadInput, Missing
from models.endpoints.ollama import OLDEST, is_too_old, ollama_address
from models.endpoints.transport import HERE

# Short questions; a page that asks must not hang on a server that does.
QUICK_SECONDS = 10.0
# Loading a large model, or quantising one, says nothing for a while.
PATIENT_SECONDS = 600.0
# The server answers first and lets go of the memory then.
UNLOADED_SECONDS = 30.0


@dataclass(frozen=True)
class OllamaModel:
    """A model that the server has; `bytes` on its disk."""

    name: str
    bytes: int
    family: str
    parameters: str
    quantisation: str
    modified: datetime | None


@dataclass(frozen=True)
class LoadedModel:
    """A model that the server holds in memory; `gpu_bytes` of its `bytes` are on graphics cards."""

    name: str
    bytes: int
    gpu_bytes: int
    until: datetime | None


@dataclass(frozen=True)
class ModelDescription:
    """What the server says of a model. `modelfile` names the file that it is made of by its digest."""

    modelfile: str
    template: str
    system: str
    parameters: str
    capabilities: tuple[str, ...]

    def made_of(self, digest: str) -> bool:
        return digest.replace(":", "-") in self.modelfile


@dataclass(frozen=True)
class ModelParts:
    """What goes into a model besides its file; what is None is left to the server."""

    template: str | None = None
    system: str | None = None
    parameters: Mapping[str, Any] | None = None
    license: str | None = None


@dataclass(frozen=True)
class PushProgress:
    """`done` of `total` bytes of the part that is being sent, where the server says."""

    status: str
    done: int | None
    total: int | None


@dataclass(frozen=True)
class ChatPiece:
    """A part of an answer; the last one has `finish_reason` (`stop`, or `length` at the limit) and the counts."""

    text: str
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None


class OllamaClient:
    """A server's functions. All raise UserError with what to do; close it, or use it in a `with` block."""

    def __init__(self, address: str | None = None) -> None:
        """`address` as OLLAMA_HOST takes it: host, host:port or with a scheme; None reads OLLAMA_HOST."""
        self.address = ollama_address(address)
        # A proxy of the environment is for the world outside, never for a server on this machine.
        outside = urlsplit(self.address).hostname not in HERE
        options: dict[str, Any] = {
            "trust_env": outside,
            "verify": self.address.startswith("https:"),
            "follow_redirects": False,
        }
        self._quick = ollama.Client(self.address, timeout=QUICK_SECONDS, **options)
        patient = httpx.Timeout(PATIENT_SECONDS, connect=QUICK_SECONDS)
        self._patient = ollama.Client(self.address, timeout=patient, **options)
        # A server behind a login is given the key as the ollama package gives it.
        key = os.environ.get("OLLAMA_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self.address, timeout=patient, headers=headers, **options)

    def close(self) -> None:
        for client in (self._quick, self._patient, self._http):
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # The server

    def version(self) -> str:
        """Its version; 0.0.0 is one that somebody built."""
        with explained(self.address):
            response = self._http.get("/api/version", timeout=QUICK_SECONDS)
            if not response.is_success:
                raise ValueError(f"status {response.status_code}")
            return _text(json_object(response.content), "version")

    def require_recent(self) -> str:
        """The version. Raises Missing for a server that is too old to create a model from a file."""
        version = self.version()
        if is_too_old(version):
            oldest = ".".join(map(str, OLDEST))
            raise Missing(
                f"The Ollama server at {self.address} is too old: version {version}.",
                f"Creating a model from a file this way needs {oldest} or newer.",
                "Update Ollama (https://ollama.com/download), restart it, then try again.",
            )
        return version

    def models(self) -> list[OllamaModel]:
        """All models, sorted by name."""
        with explained(self.address):
            found = [_listed(model) for model in self._quick.list().models]
        return sorted(found, key=lambda model: model.name)

    def show(self, model: str) -> ModelDescription:
        """Raises Missing when there is no such model."""
        with explained(self.address, model):
            response = self._http.post("/api/show", json={"model": model}, timeout=QUICK_SECONDS)
            value = _answered(response)
            said = {name: str(value.get(name) or "") for name in ("modelfile", "template", "system", "parameters")}
            return ModelDescription(**said, capabilities=tuple(value.get("capabilities") or ()))

    def exists(self, model: str) -> bool:
        """Whether the server has a model that it would take for this one. Raises BadInput for a name it refuses."""
        wanted = parse_name(model)
        return any(wanted.same_as(split_name(listed.name)) for listed in self.models())

    # Its memory

    def loaded(self) -> list[LoadedModel]:
        """The models in memory."""
        with explained(self.address):
            return [_loaded(model) for model in self._quick.ps().models]

    def unload(self, model: str) -> None:
        """Free the memory that a model takes, and wait until it is free; nothing happens to the model."""
        with explained(self.address, model):
            self._patient.generate(model, keep_alive=0)
        name, deadline = split_name(model), time.monotonic() + UNLOADED_SECONDS
        while any(name.same_as(split_name(loaded.name)) for loaded in self.loaded()):
            if time.monotonic() > deadline:
                raise no_answer(self.address)
            time.sleep(0.05)

    def unload_all(self) -> list[LoadedModel]:
        """Free the memory of every model. Returns what was loaded."""
        loaded = self.loaded()
        for model in loaded:
            self.unload(model.name)
        return loaded

    # Its models

    def delete(self, model: str) -> None:
        with explained(self.address, model):
            self._quick.delete(model)

    def copy(self, model: str, name: str, *, replace: bool = False) -> None:
        """Give a model a second name. Raises BadInput when that is taken, unless `replace`."""
        self.require_free(name, replace=replace)
        with explained(self.address, model):
            self._patient.copy(model, name)

    def has_blob(self, digest: str) -> bool:
        return has_blob(self._http, self.address, digest)

    def upload(self, path: Path, digest: str, progress: Progress = no_progress) -> Upload:
        """Send a file, unless the server has it; `progress` gets bytes done and in all, and may raise to stop."""
        return upload(self._http, self.address, path, digest, progress)

    def require_free(self, name: str, *, replace: bool) -> None:
        """Raises BadInput for a name that Ollama refuses, or that is taken when `replace` is off."""
        if self.exists(name) and not replace:
            raise BadInput(
                f"Ollama at {self.address} already has a model '{name}'.",
                "It would be overwritten, and nobody asked for that.",
                "Choose another name, or ask for it to be replaced (`--replace`, or the box on the page).",
            )

    def create(self, name: str, files: Mapping[str, str], parts: ModelParts, *, replace: bool = False) -> Iterator[str]:
        """Make a model of uploaded files (file name to digest). Yields what the server says it does.

        Raises BadInput when the name is taken, unless `replace`; an error in mid-stream is raised as well.
        """
        self.require_free(name, replace=replace)
        return self._create(name, files, parts)

    def _create(self, name: str, files: Mapping[str, str], parts: ModelParts) -> Iterator[str]:
        status = ""
        with explained(self.address, name):
            lines = self._patient.create(
                name,
                files=dict(files),
                template=parts.template,
                system=parts.system,
                parameters=parts.parameters,
                license=parts.license,
                stream=True,
            )
            for line in lines:
                status = line.status or ""
                yield status
        if status != "success":
            raise connection_lost(self.address, f"it ended after {status!r}")

    def push(self, name: str, *, confirmed: bool) -> Iterator[PushProgress]:
        """Publish a model on the registry that its name says. Raises BadInput unless `confirmed`."""
        require_namespace(parse_name(name))
        if not confirmed:
            raise BadInput(
                f"'{name}' was not pushed.",
                "Pushing publishes it: others can see and download it.",
                "Confirm that, by giving the name a second time.",
            )
        return self._push(name)

    def _push(self, name: str) -> Iterator[PushProgress]:
        status = ""
        with explained(self.address, name):
            for line in self._patient.push(name, stream=True):
                status = line.status or ""
                yield PushProgress(status, line.completed, line.total)
        if status != "success":
            raise connection_lost(self.address, f"it ended after {status!r}")

    # Talking

    def chat(
        self, model: str, messages: Sequence[Message], *, tools: list[Any] | None = None, **options: Any
    ) -> Iterator[ChatPiece]:
        """The answer as it is written. `options` are Ollama's own, such as num_predict or temperature."""
        body = _chat_body(model, messages, tools, options)
        with explained(self.address, model), self._http.stream("POST", "/api/chat", json=body) as response:
            if not response.is_success:
                response.read()
                _answered(response)
            for line in filter(None, response.iter_lines()):
                value = json_object(line)
                if value.get("error"):
                    raise ollama.ResponseError(str(value["error"]))
                yield _piece(value)
                if value.get("done"):
                    return
        raise connection_lost(self.address, "the stream ended before the answer did")

    def render(self, model: str, messages: Sequence[Message], tools: list[Any] | None = None) -> str | None:
        """The prompt that the server really makes of a conversation; None where it doesn't know how to tell."""
        body = {**_chat_body(model, messages, tools, {"num_predict": 1}), "stream": False, "_debug_render_only": True}
        with explained(self.address, model):
            value = _answered(self._http.post("/api/chat", json=body))
            told = value.get("_debug_info")
            return _text(told, "rendered_template") if isinstance(told, dict) else None


def json_object(content: bytes | str) -> dict[str, Any]:
    """Raises ValueError for anything but a JSON object."""
    value = json.loads(content)
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} instead of an object")
    return value


def _text(value: dict[str, Any], name: str) -> str:
    """Raises ValueError where there is no such text."""
    if not isinstance(value.get(name), str):
        raise ValueError(f"no {name}")
    return str(value[name])


def _answered(response: httpx.Response) -> dict[str, Any]:
    """The object that was answered. Raises ResponseError for what the server calls an error."""
    value = json_object(response.content)
    if not response.is_success or value.get("error"):
        raise ollama.ResponseError(str(value.get("error") or ""), response.status_code)
    return value


def _chat_body(
    model: str, messages: Sequence[Message], tools: list[Any] | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": ollama_messages(messages), "options": dict(options)}
    if tools:
        body["tools"] = tools
    return body


def _piece(value: dict[str, Any]) -> ChatPiece:
    message = value.get("message") or {}
    reason = str(value.get("done_reason") or "stop") if value.get("done") else None
    return ChatPiece(str(message.get("content") or ""), reason, value.get("prompt_eval_count"), value.get("eval_count"))


def _listed(model: ollama.ListResponse.Model) -> OllamaModel:
    details = model.details
    return OllamaModel(
        name=model.model or "",
        bytes=int(model.size or 0),
        family=(details and details.family) or "",
        parameters=(details and details.parameter_size) or "",
        quantisation=(details and details.quantization_level) or "",
        modified=model.modified_at,
    )


def _loaded(model: ollama.ProcessResponse.Model) -> LoadedModel:
    name = model.name or model.model or ""
    return LoadedModel(name, int(model.size or 0), int(model.size_vram or 0), model.expires_at)
