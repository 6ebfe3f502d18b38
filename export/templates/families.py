"""The families that a Go template is kept for, and which conversations it covers.

Ollama's servers are of two kinds. Older ones know Go templates alone: what the Modelfile's TEMPLATE says is what the
model sees, and without one they guess from the GGUF. Current ones replace a template in the GGUF that they recognise
by a Go template of their own, render any other from the GGUF's Jinja, and may prefer either to a given TEMPLATE. Both
are served by the same rule: a TEMPLATE is written only where it writes what the model's own template writes, so that
it does not matter which of the two a server takes; where none is proven to, the template inside the GGUF is the only
one, older servers guess, and the export says so. `.Messages` needs a server of late 2024 or newer. Names that came
later (`.Thinking`, `.IsThinkSet`, 2025) stand where an older server never looks at them: Go evaluates a field when it
gets there, and an unknown name beside `.Messages` is merely empty. A server that knows them sets thinking by itself
for a template that shows thoughts; one that leaves it unset leaves earlier thoughts out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from export.templates import references
from export.templates.conversations import Conversation, Message, calls_of
from export.templates.ollama_json import same_arguments, same_tool
from export.templates.references import Reference, turns

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Family:
    """A way of writing conversations. `files` together are the Go template, `reference` writes the same in Python.

    `tools`, `thinking`: whether it can write them at all. What it covers more exactly `not_covered` says.
    """

    name: str
    files: tuple[str, ...]
    reference: Reference
    tools: bool = False
    thinking: bool = False

    @property
    def text(self) -> str:
        """The Go template."""
        return "".join((_FOLDER / f"{file}.gotmpl").read_text(encoding="utf-8") for file in self.files)


# The plainest first: of several that cover the same, the first is taken.
FAMILIES = (
    Family("ChatML", ("chatml",), turns("<|im_start|>ROLE\n", "<|im_end|>\n")),
    Family("Llama 3", ("llama3",), turns("<|start_header_id|>ROLE<|end_header_id|>\n\n", "<|eot_id|>")),
    Family("Llama 3.1", ("llama3.1",), references.llama31),
    Family("Mistral Instruct v0.3", ("mistral",), references.mistral),
    Family("Mistral Nemo", ("mistral-nemo",), references.mistral_nemo),
    Family("Mistral V7", ("mistral-v7",), references.mistral_v7),
    Family("Gemma 2 and 3", ("gemma",), references.gemma),
    Family("Phi-3", ("phi3",), turns("<|ROLE|>\n", "<|end|>\n")),
    Family("Phi-4", ("phi4",), turns("<|im_start|>ROLE<|im_sep|>", "<|im_end|>")),
    Family("Phi-4 mini", ("phi4-mini",), turns("<|ROLE|>", "<|end|>")),
    Family("Qwen 2.5", ("qwen-tools", "qwen2.5-turns"), references.qwen25, tools=True),
    Family("Qwen 3", ("qwen-tools", "qwen3-turns"), references.qwen3, tools=True, thinking=True),
)


def not_covered(family: Family, conversation: Conversation) -> str | None:
    """Why `family`'s Go template can't be relied on for this conversation; None when it can."""
    return next(_objections(family, conversation), None)


def _objections(family: Family, conversation: Conversation) -> Iterator[str]:
    messages, tools = conversation.messages, conversation.tools or []
    roles = [message["role"] for message in messages]
    allowed = {"system", "user", "assistant"} | ({"tool"} if family.tools else set())
    if not set(roles) <= allowed:
        yield f"the template knows no turns of the role {', '.join(sorted(set(roles) - allowed))}"
    if "user" not in roles:
        yield "nobody asks anything"
    if "system" in roles[1:]:
        yield "a system prompt after the beginning: Ollama moves it or merges it"
    if any(first == second != "tool" for first, second in pairwise(roles)):
        yield "two turns of one role in a row: Ollama merges them into one"
    if roles[-1:] == ["assistant"]:
        yield "it ends in an answer"
    if not all(isinstance(message.get("content") or "", str) for message in messages):
        yield "a text made of parts (an image?)"
    yield from _tool_objections(family, messages, tools)
    thoughtful = conversation.think is not None or any(message.get("reasoning_content") for message in messages)
    if thoughtful and not family.thinking:
        yield "the template knows no thinking"
    if family.thinking and any("</think>" in references.text_of(message) for message in messages):
        yield "thoughts inside the text of an answer"


def _tool_objections(family: Family, messages: list[Message], tools: list[object]) -> Iterator[str]:
    calls = calls_of(messages)
    if (tools or calls) and not family.tools:
        yield "the template knows no tools"
    if not all(same_tool(tool) for tool in tools):
        yield "a tool whose description Go prints otherwise: it has other parts, another order or escaped signs"
    if not all(same_arguments(function.get("arguments")) for function in calls):
        yield "a tool call whose arguments Go prints otherwise: another order, inner lists or escaped signs"
