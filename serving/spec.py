"""ServeSpec: which models are served under which names, to whom, and within which limits."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import model_validator

from jobs.spec import Spec, option
from models.backends import Quantisation
from models.option_fields import key_variable_option, precision_option, quantisation_option, without_key
from models.precision import Precision
from serving.router.spec import RouterSpec

NAME = re.compile(r"[\w./:-]{1,100}")
AUTO = "auto"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Limits(Spec):
    """What one server takes on, so that it stays quick and its memory bounded."""

    running: int = option(
        16, label="Answers at once", help="More wait their turn, first come first served.", ge=1, le=512
    )
    waiting: int = option(
        64, label="Waiting at most", help="Whoever comes after these is told to try again later (429).", ge=0, le=10_000
    )
    body_mb: float = option(
        2.0, label="Largest request", help="In megabytes; larger ones are refused (413).", gt=0, le=100
    )
    answer_tokens: int = option(
        2048, label="Longest answer", help="In tokens; requests may ask for less.", ge=1, le=131_072
    )
    request_seconds: float = option(
        300.0, label="Longest request", help="Seconds from its start to the end of its answer.", gt=0, le=86_400
    )
    send_seconds: float = option(
        30.0,
        label="Slow readers",
        help="Seconds that a client may take to accept a part of its answer before it is cut off.",
        gt=0,
        le=3600,
    )
    drain_seconds: float = option(
        30.0, label="Time to finish", help="Seconds that running answers get when the server is stopped.", ge=0, le=3600
    )


class Logging(Spec):
    """Which chats are kept. Nothing is, unless it is turned on here."""

    chats: bool = option(
        False,
        label="Keep chats",
        help="Questions and answers go to the interactions of the workspace, to learn from. Tell the people who chat.",
        depth="essential",
    )
    scrub: bool = option(
        True,
        label="Scrub private data",
        help="E-mail addresses, telephone and card numbers and secrets are replaced before anything is kept.",
    )
    retention_days: float | None = option(
        None, label="Keep for", help="Days after which chats and figures of requests are deleted.", gt=0
    )


class ServeSpec(Spec):
    """Models that answer over an OpenAI-compatible address."""

    models: tuple[str, ...] = option(
        label="Models",
        help="Each as NAME=MODEL, or MODEL alone: embedded, a folder, a Hub id, job:<id>, adapter:<folder>, a .gguf "
        "file, ollama:<name>, https://host/v1#name, or registry:<name>, which follows its production version. Models "
        "of one base share its memory.",
        depth="essential",
        min_length=1,
    )
    host: str = option("127.0.0.1", label="Address", help="Where it listens; others reach it only with a key.")
    port: int = option(8000, label="Port", help="Of the address. 0 takes one that is free.", ge=0, le=65535)
    keys: bool = option(
        False,
        label="Ask for keys",
        help="Only requests with a key are answered (`python cli.py keys new NAME`). Needed where others reach it.",
        depth="essential",
    )
    context_length: int = option(
        4096, label="Context length", help="Tokens of prompt and answer together, for each.", ge=128, le=1_048_576
    )
    limits: Limits = option(Limits, label="Limits", help="What the server takes on.")
    logging: Logging = option(Logging, label="Keeping chats", help="What is kept of them.")
    router: RouterSpec | None = option(
        None, label="Router", help=f"Which model answers a request for '{AUTO}'. Without it: the first model."
    )
    experiment: str | None = option(
        None,
        label="Experiment",
        help=f"The name of a running experiment that shares requests for '{AUTO}' out among its arms.",
    )
    idle_minutes: float = option(
        5.0,
        label="Make way after",
        help="Minutes without a request after which the models are closed if another job waits for the machine; the "
        "next request opens them again when it is free.",
        gt=0,
        le=1440,
    )
    key_variable: str | None = key_variable_option()
    precision: Precision = precision_option()
    quantisation: Quantisation = quantisation_option()

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, values: Any) -> Any:
        return without_key(values)

    @model_validator(mode="after")
    def _names_are_usable(self) -> Self:
        names = [name for name, _ in self.named_models()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two models are called {', '.join(twice)}; name them as NAME=MODEL")
        for name in names:
            if name == AUTO or not NAME.fullmatch(name):
                raise ValueError(f"{name!r} can't be a model's name: letters, digits and . / : - _ (and not '{AUTO}')")
        if self.host not in LOOPBACK and not self.keys:
            raise ValueError(f"others could use the models at {self.host} without a key: set keys to true")
        problems = self.router.problems(names) if self.router else []
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def routing(self) -> RouterSpec:
        """The router, or without one: the first model, and nothing to go on with when it fails."""
        seconds = self.limits.request_seconds
        default = {"default": self.named_models()[0][0], "first_part_seconds": min(seconds, 3600.0)}
        return self.router or RouterSpec.parse({**default, "total_seconds": seconds})

    def named_models(self) -> list[tuple[str, str]]:
        """The served name of each model and the text that names it."""
        return [_named(text) for text in self.models]

    @property
    def title(self) -> str:
        return f"Serve {', '.join(name for name, _ in self.named_models())}"


def _named(text: str) -> tuple[str, str]:
    """NAME=MODEL, or a model alone, which is called by what stands last in it."""
    name, equals, model = text.partition("=")
    if equals and NAME.fullmatch(name.strip()) and "://" not in name:
        return name.strip(), model.strip()
    last = text.rpartition("#")[2] if "://" in text else text.removeprefix("registry:").rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w./:-]", "-", last.removesuffix(".gguf")) or "model", text
