"""Conversations as Ollama's chat API takes them. It differs from OpenAI's in how tools are called and answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]


def ollama_messages(messages: Sequence[Message]) -> list[Message]:
    """The messages with arguments of tool calls as objects, and with `tool_name` beside a tool's answer."""
    return [_message(message) for message in messages]


def _message(message: Message) -> Message:
    taken: Message = {"role": message["role"], "content": message.get("content") or ""}
    if message.get("reasoning_content"):
        taken["thinking"] = message["reasoning_content"]
    if message.get("tool_calls"):
        taken["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    if message["role"] == "tool" and message.get("name"):
        taken["tool_name"] = message["name"]
    return taken


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function", call)
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    return {"function": {"name": function["name"], "arguments": arguments}}
