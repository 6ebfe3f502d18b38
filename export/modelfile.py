"""What Ollama is told about a model: as the text of a Modelfile, and as the fields of a create request.

Both come from the same parts: weights, template, system prompt, stop tokens and sampling parameters. A TEMPLATE is
written only where `export.templates` has proven one; else Ollama takes the template inside the GGUF. Whichever it
takes, it writes no default system prompt: hence SYSTEM is always given when there is one. Ollama hands it to the
template as a value, so that braces in it are no commands.
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
_DROPPED_COMMENT = "# SYSTEM: Ollama's reader of Modelfiles leaves out invisible characters that stand in it."


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
    min_p: float = 0.0

    @property
    def numbers(self) -> dict[str, float]:
        """All but the stop tokens, by Ollama's names. `min_p` is 0 unless said, and old servers don't know it."""
        numbers = {
            "num_ctx": self.context_length,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "repeat_penalty": self.repeat_penalty,
        }
        return {**numbers, "min_p": self.min_p} if self.min_p else numbers


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


@dataclass(frozen=True)
class ModelfileParts:
    """All that Ollama is told. `weights` is the GGUF's file name, `template` a Go template (None: the GGUF's own)."""

    weights: str
    system: str | None
    parameters: Parameters
    template: str | None = None
    license: str | None = None  # for the create request

    @property
    def text(self) -> str:
        """The Modelfile, to lie beside the weights. Raises BadInput for a text that a Modelfile can't hold."""
        lines = [f"FROM ./{_file_name(self.weights)}"]
        lines.append(_TEMPLATE_COMMENT if self.template is None else f"TEMPLATE {_exact(self.template, 'template')}")
        if self.system:
            lines += [_DROPPED_COMMENT] if dropped_characters(self.system) else []
            lines.append(f"SYSTEM {_block(self.system, 'system prompt')}")
        lines += [f"PARAMETER stop {_quoted(token)}" for token in self.parameters.stop]
        lines += [f"PARAMETER {name} {_number(value)}" for name, value in self.parameters.numbers.items()]
        return "\n".join(lines) + "\n"

    def create_request(self, model: str, digest: str) -> dict[str, Any]:
        """The body of POST /api/create (https://docs.ollama.com/api/create) for weights that were uploaded as `digest`.

        `digest` is `sha256:…`. JSON holds any text: nothing is left out and nothing refused here.
        """
        given = {"template": self.template, "system": self.system, "license": self.license}
        return {
            "model": model,
            "files": {self.weights: digest},
            **{name: value for name, value in given.items() if value},
            "parameters": {**self.parameters.numbers, "stop": list(self.parameters.stop)},
        }


def modelfile(weights: str, system: str | None, parameters: Parameters, template: str | None = None) -> str:
    """The Modelfile for the GGUF named `weights`, which lies beside it. Raises BadInput for a text it can't hold."""
    return ModelfileParts(weights, system, parameters, template).text


def dropped_characters(text: str) -> str:
    """The characters of `text` that Ollama's reader of Modelfiles leaves out: invisible ones, odd kinds of space."""
    return "".join(sorted({letter for letter in text if _is_dropped(letter)}))


def _is_dropped(letter: str) -> bool:
    return not letter.isprintable() and letter not in "\n\r\t"


def _block(text: str, what: str) -> str:
    """`text` between triple quotes, inside which a Modelfile knows no escapes: a line ending in them ends the text."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadInput(
            f"The {what} holds half of a character (a lone surrogate).", "No file can hold it.", "Write it anew."
        )
    # Where characters are left out, what stood around them comes together: it is judged as it will be read.
    read = "".join(letter for letter in text if not _is_dropped(letter))
    if any(line.rstrip().endswith(_QUOTES) for line in read.replace("\r", "\n").split("\n")[:-1]):
        raise BadInput(
            f"A line of the {what} ends in three double quotes ({_QUOTES}).",
            "In a Modelfile they would end the text there, and there is no way to write them otherwise.",
            "Use other quotes (three single quotes), or let the line go on after them.",
        )
    return f"{_QUOTES}{text}{_QUOTES}"


def _exact(text: str, what: str) -> str:
    """`text` as one value from which nothing may be missing."""
    dropped = dropped_characters(text)
    if dropped:
        raise BadInput(
            f"The {what} {text[:60]!a} holds invisible characters ({dropped!a}).",
            "Ollama's reader of Modelfiles leaves them out, so that it would be another one.",
            "Create the model in Ollama from here, not by its Modelfile: the request keeps them.",
        )
    return _block(text, what)


def _quoted(token: str) -> str:
    block = _exact(token, "stop token")
    return block if set(token) & set('"\n\r\t') else f'"{token}"'


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def _file_name(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise BadInput(
            f"The weights' file name {name!a} can't stand in a Modelfile.",
            "It holds line ends or invisible characters, or begins or ends in blanks.",
            "Give the export a plain name.",
        )
    return name
