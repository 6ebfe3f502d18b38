"""Conversations that try out a chat template: one for each thing in which templates are known to differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]


class NotProven(Exception):
    """A conversation that a Go template makes no promise about; the text says why."""


@dataclass(frozen=True)
class Conversation:
    """A conversation up to where the model answers; `name` says in messages what it tries out or where it is from.

    An assistant's thoughts are its message's `reasoning_content`. `think` off: the model is asked not to think.
    """

    name: str
    messages: list[Message]
    tools: list[Any] | None = None
    think: bool | None = None


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def call(name: str, arguments: dict[str, Any]) -> Message:
    """What an assistant's message holds for one tool call."""
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def calls_of(messages: list[Message]) -> list[dict[str, Any]]:
    """Name and arguments of every tool call."""
    return [made["function"] for message in messages for made in message.get("tool_calls") or []]


def headed(messages: list[Message], system_prompt: str | None) -> list[Message]:
    """As Ollama sends them: headed by the Modelfile's system prompt where they have none."""
    if not system_prompt or messages[0]["role"] == "system":
        return messages
    return [system(system_prompt), *messages]


# Keys and values in the order and with the signs that every JSON writer agrees on: more is said in `ollama_json`.
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a town, now.",
        "parameters": {
            "type": "object",
            "properties": {
                "town": {"type": "string", "description": "Its name."},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["town"],
        },
    },
}
_ASKED = user("Is it warm in Oslo?")
_CALLED = {**assistant(""), "tool_calls": [call("get_weather", {"town": "Oslo", "unit": "celsius"})]}
_SAID = {**assistant("I will look."), "tool_calls": [call("get_weather", {"town": "Oslo"})]}
_CALLED_TWICE = {
    **assistant(""),
    "tool_calls": [call("get_weather", {"town": "Oslo"}), call("get_weather", {"town": "Rome"})],
}
_RESULT = {"role": "tool", "content": '{"degrees": 21}'}
_THOUGHT = {**_CALLED, "reasoning_content": "I had better look."}

# What any chat does. A Go template that writes one of these otherwise is not the model's.
BASIC = (
    Conversation("one question", [user("Hello")]),
    Conversation("several turns", [user("Hello"), assistant("Hi there."), user("Who are you?")]),
    Conversation(
        "many turns",
        [user("1"), assistant("a"), user("2"), assistant("b"), user("3"), assistant("c"), user("4")],
    ),
    Conversation(
        "letters of many languages", [user("Grüße, 世界, مرحبا, 👩‍🚀"), assistant("Ça va ?"), user("é\u0301")]
    ),
    Conversation("lines and code", [user("a\n\n  b\n```\nx = 1\n```"), assistant("1.\n2."), user("a\tb")]),
    Conversation(
        "quotes and braces", [user("{{ .System }} {% if x %} \"\"\" '''"), assistant("}} %}"), user("<b>&amp;")]
    ),
)
SYSTEM = (
    Conversation("a system prompt", [system("Be brief."), user("Hello")]),
    Conversation(
        "a system prompt and several turns",
        [system('Be brief.\nBe kind: {{ x }} """'), user("Hello"), assistant("Hi."), user("Who are you?")],
    ),
)
# What only some chats do. Each one that differs is named, and the family is used all the same.
SPECIAL = (
    Conversation("an empty question", [user("")]),
    Conversation("an empty answer", [user("Hello"), assistant(""), user("Well?")]),
    Conversation("an empty system prompt", [system(""), user("Hello")]),
    Conversation("blanks around texts", [user(" Hello \n"), assistant(" Hi.\n"), user("\nWell? ")]),
    Conversation("blanks around the system prompt", [system(" Be brief.\n"), user("Hello")]),
)
TOOLS = (
    Conversation("tools offered", [_ASKED], [WEATHER]),
    Conversation("tools offered with a system prompt", [system("Be brief."), _ASKED], [WEATHER]),
    Conversation("a tool called", [_ASKED, _CALLED, _RESULT], [WEATHER]),
    Conversation("a tool called after some words", [_ASKED, _SAID, _RESULT], [WEATHER]),
    Conversation("two tools called", [_ASKED, _CALLED_TWICE, _RESULT, _RESULT], [WEATHER]),
    Conversation(
        "a tool called earlier", [_ASKED, _CALLED, _RESULT, assistant("It is warm."), user("Thanks.")], [WEATHER]
    ),
)
THINKING = (
    Conversation("thoughts before a tool's call", [_ASKED, _THOUGHT, _RESULT], [WEATHER]),
    Conversation(
        "thoughts of an earlier answer",
        [user("Hello"), {**assistant("Hi."), "reasoning_content": "They greet me."}, user("Well?")],
    ),
    Conversation("thinking switched off", [user("Hello")], think=False),
)
# Ollama merges them into one turn: no Go template can write them as they were.
MERGED = (
    Conversation("two questions in a row", [user("Hello"), user("Anyone?")]),
    Conversation(
        "a system prompt in the middle", [user("Hello"), assistant("Hi."), system("Be brief."), user("Well?")]
    ),
)
EVERY = (*BASIC, *SYSTEM, *SPECIAL, *TOOLS, *THINKING, *MERGED)
