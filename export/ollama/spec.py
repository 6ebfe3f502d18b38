"""OllamaSpec: which GGUF becomes a model of which Ollama server, under which name."""

from __future__ import annotations

from typing import Any, Self

from pydantic import field_validator, model_validator

from export.ollama.names import name_problem, parse_name, require_namespace
from jobs.errors import BadInput
from jobs.spec import Spec, option
from models.endpoints.ollama import ollama_address


class OllamaSpec(Spec):
    """What goes into Ollama. System prompt, template and parameters are those of the Modelfile beside the file."""

    gguf: str = option(
        label="GGUF file",
        help="job:<id>/<file> of a finished export, or a path inside the workspace.",
        depth="essential",
        min_length=1,
    )
    name: str = option(
        label="Name in Ollama",
        help="As in snake-player or snake-player:q4; to push it, your-account/snake-player.",
        depth="essential",
    )
    replace: bool = option(
        False,
        label="Replace",
        help="Overwrite a model of this name. Otherwise the job ends before anything is sent when the name is taken.",
    )
    push_confirmation: str | None = option(
        None,
        label="Push",
        help="Publish the model where its name says (ollama.com): write the name here once more. Empty: it stays on "
        "your server.",
    )
    address: str | None = option(
        None,
        label="Ollama server",
        help="host, host:port or http://host:port, without a password. Empty: OLLAMA_HOST, else this machine.",
        depth="everything",
    )
    check: bool = option(
        True,
        label="Check the model",
        help="Ask the created model one question, and compare the prompts that the server makes with those of the "
        "training. Off: the model is said to be unverified.",
    )
    answer_tokens: int = option(
        32, label="Answer length in the check", help="In tokens at most.", depth="everything", ge=1, le=2048
    )

    @field_validator("push_confirmation", "address", mode="before")
    @classmethod
    def _blank_is_none(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("name")
    @classmethod
    def _a_name(cls, name: str) -> str:
        problem = name_problem(name.strip())
        if problem:
            raise ValueError(f"this name would be refused by Ollama: {problem}")
        return name.strip()

    @model_validator(mode="before")
    @classmethod
    def _an_address(cls, values: Any) -> Any:
        """Checked on the whole, so that a password written by mistake isn't repeated in the error."""
        address = values.get("address") if isinstance(values, dict) else None
        if address is None:
            return values
        if not isinstance(address, str):
            raise ValueError("address is text such as 192.168.1.5:11434")
        try:
            ollama_address(address)
        except BadInput as error:
            raise ValueError(f"address can't be used: {error.why} (what was given is not shown here)") from error
        return values

    @model_validator(mode="after")
    def _pushed_knowingly(self) -> Self:
        if self.push_confirmation is None:
            return self
        if self.push_confirmation != self.name:
            raise ValueError("push_confirmation has to repeat the name letter by letter; leave it empty not to push")
        try:
            require_namespace(parse_name(self.name))
        except BadInput as error:
            raise ValueError(f"{error.why} {error.fix}") from error
        return self

    @property
    def push(self) -> bool:
        return self.push_confirmation is not None
