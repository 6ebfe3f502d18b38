"""Which language a visitor wants, and the page as it is first sent, in that language."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import cookie_parser

from ui.translation.answers import translated_properties
from ui.translation.catalogue import Catalogue, catalogue, languages

COOKIE = "hearth_language"
QUERY = "language"
ENGLISH = "en"
# Where Gradio's page holds what it is laid out from.
CONFIG = b"window.gradio_config = "
PAGES = {"/": CONFIG, "/config": b""}
YEAR = 31_536_000


def texts_for(request: Any) -> Catalogue | None:
    """The texts for whoever sent a Starlette or Gradio request; None for English."""
    headers = getattr(request, "headers", None) or {}
    return catalogue(_wanted(headers.get("cookie") or "", headers.get("accept-language") or ""))


def _wanted(cookie: str, accepted: str) -> str:
    """What was chosen on the page, else the browser's first language that is here."""
    chosen = cookie_parser(cookie).get(COOKIE)
    if chosen is not None:
        return chosen
    for each in accepted.split(","):
        tag = each.partition(";")[0].strip().lower()
        found = next((here for here in (ENGLISH, *languages()) if tag == here or tag.startswith(f"{here}-")), None)
        if found:
            return found
    return ENGLISH


class Translation:
    """ASGI middleware: `?language=zh` is remembered in a cookie, and the page is laid out in the visitor's language."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in PAGES:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        asked = parse_qs(scope["query_string"].decode("latin-1")).get(QUERY, [""])[0]
        chosen = asked if asked in (ENGLISH, *languages()) else ""
        texts = catalogue(chosen or _wanted(headers.get("cookie", ""), headers.get("accept-language", "")))
        await self._app(scope, receive, _Answer(send, texts, chosen, PAGES[scope["path"]]))


class _Answer:
    """Sends an answer on: with the cookie, and where there are `texts`, whole and translated."""

    def __init__(self, send: Any, texts: Catalogue | None, chosen: str, before: bytes) -> None:
        self._send, self._texts, self._chosen, self._before = send, texts, chosen, before
        self._start: dict[str, Any] = {}
        self._body = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            if self._chosen:
                cookie = f"{COOKIE}={self._chosen}; Path=/; Max-Age={YEAR}; SameSite=Lax".encode()
                message["headers"] = [*message.get("headers", []), (b"set-cookie", cookie)]
            self._start = message
            if self._texts is None:
                await self._send(message)
            return
        if self._texts is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = translated_page(self._body, self._before, self._texts) if self._start["status"] == 200 else self._body
        headers = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        await self._send({**self._start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})


def translated_page(body: bytes, before: bytes, texts: Catalogue) -> bytes:
    """Gradio's page or its config alone, with the texts of every component in the language."""
    start = body.find(before)
    if start < 0 or not body:  # a HEAD request is answered without one
        return body
    head, rest = body[: start + len(before)], body[start + len(before) :].decode("utf-8")
    config, end = json.JSONDecoder().raw_decode(rest)
    for component in config.get("components", []):
        component["props"] = translated_properties(component["type"], component["props"], texts)
    config["title"] = texts.text(str(config.get("title", "")))
    # As in Gradio's own page: nothing in a string may end the script that holds it.
    told = orjson.dumps(config).replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    return head.replace(b'lang="en"', f'lang="{texts.language}"'.encode(), 1) + told + rest[end:].encode()
