"""Which tokens of a conversation are the assistant's: exactly those that the model itself has to write.

A turn's tokens begin where the generation prompt ends (there the model takes over at inference) and end with its end
token. This is certain when the rendering of a conversation up to a turn is a prefix of the whole rendering, or when
the template marks the turns itself. Otherwise the conversation is refused: a wrong mask would do harm silently.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from jobs.errors import BadInput

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer, Message, TokenisedRow

Span = tuple[int, int]
IGNORED = -100


def tokenise(
    tokenizer: ChatTokenizer, messages: list[Message], tools: list[Any] | None, last_only: bool = False
) -> TokenisedRow:
    """Token ids of the conversation, labelled inside the assistant's spans, or inside the last alone.

    Raises BadInput, see above.
    """
    from models.chat_template import TokenisedRow

    text, spans = assistant_spans(tokenizer, messages, tools)
    spans = spans[-1:] if last_only else spans
    require_tool_calls(tokenizer, messages, text)
    ids, offsets = tokenizer.encode_with_offsets(text)
    if any(_straddles(offsets, start) or _parts_otherwise(tokenizer, text, ids, offsets, start) for start, _ in spans):
        ids, offsets = _encode_in_pieces(tokenizer, text, [start for start, _ in spans])
    labels = [token if _inside(offset, spans) else IGNORED for token, offset in zip(ids, offsets, strict=True)]
    return _with_end_token(tokenizer, TokenisedRow(ids, labels))


def require_tool_calls(tokenizer: ChatTokenizer, messages: list[Message], text: str) -> None:
    """A template that knows no tools passes calls over in silence: the model would learn to answer nothing."""
    names = [call["function"]["name"] for message in messages for call in message.get("tool_calls") or []]
    lost = [name for name in names if name not in text]
    if lost:
        raise BadInput(
            f"The chat template of {tokenizer.folder.name} doesn't write tool calls, such as that of {lost[0]}.",
            "It knows no tools, so the model would be trained to answer nothing in their place.",
            "Choose a model whose template supports tools, or leave these rows out.",
        )


def _with_end_token(tokenizer: ChatTokenizer, row: TokenisedRow) -> TokenisedRow:
    """Where the template writes no end token after the last answer, add one: else the model never learns to stop."""
    trained = [place for place, label in enumerate(row.labels) if label != IGNORED]
    if not trained or row.labels[trained[-1]] in tokenizer.stop_ids:
        return row
    end = trained[-1] + 1
    return replace(
        row, input_ids=[*row.input_ids[:end], tokenizer.eos_id], labels=[*row.labels[:end], tokenizer.eos_id]
    )


def assistant_spans(
    tokenizer: ChatTokenizer, messages: list[Message], tools: list[Any] | None = None
) -> tuple[str, list[Span]]:
    """The rendered conversation, and the characters (start, end) of every assistant turn in it."""
    from models.chat_template import BLOCK_START

    marked = tokenizer._render_marked(messages, tools, add_generation_prompt=False)
    if BLOCK_START in marked:
        return _spans_from_marks(marked)
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start = len(_require_prefix(tokenizer, messages, index, tools, marked, generation_prompt=True))
        end = len(_require_prefix(tokenizer, messages, index + 1, tools, marked, generation_prompt=False))
        spans.append((start, start + len(marked[start:end].rstrip())))
    return marked, spans


def _require_prefix(
    tokenizer: ChatTokenizer,
    messages: list[Message],
    count: int,
    tools: list[Any] | None,
    whole: str,
    *,
    generation_prompt: bool,
) -> str:
    """The rendering of the first `count` messages, checked to be how the whole rendering begins."""
    if count == len(messages) and not generation_prompt:
        return whole
    prefix = tokenizer.render(messages[:count], tools, add_generation_prompt=generation_prompt)
    if not whole.startswith(prefix):
        raise BadInput(
            f"The template of {tokenizer.folder.name} renders a longer conversation differently from a shorter one.",
            f"The first {count} of {len(messages)} messages look different once the others follow, so the tokens "
            "of the assistant can't be told from the prompt's for certain.",
            "Train on conversations with one answer each, or use a template that marks answers with {% generation %}.",
        )
    return prefix


def _spans_from_marks(marked: str) -> tuple[str, list[Span]]:
    """Take the marks of {% generation %} blocks out of the text and return where they stood."""
    from models.chat_template import BLOCK_END, BLOCK_START

    text, spans, start = "", [], 0
    for character in marked:
        if character == BLOCK_START:
            start = len(text)
        elif character == BLOCK_END:
            spans.append((start, len(text)))
        else:
            text += character
    return text, [(start, start + len(text[start:end].rstrip())) for start, end in spans]


def _straddles(offsets: list[Span], position: int) -> bool:
    """Whether some token begins before `position` and ends after it."""
    return any(start < position < end for start, end in offsets)


def _parts_otherwise(tokenizer: ChatTokenizer, text: str, ids: list[int], offsets: list[Span], position: int) -> bool:
    """Whether the prompt alone becomes other tokens than it is here, before its answer.

    Several blanks at its end may: many tokenizers give the last one to the word that follows.
    """
    if not text[max(0, position - 2) : position].isspace() or position < 2:
        return False
    before = [token for token, (_, end) in zip(ids, offsets, strict=True) if end <= position]
    return tokenizer.encode(text[:position]) != before


def _encode_in_pieces(tokenizer: ChatTokenizer, text: str, cuts: list[int]) -> tuple[list[int], list[Span]]:
    """Encode so that tokens end where an answer begins, as they do when the model generates after its prompt."""
    ids: list[int] = []
    offsets: list[Span] = []
    for start, end in pairwise([0, *cuts, len(text)]):
        piece_ids, piece_offsets = tokenizer.encode_with_offsets(text[start:end])
        ids += piece_ids
        offsets += [(start + first, start + last) for first, last in piece_offsets]
    return ids, offsets


def _inside(offset: Span, spans: list[Span]) -> bool:
    return any(start <= offset[0] and offset[1] <= end for start, end in spans) and offset[0] < offset[1]


def end_of_turn(tokenizer: ChatTokenizer) -> int | None:
    """The token that the template writes at the end of an answer, None when it writes none."""
    probe = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    text, spans = assistant_spans(tokenizer, probe)
    tail = text[spans[-1][0] : spans[-1][1]].strip().removeprefix("b") if spans else ""
    ids = tokenizer.encode(tail.strip())
    return ids[0] if len(ids) == 1 else None
