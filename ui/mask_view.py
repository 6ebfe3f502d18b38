"""A row exactly as a model sees it: its tokens, which of them are trained, and where training would cut it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from datasets_src.rows import Row, kind_of
from datasets_src.tokens import tokenise
from models.chat_template import ChatTokenizer, TokenisedRow
from ui.row_cards import has_content
from ui.words import count

# More than this makes a page slow to scroll; the rest is drawn when asked for.
MOST_TOKENS = 2_000
IGNORED = -100
# A character takes up to four bytes, and so up to four tokens.
LONGEST_CHARACTER = 4
LEGEND = (
    '<p class="mask-legend"><span class="trained">trained</span> the model learns to write these · '
    '<span class="given">grey</span> it only reads these · <span class="given special">&lt;special&gt;</span> signs of '
    "the chat template, such as the end of a turn · ⏎ line end · point at a token to see its number (id)</p>"
)


@dataclass(frozen=True)
class Piece:
    """A token: its id, the text it stands for, whether it is trained, and whether it is one of the template's signs.

    `text` is "" for a token that only continues the character which the token before it began.
    """

    id: int
    text: str
    trained: bool
    special: bool


@dataclass(frozen=True)
class Sight:
    """How rows are looked at: a model's tokenizer and name, and the context length that training cuts rows to."""

    tokenizer: ChatTokenizer
    model: str
    max_length: int | None


@dataclass(frozen=True)
class Mask:
    """A row's tokens as HTML, and whether it has more of them than are drawn without being asked for."""

    html: str
    long: bool


def mask_of(row: Row, sight: Sight, *, everything: bool = False) -> Mask:
    """The tokens of a row, trained ones coloured; of a preference those of both answers.

    `everything` draws more than the first tokens of a long row. Raises BadInput when the chat template refuses it.
    """
    if not has_content(row):
        return Mask('<p class="quiet">This row can\'t be used as it is, so no model would see it.</p>', False)
    parts, longest = [], 0
    for title, note, shown in _conversations(row):
        tokenised = tokenise(sight.tokenizer, shown)
        longest = max(longest, len(tokenised.input_ids))
        head = f"<h5>{escape(title)}</h5>" if title else ""
        note = f'<p class="quiet">{escape(note)}</p>' if note else ""
        parts.append(f"{head}{note}{_summary(tokenised, sight)}{_tokens_html(tokenised, sight, everything)}")
    return Mask(f'<div class="mask-view">{LEGEND}{"".join(parts)}</div>', longest > MOST_TOKENS)


def pieces(tokenizer: ChatTokenizer, tokenised: TokenisedRow) -> Iterator[Piece]:
    """The tokens with their texts. Where several make up one character, the first of them shows it."""
    group: list[int] = []
    labels = list(tokenised.labels)
    for place, token in enumerate(tokenised.input_ids):
        group.append(token)
        text = _text(tokenizer, group)
        if text.endswith("\ufffd") and len(group) < LONGEST_CHARACTER and place + 1 < len(labels):
            continue
        start = place + 1 - len(group)
        for number, each in enumerate(group):
            trained = labels[start + number] != IGNORED
            yield Piece(each, text if number == 0 else "", trained, _is_special(tokenizer, each))
        group = []


def _text(tokenizer: ChatTokenizer, tokens: Sequence[int]) -> str:
    """What tokens stand for in the middle of a text: some tokenizers leave out a space where a text begins."""
    anchor = _anchor(tokenizer)
    before = tokenizer.decode([anchor], skip_special_tokens=False)
    return tokenizer.decode([anchor, *tokens], skip_special_tokens=False)[len(before) :]


@lru_cache(maxsize=4)
def _anchor(tokenizer: ChatTokenizer) -> int:
    return tokenizer.encode("a")[-1]


@lru_cache(maxsize=200_000)
def _is_special(tokenizer: ChatTokenizer, token: int) -> bool:
    return tokenizer.decode([token]) == "" and tokenizer.decode([token], skip_special_tokens=False) != ""


def _conversations(row: Row) -> list[tuple[str, str, Row]]:
    """What a model is shown of the row: a title, a word of explanation, and the row to tokenise."""
    kind = kind_of(row)
    if kind == "preference":
        rejected = {**row, "chosen": row["rejected"]}
        return [
            ("With the chosen answer", "Preference training (such as DPO) makes this answer likelier.", row),
            ("With the rejected answer", "Preference training makes this answer less likely.", rejected),
        ]
    if kind == "unpaired" and row.get("label") is False:
        note = (
            "A bad answer: fine-tuning leaves the row out, so nothing of it is learned; preference training (such as "
            "KTO) makes the coloured answer less likely."
        )
        return [("", note, row)]
    return [("", "", row)]


def _summary(tokenised: TokenisedRow, sight: Sight) -> str:
    total, limit = len(tokenised.input_ids), sight.max_length
    counted = f"<b>{count(total, 'token')}</b> by the tokenizer of {escape(sight.model)}"
    said = f"{counted}, {tokenised.trained_tokens:,} of them trained."
    if not limit or total <= limit:
        fits = f" All of it fits into the context length of {limit:,}." if limit else ""
        return f"<p>{said}{fits}</p>"
    left = tokenised.cut(limit).trained_tokens
    cut = f"Training cuts it at {count(limit, 'token')}: the last {total - limit:,} are lost"
    if left == tokenised.trained_tokens:
        return f"<p>{said} {cut}, but nothing that is trained.</p>"
    learned = f"; {left:,} trained tokens are left." if left else ", and with them all there was to learn."
    return f'<p>{said}</p><p class="warning">{cut}{learned}</p>'


def _tokens_html(tokenised: TokenisedRow, sight: Sight, everything: bool) -> str:
    total, limit = len(tokenised.input_ids), sight.max_length
    shown = total if everything else min(total, MOST_TOKENS)
    some = TokenisedRow(tokenised.input_ids[:shown], tokenised.labels[:shown])
    spans = []
    for place, piece in enumerate(pieces(sight.tokenizer, some)):
        if limit and place == limit:
            spans.append(f'<span class="cut-line">training cuts here, at {count(limit, "token")}</span>')
        spans.append(_span(piece, place, cut=bool(limit and place >= limit)))
    rest = (
        f'<p class="quiet">… and {count(total - shown, "more token")}: tick “All tokens”.</p>' if shown < total else ""
    )
    return f'<div class="mask">{"".join(spans)}</div>{rest}'


def _span(piece: Piece, place: int, *, cut: bool) -> str:
    names = ["trained" if piece.trained else "given"]
    names += ["special"] if piece.special else []
    names += ["cut"] if cut else []
    title = f"token {place + 1:,} · id {piece.id}"
    return f'<span class="{" ".join(names)}" title="{title}" translate="no">{_visible(piece.text)}</span>'


def _visible(text: str) -> str:
    """A token's text with its line ends, tabs and lone spaces made visible."""
    if not text:
        return "·"
    if text.isspace():
        text = text.replace(" ", "␣")
    return escape(text).replace("\r", "␍").replace("\t", "⇥\t").replace("\n", "⏎<br>")
