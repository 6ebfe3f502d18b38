"""The names that Ollama takes, checked here so that nothing is uploaded for a name that it would refuse.

The rules are those of Ollama's types/model/name.go (https://github.com/ollama/ollama):
[registry/][namespace/]model[:tag], each part of letters, digits, `_`, `-` and (but in a namespace) `.`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.errors import BadInput

REGISTRY, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_REGISTRY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")


@dataclass(frozen=True)
class ModelName:
    """A model's name with what Ollama puts in for parts that are left out."""

    model: str
    tag: str = TAG
    namespace: str = NAMESPACE
    registry: str = REGISTRY

    @property
    def short(self) -> str:
        """As Ollama lists it: without the parts that it puts in by itself, but with the tag."""
        parts = [self.registry, self.namespace, self.model]
        if self.registry == REGISTRY:
            parts = parts[1:] if self.namespace != NAMESPACE else parts[2:]
        return f"{'/'.join(parts)}:{self.tag}"

    def same_as(self, other: ModelName) -> bool:
        """Whether Ollama takes both for one model: it doesn't tell capitals from small letters."""
        return str(self).lower() == str(other).lower()

    def __str__(self) -> str:
        return f"{self.registry}/{self.namespace}/{self.model}:{self.tag}"


def name_problem(text: str) -> str | None:
    """Why Ollama would refuse `text` as a model's name; None when it wouldn't."""
    name = split_name(text)
    if not text:
        return "it is empty"
    for part, word, pattern in (
        (name.model, "model", _PART),
        (name.tag, "tag", _PART),
        (name.namespace, "namespace", _NAMESPACE),
        (name.registry, "registry", _REGISTRY),
    ):
        if not pattern.fullmatch(part):
            return f"its {word} {part!r} {_wrong(part, pattern)}"
    return None


def _wrong(part: str, pattern: re.Pattern[str]) -> str:
    longest = 350 if pattern is _REGISTRY else 80
    if not part:
        return "is empty"
    if len(part) > longest:
        return f"has {len(part)} characters, more than {longest}"
    if not re.match(r"[A-Za-z0-9_]", part):
        return f"begins with {part[0]!r}, not with a letter, digit or _"
    return f"holds {next((sign for sign in part if not pattern.fullmatch('a' + sign)), part[-1])!r}"


def parse_name(text: str) -> ModelName:
    """The parts of a name. Raises BadInput for one that Ollama would refuse."""
    text = text.strip()
    problem = name_problem(text)
    if problem:
        raise bad_name(text, f"As a name, {problem}.")
    return split_name(text)


def bad_name(text: str, why: str) -> BadInput:
    return BadInput(
        f"'{text}' can't be the name of a model in Ollama.",
        why,
        "Use letters, digits, '.', '-' and '_', as in snake-player, snake-player:q4 or, to push it, you/snake-player"
        + (f"; for example {suggested(text)}." if suggested(text) else "."),
    )


def suggested(text: str) -> str:
    """A name made of `text` that Ollama takes, as far as there is anything to take."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-._")[:80].rstrip("-._")


def require_namespace(name: ModelName) -> None:
    """Raises BadInput for a name that can't be pushed: ollama.com takes models under an account's name only."""
    if name.namespace == NAMESPACE:
        raise BadInput(
            f"'{name.short}' can't be pushed under this name.",
            "It has no namespace, and models without one belong to Ollama's own library.",
            f"Name it after your account on ollama.com, as in your-account/{name.model}.",
        )


def split_name(text: str) -> ModelName:
    """The parts, unchecked, since Ollama may list names by newer rules.

    A ':' after the last '/' begins the tag; one before it belongs to a registry's port.
    """
    rest, tag = text, TAG
    if text.rfind(":") > text.rfind("/"):
        rest, _, tag = text.rpartition(":")
    rest, slash, model = rest.rpartition("/")
    if not slash:
        return ModelName(model, tag)
    rest, slash, namespace = rest.rpartition("/")
    if not slash:
        return ModelName(model, tag, namespace)
    return ModelName(model, tag, namespace, rest.partition("://")[2] or rest)
