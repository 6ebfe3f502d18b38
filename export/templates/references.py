"""What each family's Go template writes, told in Python.

The tests prove with Go's own text/template that template and reference write the same; at export, where there is no
Go, the reference stands for the template and is compared with the model's own chat template. Each function takes a
conversation that `families.not_covered` finds nothing against and returns the prompt, without a token for its
beginning: the server puts that in front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from export.templates.conversations import Conversation, Message
from export.templates.ollama_json import jinja

Reference = Callable[[Conversation], str]

_TOOLS_BEFORE = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>"""
_TOOLS_AFTER = """
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""


def text_of(message: Message) -> str:
    """What a message says; an assistant's that only calls tools may hold None or nothing."""
    return str(message.get("content") or "")


def system_of(conversation: Conversation) -> str:
    return "\n\n".join(text_of(message) for message in conversation.messages if message["role"] == "system")


def _spoken(conversation: Conversation) -> list[Message]:
    return [message for message in conversation.messages if message["role"] != "system"]


def turns(before: str, after: str) -> Reference:
    """Every turn alike: `before`, with the role in the place of ROLE, then the text, then `after`."""

    def render(conversation: Conversation) -> str:
        heads = [before.replace("ROLE", message["role"]) for message in conversation.messages]
        texts = map(text_of, conversation.messages)
        written = [head + text + after for head, text in zip(heads, texts, strict=True)]
        return "".join(written) + before.replace("ROLE", "assistant")

    return render


def llama31(conversation: Conversation) -> str:
    """Llama 3.1: the first turn is always the system's and holds two dates, the second of them fixed."""
    dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
    head = {"role": "system", "content": dates + system_of(conversation)}
    return turns("<|start_header_id|>ROLE<|end_header_id|>\n\n", "<|eot_id|>")(
        Conversation(conversation.name, [head, *_spoken(conversation)])
    )


def mistral(conversation: Conversation) -> str:
    """Mistral 7B Instruct v0.3: the system prompt stands in the last question."""
    return _mistral(conversation, " ")


def mistral_nemo(conversation: Conversation) -> str:
    """Mistral Nemo and Ministral: the same without blanks."""
    return _mistral(conversation, "")


def _mistral(conversation: Conversation, blank: str) -> str:
    system, spoken = system_of(conversation), _spoken(conversation)
    last = max(number for number, message in enumerate(spoken) if message["role"] == "user")
    parts = []
    for number, message in enumerate(spoken):
        text = text_of(message)
        if message["role"] == "user":
            head = f"{system}\n\n" if system and number == last else ""
            parts.append(f"[INST]{blank}{head}{text}[/INST]")
        else:
            parts.append(f"{blank}{text}</s>")
    return "".join(parts)


def mistral_v7(conversation: Conversation) -> str:
    """Mistral models with the tokenizer V7: no blanks, and a system turn."""
    frames = {"system": "[SYSTEM_PROMPT]{}[/SYSTEM_PROMPT]", "user": "[INST]{}[/INST]", "assistant": "{}</s>"}
    pairs = [frames[message["role"]].split("{}") for message in conversation.messages]
    return "".join(
        before + text_of(message) + after for (before, after), message in zip(pairs, conversation.messages, strict=True)
    )


def gemma(conversation: Conversation) -> str:
    """Gemma 2 and 3: the assistant is the model, and the system prompt stands in the first question."""
    system, spoken = system_of(conversation), _spoken(conversation)
    first = next(number for number, message in enumerate(spoken) if message["role"] == "user")
    parts = []
    for number, message in enumerate(spoken):
        role = "model" if message["role"] == "assistant" else "user"
        head = f"{system}\n\n" if system and number == first else ""
        parts.append(f"<start_of_turn>{role}\n{head}{text_of(message)}<end_of_turn>\n")
    return "".join(parts) + "<start_of_turn>model\n"


def qwen25(conversation: Conversation) -> str:
    """Qwen 2.5, and Qwen 3 without thoughts: ChatML with tools in the system turn."""
    return _qwen(conversation, last_question=None)


def qwen3(conversation: Conversation) -> str:
    """Qwen 3: the thoughts behind what came after the last question are shown again, earlier ones are not."""
    roles = [message["role"] for message in conversation.messages]
    return _qwen(conversation, last_question=max(number for number, role in enumerate(roles) if role == "user"))


def _qwen(conversation: Conversation, last_question: int | None) -> str:
    messages = conversation.messages
    parts = [_qwen_head(conversation)]
    for number, message in enumerate(messages):
        previous = messages[number - 1]["role"] if number else ""
        following = messages[number + 1]["role"] if number + 1 < len(messages) else ""
        if message["role"] == "user":
            parts.append(f"<|im_start|>user\n{text_of(message)}<|im_end|>\n")
        elif message["role"] == "assistant":
            thoughts = message.get("reasoning_content") if last_question is not None and number > last_question else ""
            shown = f"<think>\n{thoughts}\n</think>\n\n" if thoughts else ""
            parts.append(f"<|im_start|>assistant\n{shown}{_with_calls(message)}<|im_end|>\n")
        elif message["role"] == "tool":
            parts.append("<|im_start|>user" if previous != "tool" else "")
            parts.append(f"\n<tool_response>\n{text_of(message)}\n</tool_response>")
            parts.append("<|im_end|>\n" if following != "tool" else "")
    thoughtless = "<think>\n\n</think>\n\n" if last_question is not None and conversation.think is False else ""
    return "".join(parts) + "<|im_start|>assistant\n" + thoughtless


def _qwen_head(conversation: Conversation) -> str:
    system = system_of(conversation)
    if conversation.tools:
        tools = "".join(f"\n{jinja(tool)}" for tool in conversation.tools)
        head = f"{system}\n\n" if system else ""
        return f"<|im_start|>system\n{head}{_TOOLS_BEFORE}{tools}{_TOOLS_AFTER}<|im_end|>\n"
    return f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""


def _with_calls(message: Message) -> str:
    calls = [_call(call["function"]) for call in message.get("tool_calls") or []]
    text = text_of(message)
    return "\n".join([*([text] if text or not calls else []), *calls])


def _call(function: dict[str, Any]) -> str:
    arguments = jinja(function["arguments"])
    return f'<tool_call>\n{{"name": "{function["name"]}", "arguments": {arguments}}}\n</tool_call>'
