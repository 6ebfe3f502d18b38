"""Chats that are kept to learn from, where a server was told to: scrubbed, without blocking an answer, none lost.

A database that is locked or a disk that is full holds nobody up: records wait in memory and are written when that is
over; what still waits when the server ends lies in `unkept.jsonl` in the job's folder, and the next start writes it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from datasets_src.checks.private import private_spans
from datasets_src.interactions.records import Interaction
from datasets_src.interactions.store import Interactions
from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.files import append_json_line, read_json_lines
from jobs.workspace import Workspace

MOST_WAITING = 10_000
MOST_REMEMBERED = 100_000


@dataclass(frozen=True)
class Chat:
    """One answer to keep. `answer_id`: what the client knows it by."""

    answer_id: str
    interaction: Interaction


class ChatLog:
    """Used by one thread at a time. `on_trouble` is told, in words, when something has to wait."""

    def __init__(
        self,
        workspace: Workspace,
        spill: Path,
        *,
        scrub: bool,
        on_trouble: Callable[[str], None],
    ) -> None:
        self._store = Interactions(workspace)
        self._spill = spill
        self._scrub = scrub
        self._on_trouble = on_trouble
        self._waiting: deque[Chat] = deque()
        self._ids: dict[str, int] = {}
        self._read_spill()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def keep(self, chat: Chat, user: str | None) -> None:
        """Keep an answer, now or as soon as that works. `user`: who asked, as they call themselves, or None."""
        if len(self._waiting) >= MOST_WAITING:
            self._write_spill()
        told = replace(chat.interaction, time=time.time(), user=self._store.pseudonym(user))
        chat = replace(chat, interaction=told)
        self._waiting.append(self._scrubbed(chat) if self._scrub else chat)
        self.write_waiting()

    def write_waiting(self) -> None:
        """Write what waits, oldest first, up to the first that can't be written."""
        while self._waiting:
            chat = self._waiting[0]
            try:
                number = self._store.record_later(chat.interaction)
            except (BadInput, OutOfRoom) as problem:
                self._on_trouble(problem.what)
                return
            self._waiting.popleft()
            self._ids[chat.answer_id] = number
            if len(self._ids) > MOST_REMEMBERED:
                del self._ids[next(iter(self._ids))]

    def rate(self, answer_id: str, *, rating: int | None, edit: str | None, comment: str | None) -> list[str]:
        """Keep what a person thought of an answer; names of what was kept. Raises Missing."""
        self.write_waiting()
        number = self._ids.get(answer_id)
        if number is None:
            raise Missing(
                f"There is no kept answer {answer_id}.",
                "This server keeps no chats, or the answer is from before its start.",
                "Turn logging.chats on before asking.",
            )
        kept = []
        if rating is not None:
            self._store.rate(number, rating, self._clean(comment))
            kept = ["rating", "comment"] if comment else ["rating"]
        elif comment is not None:
            self._store.comment(number, self._clean(comment))
            kept = ["comment"]
        if edit is not None:
            self._store.correct(number, self._clean(edit))
            kept.append("edit")
        return kept

    def close(self) -> None:
        """Write what waits, to the side where the database can't be written."""
        self.write_waiting()
        self._write_spill()

    def _clean(self, text: str | None) -> str | None:
        return scrub(text) if self._scrub and text is not None else text

    def _scrubbed(self, chat: Chat) -> Chat:
        old = chat.interaction
        prompt = [_scrub_values(message) for message in old.prompt]
        calls = [_scrub_values(call) for call in old.tool_calls]
        return replace(chat, interaction=replace(old, prompt=prompt, answer=scrub(old.answer), tool_calls=calls))

    def _write_spill(self) -> None:
        while self._waiting:
            chat = self._waiting[0]
            append_json_line(self._spill, asdict(chat))
            self._waiting.popleft()

    def _read_spill(self) -> None:
        for line in read_json_lines(self._spill):
            self._waiting.append(Chat(line["answer_id"], Interaction(**line["interaction"])))
        self.write_waiting()
        if not self._waiting:
            self._spill.unlink(missing_ok=True)


def scrub(text: str) -> str:
    """The text with private data replaced by what it was, such as [email]."""
    for span in sorted(private_spans(text), key=lambda each: each.start, reverse=True):
        text = f"{text[: span.start]}[{span.kind}]{text[span.end :]}"
    return text


def _scrub_values(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {name: _scrub_values(each) for name, each in value.items()}
    return [_scrub_values(each) for each in value] if isinstance(value, list) else value
