"""Talking to a running server: an answer that comes in pieces, with the model and route that gave it, and feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from jobs.errors import BadInput, Missing

CONNECT_SECONDS, READ_SECONDS = 5.0, 300.0
FEEDBACK_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """What there is of an answer. `id` is what feedback names it by; the others are from the server's headers."""

    id: str
    model: str
    route: str
    reason: str
    text: str = ""
    ended: bool = False


@dataclass(frozen=True)
class Asked:
    """One request: the conversation so far, whom to ask, and what is said about who asks ("" for nothing)."""

    messages: list[dict[str, str]]
    model: str
    user: str = ""
    tag: str = ""
    reasoning_mode: str = ""
    conversation: str = ""

    @property
    def body(self) -> dict[str, Any]:
        about = {"tag": self.tag, "reasoning_mode": self.reasoning_mode, "conversation": self.conversation}
        given = {name: value for name, value in about.items() if value}
        extra = {**({"user": self.user} if self.user else {}), **({"metadata": given} if given else {})}
        return {"model": self.model, "messages": self.messages, "stream": True, **extra}


def ask(address: str, key: str, asked: Asked) -> Iterator[Answer]:
    """The answer as it grows. Raises Missing where no server answers, BadInput with what the server says."""
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    place = f"{address}/v1/chat/completions"
    with (
        _telling(address),
        _client(key, timeout) as client,
        client.stream("POST", place, json=asked.body) as response,
    ):
        if response.status_code >= 400:
            response.read()
            raise _refused(response)
        yield from _growing(response)


def _growing(response: httpx.Response) -> Iterator[Answer]:
    heads = response.headers
    answer = Answer(
        heads.get("X-Request-Id", ""),
        heads.get("X-Hearth-Model", ""),
        heads.get("X-Hearth-Route", ""),
        heads.get("X-Hearth-Reason", ""),
    )
    yield answer
    for line in response.iter_lines():
        content = line.removeprefix("data:").strip()
        if not line.startswith("data:") or content == "[DONE]":
            continue
        event = json.loads(content)
        if "error" in event:
            raise _broken_off(str(event["error"]["message"]))
        text = "".join((choice.get("delta") or {}).get("content") or "" for choice in event["choices"])
        if text:
            answer = replace(answer, text=answer.text + text)
            yield answer
    yield replace(answer, ended=True)


def send_feedback(address: str, key: str, answer_id: str, **said: Any) -> list[str]:
    """Tell what a person thought of an answer (rating, edit, comment); what of it was kept. Raises as `ask` does."""
    with _telling(address), _client(key, httpx.Timeout(FEEDBACK_SECONDS, connect=CONNECT_SECONDS)) as client:
        response = client.post(f"{address}/v1/feedback", json={"id": answer_id, **said})
        if response.status_code >= 400:
            raise _refused(response)
        return [str(each) for each in response.json()["kept"]]


def _client(key: str, timeout: httpx.Timeout) -> httpx.Client:
    # Straight to this machine, whatever proxy the environment names.
    headers = {"Authorization": f"Bearer {key.strip()}"} if key.strip() else {}
    return httpx.Client(timeout=timeout, trust_env=False, headers=headers)


@contextmanager
def _telling(address: str) -> Iterator[None]:
    try:
        yield
    except httpx.ConnectError as error:
        raise Missing(
            f"Nothing answers at {address}.",
            "The server is still loading its models, or it was stopped.",
            "Look at the server's state, and try again once it listens.",
        ) from error
    except httpx.TimeoutException as error:
        raise BadInput(
            f"The server at {address} took too long.",
            f"Nothing came for {READ_SECONDS:.0f} seconds.",
            "Ask something shorter, or look at the server's log.",
        ) from error
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise _broken_off(str(error)) from error


def _refused(response: httpx.Response) -> BadInput:
    """The server's own words."""
    try:
        said = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        said = response.text[:300]
    fixes = {
        401: "Enter a key under “About the request”; the part “API keys” makes one.",
        404: "For ratings, start the server with “Keep chats” on; for a model, choose one that it serves.",
        429: "Wait a moment, and send it again.",
        503: "Wait until the machine is free, and send it again.",
    }
    fix = fixes.get(response.status_code, "Change what is asked, or look at the server's log.")
    return BadInput("The server gave no answer.", said, fix)


def _broken_off(reason: str) -> BadInput:
    return BadInput(
        "The answer broke off.", reason, "What came is not kept; send it again. The server's log tells more."
    )
