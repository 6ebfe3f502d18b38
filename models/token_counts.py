"""How long conversations are in a model's own tokens, many at a time: for length statistics and checks of a dataset.

The same figures as ChatTokenizer.tokenise gives row by row, several times faster: all texts are encoded in one call,
and only the borders of the answers are looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.errors import BadInput
from models.chat_template import ChatTokenizer, Message, TokenisedRow
from models.masking import IGNORED, Span, assistant_spans, require_tool_calls

# Messages, tools, and whether the last answer alone is trained.
Conversation = tuple[list[Message], list[dict[str, Any]] | None, bool]


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of a row, those of them that are trained, and the places (from 0) of the first and last of these.

    `refused` says why the chat template doesn't take the row; then all figures are 0.
    """

    length: int
    trained: int
    first: int = 0
    last: int = 0
    refused: str = ""


def count_tokens(tokenizer: ChatTokenizer, conversations: Sequence[Conversation]) -> list[TokenCount]:
    """A count for each conversation; a single message with the role `text` is plain text."""
    rendered = [_rendered(tokenizer, *conversation) for conversation in conversations]
    texts = [found[0] for found in rendered if isinstance(found, tuple)]
    encodings = iter(tokenizer.encode_all(texts))
    counts = []
    for found, (messages, tools, last_only) in zip(rendered, conversations, strict=True):
        if isinstance(found, str):
            counts.append(TokenCount(0, 0, refused=found))
        elif found is None:
            counts.append(_counted(tokenizer.tokenise_text(messages[0]["content"])))
        else:
            borders = _borders(next(encodings), found[1], tokenizer)
            counts.append(borders or _counted(tokenizer.tokenise(messages, tools, last_only)))
    return counts


def _rendered(
    tokenizer: ChatTokenizer, messages: list[Message], tools: list[dict[str, Any]] | None, last_only: bool
) -> tuple[str, list[Span]] | str | None:
    """The rendering with the answers' spans; why the template refuses it; or None for plain text."""
    if messages[0]["role"] == "text":
        return None
    try:
        text, spans = assistant_spans(tokenizer, messages, tools)
        require_tool_calls(tokenizer, messages, text)
    except BadInput as error:
        return f"{error.what} {error.why}"
    return text, spans[-1:] if last_only else spans


def _borders(encoding: Any, spans: list[Span], tokenizer: ChatTokenizer) -> TokenCount | None:
    """The count, where every answer begins and ends with a token of its own; else None."""
    trained, places = 0, []
    for start, end in spans:
        first, last = encoding.char_to_token(start), encoding.char_to_token(end - 1)
        if first is None or last is None or end <= start:
            return None
        if encoding.token_to_chars(first)[0] != start or encoding.token_to_chars(last)[1] != end:
            return None
        trained += last - first + 1
        places += [first, last]
    if not places:
        return None
    length = len(encoding)
    if encoding.ids[places[-1]] not in tokenizer.stop_ids:  # the end token that is added to what is trained
        return TokenCount(length=places[-1] + 2, trained=trained + 1, first=places[0], last=places[-1] + 1)
    return TokenCount(length=length, trained=trained, first=places[0], last=places[-1])


def _counted(row: TokenisedRow) -> TokenCount:
    places = [place for place, label in enumerate(row.labels) if label != IGNORED]
    if not places:
        return TokenCount(len(row.input_ids), 0)
    return TokenCount(len(row.input_ids), len(places), places[0], places[-1])
