"""Characters left as HTML writes them (`&amp;`), in text that isn't about markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.texts import rewrite
from datasets_src.rows import Candidate, Finding

ENTITY = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]{1,24}|#[0-9]{2,6}|#[xX][0-9a-fA-F]{2,6});")
CODE_PIECE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
MOST_ESCAPED = 3
# A row that is about markup holds entities because it means them.
ABOUT_MARKUP = re.compile(r"</?[a-z][a-z0-9]{0,10}(?:\s[^<>]*)?/?>|\b(?:x?html|xml|svg|jsx|markup)\b", re.IGNORECASE)


def find_entities(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Characters written as HTML writes them, in rows that aren't about markup."""
    if not any(ENTITY.search(turn.text) for turn in row.turns() if "&" in turn.text):
        return
    if any(ABOUT_MARKUP.search(turn.text) for turn in row.turns()):
        return
    for turn in row.turns():
        text = CODE_PIECE.sub("", turn.text)
        found = next((match[0] for match in ENTITY.finditer(text) if _is_entity(match, text)), None)
        if found:
            yield Finding(turn.field, f"holds {found}", f"in text it is {html.unescape(found)!r}")


def fix_entities(row: Candidate, settings: CheckSettings) -> None:
    """Write them as the characters they stand for, outside of code."""
    if any(find_entities(row, settings)):
        rewrite(row, _without_entities)


def _is_entity(match: re.Match[str], text: str) -> bool:
    """Whether it stands for a sign, and not alone between quotes, as code has it."""
    around = text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
    return html.unescape(match[0]) != match[0] and not (len(around) == 2 and set(around) <= set("\"'"))


def _without_entities(text: str) -> str:
    pieces, at = [], 0
    for code in CODE_PIECE.finditer(text):
        pieces += [_unescaped(text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*pieces, _unescaped(text[at:])])


def _unescaped(text: str) -> str:
    """The text with its entities resolved, also those that were escaped several times over."""
    for _ in range(MOST_ESCAPED):
        plain = ENTITY.sub(lambda match: html.unescape(match[0]), text)
        if plain == text:
            break
        text = plain
    return text


CHECKS = (
    RowCheck(
        "html_entities",
        "HTML entities in text",
        "Signs written as &amp; or &#39;, left over from a web page, in rows that aren't about HTML. The model "
        "would write them to people; fixing turns them into the signs they stand for, outside of code.",
        "quality",
        "keep",
        "writes the signs they stand for",
        find_entities,
        fix_entities,
    ),
)
