"""Chats that are kept to learn from, where a server was told to: scrubbed, without blocking an answer, none lost.

A database that is locked holds nobody up: chats wait in `unkept.jsonl` in the job's folder, where a killed server
leaves them for the next one, and are written when that is over. Where the disk is full too they wait in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from datasets_src.checks.private import private_spans
from datasets_src.interactions.records import Interaction
from datasets_src.interactions.store import Interactions
from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.files import append_json_line, read_json_lines
from jobs.workspace import Workspace

BUSY_SECONDS = 1.0
MOST_HELD = 10_000
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
        self._store = Interactions(workspace, BUSY_SECONDS)
        self._spill = spill
        self._scrub = scrub
        self._on_trouble = on_trouble
        self._held: list[Chat] = []
        self._ids: dict[str, int] = {}
        self.waiting = 0
        self.write_waiting()

    def keep(self, chat: Chat, user: str | None) -> None:
        """Keep an answer, now or as soon as that works. `user`: who asked, as they call themselves, or None."""
        told = replace(chat.interaction, time=time.time(), user=self._store.pseudonym(user))
        chat = replace(chat, interaction=told)
        chat = self._scrubbed(chat) if self._scrub else chat
        if self.waiting or not self._write(chat):
            self._put_aside(chat)

    def write_waiting(self) -> None:
        """Write what waits, oldest first, up to the first that can't be written."""
        with spill_lock(self._spill):
            chats = [*_set_aside(self._spill), *self._held]
            self.waiting = len(chats)
            for chat in chats:
                if not self._write(chat, again=True):
                    return
                self.waiting -= 1
            self._held.clear()
            self._spill.unlink(missing_ok=True)

    def adopt(self, spill: Path) -> None:
        """Write what another server left waiting."""
        if not spill.exists():
            return
        with spill_lock(spill):
            if all(self._write(chat, again=True) for chat in _set_aside(spill)):
                spill.unlink(missing_ok=True)

    def _write(self, chat: Chat, *, again: bool = False) -> bool:
        """Whether it is in the database now. `again`: it may be there already, by a server that was killed."""
        try:
            number = self._store.number_of(chat.interaction) if again else None
            if number is None:
                number = self._store.record_later(chat.interaction)
        except (BadInput, OutOfRoom) as problem:
            self._on_trouble(problem.what)
            return False
        self._ids[chat.answer_id] = number
        if len(self._ids) > MOST_REMEMBERED:
            del self._ids[next(iter(self._ids))]
        return True

    def _put_aside(self, chat: Chat) -> None:
        try:
            with spill_lock(self._spill):
                append_json_line(self._spill, asdict(chat))
        except OSError as problem:
            self._on_trouble(f"{self._spill} can't be written: {problem.strerror}.")
            if len(self._held) >= MOST_HELD:
                self._on_trouble(f"A chat is lost: {MOST_HELD:,} wait in memory already.")
                return
            self._held.append(chat)
        self.waiting += 1

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
        held, self._held = self._held, []
        for chat in held:
            self._put_aside(chat)

    def _clean(self, text: str | None) -> str | None:
        return scrub(text) if self._scrub and text is not None else text

    def _scrubbed(self, chat: Chat) -> Chat:
        old = chat.interaction
        prompt = [_scrub_values(message) for message in old.prompt]
        calls = [_scrub_values(call) for call in old.tool_calls]
        return replace(chat, interaction=replace(old, prompt=prompt, answer=scrub(old.answer), tool_calls=calls))


def spill_lock(spill: Path) -> FileLock:
    """Held by whoever reads and changes a server's file of chats that wait."""
    return FileLock(spill.with_name(f".{spill.name}.lock"))


def _set_aside(spill: Path) -> list[Chat]:
    return [Chat(line["answer_id"], Interaction(**line["interaction"])) for line in read_json_lines(spill)]


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
