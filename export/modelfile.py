"""The text of an Ollama Modelfile: weights, system prompt, stop tokens and sampling parameters.

No TEMPLATE is written: Ollama then takes the template from the GGUF. It replaces one that it recognises by a template
of its own, which writes the same turns but no default system prompt; hence SYSTEM is always given when there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.errors import BadInput

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

Message = dict[str, Any]

_QUOTES = '"""'
_TEMPLATE_COMMENT = "# No TEMPLATE: the chat template inside the GGUF file is used."


@dataclass(frozen=True)
class SystemPrompt:
    """The system prompt to ship, None for none, and where it came from."""

    text: str | None
    origin: str


@dataclass(frozen=True)
class Parameters:
    """What Ollama is told about running the model; lengths in tokens."""

    stop: tuple[str, ...]
    context_length: int
    temperature: float
    top_p: float
    top_k: int
    repeat_penalty: float


def choose_system_prompt(
    given: str | None, conversations: Sequence[Sequence[Message]], tokenizer: ChatTokenizer
) -> SystemPrompt:
    """The one given, else the one that all `conversations` begin with, else the template's own."""
    if given:
        return SystemPrompt(given, "the export's options")
    shared = {_system_text(messages) for messages in conversations}
    if len(shared) == 1 and None not in shared:
        return SystemPrompt(shared.pop(), "all held-out rows share it")
    default = default_system_prompt(tokenizer)
    if default:
        return SystemPrompt(default, "the chat template adds it by itself")
    return SystemPrompt(None, "neither the options nor the data nor the chat template has one")


def _system_text(messages: Sequence[Message]) -> str | None:
    if messages and messages[0]["role"] == "system" and isinstance(messages[0]["content"], str):
        return messages[0]["content"]
    return None


def default_system_prompt(tokenizer: ChatTokenizer) -> str | None:
    """What the chat template writes as system turn when a conversation has none; None when it writes nothing there.

    Found by rendering a conversation with a known system prompt and without: what stands in its place is the default.
    """
    marker = "\ue101system\ue101"
    user = {"role": "user", "content": "\ue102user\ue102"}
    try:
        with_system = tokenizer.render([{"role": "system", "content": marker}, user], add_generation_prompt=True)
    except BadInput:
        return None  # a template without system turns can't have a default one
    bare = tokenizer.render([user], add_generation_prompt=True)
    before, found, after = with_system.partition(marker)
    if not found or not bare.startswith(before) or not bare.endswith(after) or len(bare) < len(before) + len(after):
        return None
    return bare[len(before) : len(bare) - len(after)] or None


def modelfile(weights: str, system: str | None, parameters: Parameters) -> str:
    """The Modelfile for the GGUF named `weights`, which lies beside it. Raises BadInput for a text it can't hold."""
    lines = [f"FROM ./{weights}", _TEMPLATE_COMMENT]
    if system:
        lines.append(f"SYSTEM {_block(system)}")
    lines += [f"PARAMETER stop {_quoted(token)}" for token in parameters.stop]
    lines += [
        f"PARAMETER num_ctx {parameters.context_length}",
        f"PARAMETER temperature {parameters.temperature:g}",
        f"PARAMETER top_p {parameters.top_p:g}",
        f"PARAMETER top_k {parameters.top_k}",
        f"PARAMETER repeat_penalty {parameters.repeat_penalty:g}",
    ]
    return "\n".join(lines) + "\n"


def dropped_characters(text: str) -> str:
    """The characters of `text` that Ollama's reader of Modelfiles leaves out: invisible ones, odd kinds of space."""
    return "".join(sorted({letter for letter in text if not letter.isprintable() and letter not in "\n\r\t"}))


def _block(text: str) -> str:
    """`text` between triple quotes, inside which a Modelfile knows no escapes: a line ending in them ends the text."""
    lines = text.replace("\r", "\n").split("\n")
    if any(line.rstrip().endswith(_QUOTES) for line in lines[:-1]):
        raise BadInput(
            f"A line of the system prompt or of a stop token ends in three double quotes ({_QUOTES}).",
            "In a Modelfile they would end the text there, and there is no way to write them otherwise.",
            "Use other quotes in the system prompt (three single quotes), or let the line go on after them.",
        )
    return f"{_QUOTES}{text}{_QUOTES}"


def _quoted(token: str) -> str:
    """A stop token as one value."""
    plain = token.isprintable() and '"' not in token
    return f'"{token}"' if plain else _block(token)
