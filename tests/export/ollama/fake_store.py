"""What the fake Ollama server keeps: blobs in a folder, models made of them, llama.cpp on those that are asked.

Errors, status lines and the shapes of answers are those of the exchanges recorded from a real server (0.30 line).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.gguf_file import GgufFile, read_gguf
from export.llama_cpp import LlamaCpp, running
from export.ollama.names import name_problem, parse_name
from jobs.errors import BadInput

CONTEXT_LENGTH = 512
FILE_TYPES = {0: "F32", 1: "F16", 7: "Q8_0", 15: "Q4_K_M", 32: "BF16"}
ARRAY = 9  # a list in GGUF's metadata, such as the vocabulary: the real one shows none either
TENSOR_TYPES = {0: "F32", 1: "F16", 8: "Q8_0", 12: "Q4_K", 14: "Q6_K", 30: "BF16"}


class Refusal(Exception):
    """The server's sentence for an error, with the status where it is told before anything else."""

    def __init__(self, said: str, status: int = 500) -> None:
        super().__init__(said)
        self.said = said
        self.status = status


@dataclass(frozen=True)
class FakeModel:
    """A created model; `blob` is the digest of its GGUF."""

    name: str
    blob: str
    template: str
    system: str
    license: str
    parameters: dict[str, Any]
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def digest(self) -> str:
        parts = [self.name, self.blob, self.template, self.system, self.license, json.dumps(self.parameters)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class FakeStore:
    """Blobs and models in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.blobs = folder / "blobs"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.models: dict[str, FakeModel] = {}
        self.layers: set[str] = set()
        self._loaded: dict[str, tuple[LlamaCpp, ExitStack, datetime]] = {}
        self._read: dict[str, GgufFile] = {}
        self._lock = threading.RLock()

    # Blobs

    def blob(self, digest: str) -> Path:
        return self.blobs / digest.replace(":", "-")

    def shown_path(self, digest: str) -> str:
        return f"~/.ollama/models/blobs/{digest.replace(':', '-')}"

    def read(self, digest: str) -> GgufFile:
        """A blob's metadata; reading it takes a moment, and blobs never change."""
        if digest not in self._read:
            self._read[digest] = read_gguf(self.blob(digest))
        return self._read[digest]

    # Models

    def find(self, name: str) -> FakeModel | None:
        """The model of a name, whatever its letters' case."""
        if name_problem(name):
            return None
        wanted = parse_name(name)
        return next((model for model in self.models.values() if wanted.same_as(parse_name(model.name))), None)

    def require(self, name: str, *, with_tag: bool = False) -> FakeModel:
        model = self.find(name)
        if model is None:
            shown = parse_name(name).short if with_tag else name
            raise Refusal(f"model '{shown}' not found", 404)
        return model

    def check_request(self, body: dict[str, Any]) -> None:
        """What is refused before the stream begins."""
        if name_problem(str(body.get("model") or "")):
            raise Refusal("invalid model name", 400)
        if not body.get("files") and not body.get("from"):
            raise Refusal("neither 'from' or 'files' was specified", 400)

    def create(self, body: dict[str, Any]) -> Iterator[str]:
        """The status lines of a create call. Raises Refusal in the middle, as the real one does."""
        if body.get("from"):
            yield "pulling manifest"
            blob = self._base(str(body["from"]))
        else:
            yield "parsing GGUF"
            blob = next(iter(body["files"].values()))
            self._check_file(blob, body)
            yield "verifying conversion"
        template = body.get("template") or ""
        if template.count("{{") != template.count("}}"):
            raise Refusal("template error: template: :1: unclosed action")
        yield f"using existing layer {blob}"
        if not template:
            yield "using autodetected template chatml"
        for part in ("template", "system", "license", "parameters"):
            if body.get(part):
                yield self._layer(json.dumps(body[part]))
        yield "writing manifest"
        name = parse_name(body["model"]).short
        parameters = {"stop": ["<|im_end|>"], **(body.get("parameters") or {})}
        self.unload(name)
        texts = {part: str(body.get(part) or "") for part in ("system", "license")}
        self.models[name] = FakeModel(name, blob, template or AUTODETECTED, parameters=parameters, **texts)
        yield "success"

    def _base(self, name: str) -> str:
        known = self.find(name)
        if known is not None:
            return known.blob
        registry = f"https://registry.ollama.ai/v2/library/{name}/manifests/latest"
        raise Refusal(f'pull model manifest: Get "{registry}": {NO_NETWORK}')

    def _check_file(self, blob: str, body: dict[str, Any]) -> None:
        path = self.blob(blob)
        if not path.exists():
            raise Refusal(f"open {self.shown_path(blob)}: no such file or directory")
        try:
            weights = self.read(blob)
        except BadInput as error:
            raise Refusal("supplied file was not in GGUF format") from error
        if body.get("quantize") and _file_type(weights) not in ("F32", "F16", "BF16"):
            raise Refusal("quantization is only supported for F16, BF16 and F32 models")

    def _layer(self, content: str) -> str:
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        known = digest in self.layers
        self.layers.add(digest)
        return f"{'using existing' if known else 'creating new'} layer {digest}"

    def copy(self, source: str, destination: str) -> None:
        model = self.require(source)
        name = parse_name(destination).short
        self.models[name] = replace(model, name=name)

    def delete(self, name: str) -> None:
        model = self.require(name)
        self.unload(model.name)
        del self.models[model.name]

    # Memory

    def load(self, model: FakeModel) -> LlamaCpp:
        """llama.cpp on the model's file, kept until it is unloaded."""
        with self._lock:
            if model.name not in self._loaded:
                stack = ExitStack()
                llama = stack.enter_context(running(self.blob(model.blob), CONTEXT_LENGTH))
                self._loaded[model.name] = (llama, stack, datetime.now(UTC))
            return self._loaded[model.name][0]

    def unload(self, name: str) -> None:
        with self._lock:
            known = self._loaded.pop(name, None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        for name in list(self._loaded):
            self.unload(name)

    # What it says of models

    def listed(self, model: FakeModel) -> dict[str, Any]:
        weights = self.read(model.blob)
        architecture = weights.value("general.architecture")
        lengths = {
            "context_length": weights.value(f"{architecture}.context_length"),
            "embedding_length": weights.value(f"{architecture}.embedding_length"),
        }
        return {
            "name": model.name,
            "model": model.name,
            "modified_at": model.modified.isoformat(),
            "size": self.blob(model.blob).stat().st_size,
            "digest": model.digest,
            "details": {**_details(weights), **lengths},
            "capabilities": ["completion"],
        }

    def loaded(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {
                    "name": name,
                    "model": name,
                    "size": self.blob(self.models[name].blob).stat().st_size,
                    "digest": self.models[name].digest,
                    "details": _details(self.read(self.models[name].blob)),
                    "expires_at": since.isoformat(),
                    "size_vram": 0,
                    "context_length": CONTEXT_LENGTH,
                }
                for name, (_, _, since) in self._loaded.items()
            ]

    def shown(self, model: FakeModel) -> dict[str, Any]:
        weights = self.read(model.blob)
        info = {key: None if kind == ARRAY else weights.value(key) for key, (kind, _) in weights.entries.items()}
        tensors = [
            {"name": each.name, "type": TENSOR_TYPES.get(each.type, "?"), "shape": list(each.shape)}
            for each in weights.tensors
        ]
        return {
            "license": model.license,
            "modelfile": self._modelfile(model),
            "parameters": _parameter_lines(model.parameters, '{:<30} "{}"', "{:<30} {}"),
            "template": model.template,
            "system": model.system,
            "details": _details(weights),
            "model_info": info,
            "tensors": tensors,
            "capabilities": ["completion"],
            "modified_at": model.modified.isoformat(),
        }

    def _modelfile(self, model: FakeModel) -> str:
        lines = [
            '# Modelfile generated by "ollama show"',
            f"# FROM {model.name}\n",
            f"FROM {self.shown_path(model.blob)}",
            f'TEMPLATE "{model.template}"',
            *([f"SYSTEM {model.system}"] if model.system else []),
            _parameter_lines(model.parameters, "PARAMETER {} {}", "PARAMETER {} {}"),
        ]
        return "\n".join(lines) + "\n"


AUTODETECTED = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
)
NO_NETWORK = "dial tcp: lookup registry.ollama.ai on 127.0.0.53:53: no such host"


def _file_type(weights: GgufFile) -> str:
    return FILE_TYPES.get(weights.value("general.file_type"), "unknown")


def _details(weights: GgufFile) -> dict[str, Any]:
    family = weights.value("general.architecture")
    count = sum(each.row_length * each.rows for each in weights.tensors)
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": f"{count / 1e6:.2f}M",
        "quantization_level": _file_type(weights),
    }


def _parameter_lines(parameters: dict[str, Any], of_list: str, plain: str) -> str:
    lines = []
    for name, value in sorted(parameters.items()):
        values = value if isinstance(value, list) else [value]
        lines += [(of_list if isinstance(value, list) else plain).format(name, each) for each in values]
    return "\n".join(lines)
