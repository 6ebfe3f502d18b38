"""HTTP to a chat endpoint, with every way of failing told apart: what can be retried, what the user has to mend."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from jobs.errors import BadInput, Missing
from models.endpoints.client import EndpointFailure, FailureKind

HERE = ("localhost", "127.0.0.1", "::1")
SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Access:
    """Where an endpoint is and what it is asked for. `key_variable` names the environment variable with its key."""

    address: str
    model: str
    key_variable: str | None = None

    def key(self) -> str | None:
        """The key from the environment. Raises Missing when the variable that should hold it isn't set."""
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise Missing(
                f"The environment variable {self.key_variable} isn't set.",
                f"It has to hold the key for {self.address}; keys are never read from a spec.",
                f"Set it (`export {self.key_variable}=…`) where Hearth is started, then try again.",
            )
        return key


class Transport:
    """Posts JSON to one endpoint. Raises EndpointFailure, or Missing and BadInput where asking again can't help."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._key = access.key()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # A proxy of the environment is for the world outside, never for a server on this machine.
        outside = urlsplit(access.address).hostname not in HERE
        # Deadlines are asyncio's: httpx's own start anew with each part. Certificates take a while to read.
        secure = access.address.startswith("https:")
        self._http = httpx.AsyncClient(headers=headers, timeout=None, trust_env=outside, verify=secure)

    async def close(self) -> None:
        await self._http.aclose()

    async def post(self, path: str, body: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The JSON object that the endpoint answers with, within `seconds`."""
        request = self._http.build_request("POST", self.access.address + path, json=body)
        return await self._object(request, seconds)

    async def get(self, path: str, seconds: float) -> dict[str, Any]:
        """The JSON object at a path of the endpoint, within `seconds`."""
        return await self._object(self._http.build_request("GET", self.access.address + path), seconds)

    async def _object(self, request: httpx.Request, seconds: float) -> dict[str, Any]:
        async with self._answering(request, time.monotonic() + seconds) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        return json_object(self._without_key(content))

    async def post_for_lines(self, path: str, body: dict[str, Any], seconds: float) -> AsyncGenerator[bytes]:
        """The lines of a streamed answer, without their ends; the blank ones are left out."""
        rest = b""
        request = self._http.build_request("POST", self.access.address + path, json=body)
        async with self._answering(request, time.monotonic() + seconds) as chunks:
            async for chunk in chunks:
                # Only \n ends a line: other line separators may stand inside JSON text.
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield self._without_key(line.strip())
        if rest.strip():
            yield self._without_key(rest.strip())

    @asynccontextmanager
    async def _answering(self, request: httpx.Request, deadline: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a response whose status says that it is an answer."""
        with _told_apart(FailureKind.CONNECTION):
            response = await _before(deadline, self._http.send(request, stream=True))
        try:
            chunks = _chunks(response, deadline)
            if not response.is_success:
                content = b"".join([chunk async for chunk in chunks])
                raise self._refusal(response, content)
            yield chunks
        finally:
            await response.aclose()

    def _refusal(self, response: httpx.Response, content: bytes) -> Exception:
        """What a status other than success means."""
        status, said = response.status_code, _error_text(self._without_key(content))
        told = f"{self.access.address} answered {status}: {said}"
        wait = _retry_after(response.headers.get("Retry-After"))
        if status in (401, 402, 403):
            return self._no_right(told)
        if status == 404:
            return self._not_there(told)
        if status == 408:
            return EndpointFailure(FailureKind.TIMEOUT, told, wait)
        if status == 429:
            return EndpointFailure(FailureKind.RATE_LIMIT, told, wait)
        if status >= 500:
            return EndpointFailure(FailureKind.SERVER, told, wait)
        if status < 400:
            target = response.headers.get("Location", "another address")
            return BadInput(told, f"It sends the request on to {target}.", "Give that address instead.")
        return EndpointFailure(FailureKind.REFUSED, told)

    def _no_right(self, told: str) -> Missing:
        variable = self.access.key_variable
        fix = f"Check the key in the environment variable {variable}." if variable else "Name the variable of a key."
        return Missing(told, f"It does not let you use {self.access.model}: asking again can't help.", fix)

    def _not_there(self, told: str) -> Missing:
        return Missing(
            told,
            f"Either it has no model '{self.access.model}', or the address is not that of a chat API.",
            "Check the model's name (for Ollama: `ollama list`, `ollama pull`) and the address (OpenAI-compatible "
            "ones often end in /v1).",
        )

    def _without_key(self, content: bytes) -> bytes:
        """What the endpoint sent may be logged, and some repeat the request in their errors."""
        return content.replace(self._key.encode(), b"(key)") if self._key else content


async def _chunks(response: httpx.Response, deadline: float) -> AsyncIterator[bytes]:
    """The response's body as it comes. Raises EndpointFailure when it stops before its end or takes too long."""
    chunks = response.aiter_bytes()
    with _told_apart(FailureKind.BROKEN_OFF):
        while True:
            try:
                chunk = await _before(deadline, anext(chunks))
            except StopAsyncIteration:
                return
            yield chunk


async def _before(deadline: float, step: Any) -> Any:
    async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
        return await step


@contextmanager
def _told_apart(lost: FailureKind) -> Iterator[None]:
    """Name what goes wrong on the line; `lost`: what it is called when the connection fails."""
    try:
        yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise EndpointFailure(FailureKind.TIMEOUT, "no whole answer came in time") from error
    except httpx.DecodingError as error:
        raise EndpointFailure(FailureKind.NOT_THE_API, f"the answer can't be unpacked: {error}") from error
    except httpx.TransportError as error:
        raise EndpointFailure(lost, str(error) or type(error).__name__) from error


def json_object(content: bytes) -> dict[str, Any]:
    """The JSON object that an endpoint sent. Raises EndpointFailure for anything else, and for an error in its place.

    Endpoints report errors inside a success as well: `{"error": "…"}` or `{"error": {"message": "…"}}`.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        shown = _shortened(content.decode(errors="replace"))
        raise EndpointFailure(FailureKind.NOT_THE_API, f"it sent no JSON but: {shown!r}") from error
    if not isinstance(value, dict):
        raise EndpointFailure(FailureKind.NOT_THE_API, f"it sent {type(value).__name__}, not an object")
    if value.get("error"):
        raise EndpointFailure(FailureKind.SERVER, _error_text(content))
    return value


def _error_text(content: bytes) -> str:
    """The endpoint's own words for an error, from whichever place they stand in."""
    text = content.decode(errors="replace")
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError):
        pass  # not the usual shape: the text itself is what there is to say
    return _shortened(str(text)) or "(nothing more)"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _retry_after(header: str | None) -> float | None:
    """Seconds from a Retry-After header, which gives seconds or a date (RFC 9110, 10.2.3). None when it gives none."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass  # not a number, so a date
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
