"""Tokens turned into text as they come: a character that is still incomplete is held back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

INCOMPLETE = "\ufffd"


class IncrementalText:
    """The text of one answer. Its tokens are decoded with those just before them, since some join over a border."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer
        self.tokens: list[int] = []
        self._shown = 0
        self._decoded = 0

    def add(self, token: int, *, last: bool) -> str:
        """Take one more token; the text that it completes. `last`: nothing is held back."""
        self.tokens.append(token)
        before = self._tokenizer.decode(self.tokens[self._shown : self._decoded])
        now = self._tokenizer.decode(self.tokens[self._shown :])
        if now.endswith(INCOMPLETE) and not last:
            return ""
        self._shown, self._decoded = self._decoded, len(self.tokens)
        return now[len(before) :]
