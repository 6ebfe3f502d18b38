"""Characters that nobody sees: control characters, and signs without width where no script needs them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.encoding import is_mojibake
from datasets_src.checks.texts import rewrite, texts_of
from datasets_src.rows import Candidate, Finding

CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufffe\uffff]")
TERMINAL_ESCAPE = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")
ZERO_WIDTH_SPACE, SOFT_HYPHEN, FIRST_TAG = "\u200b", "\u00ad", "\U000e0001"
ZERO_WIDTH = ZERO_WIDTH_SPACE + SOFT_HYPHEN + "\u2060\ufeff\u180e"
JOINERS = "\u200c\u200d"
DIRECTION = "\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"
OVERRIDES = "\u202d\u202e"
INVISIBLE = re.compile(f"[{ZERO_WIDTH}{JOINERS}{DIRECTION}\U000e0001\U000e0020-\U000e007f]")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Scripts that are written without spaces, where a zero-width space says where a line may break.
SPACELESS = re.compile("[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u19e0-\u19ff\u1a20-\u1aaf\ua980-\ua9df]")
# Scripts whose letters take another shape beside a joiner: Arabic, the scripts of India, Tibetan, Burmese, Mongolian …
JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc]")
EMOJI = re.compile("[\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0f\u20e3\U0001f000-\U0001faff]")
# The flags of England, Scotland and Wales are a black flag and up to six invisible letters.
BLACK_FLAG, LONGEST_FLAG = "\U0001f3f4", 8


def find_control(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Characters that control terminals and printers; NUL among them."""
    for field, text in texts_of(row):
        found = CONTROL.search(text)
        if found:
            yield Finding(field, f"holds the control character U+{ord(found[0]):04X}", "nobody writes it on purpose")


def fix_control(row: Candidate, _settings: CheckSettings) -> None:
    """Remove control characters, and the terminal's colour commands whole."""
    rewrite(row, lambda text: CONTROL.sub("", TERMINAL_ESCAPE.sub("", text)) if CONTROL.search(text) else text)


def find_invisible(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Characters without width that stand where no script needs them."""
    for field, text in texts_of(row):
        found = next(_strays(text), None) if not text.isascii() else None
        # A soft hyphen is also what half of an `í` becomes in the wrong encoding.
        if found and not (found[0] == SOFT_HYPHEN and any(is_mojibake(line) for line in text.split("\n"))):
            what = f"holds the invisible U+{ord(found[0]):04X}"
            yield Finding(field, what, "words that look equal would become unequal tokens")


def fix_invisible(row: Candidate, _settings: CheckSettings) -> None:
    """Remove those that don't belong."""
    rewrite(row, _without_strays)


def _without_strays(text: str) -> str:
    pieces, at = [], 0
    for stray in _strays(text):
        pieces.append(text[at : stray.start()])
        at = stray.end()
    return "".join([*pieces, text[at:]])


def _strays(text: str) -> Iterator[re.Match[str]]:
    is_right_to_left = None
    for match in INVISIBLE.finditer(text):
        if is_right_to_left is None:
            is_right_to_left = bool(RIGHT_TO_LEFT.search(text))
        if not _belongs(match, text, is_right_to_left):
            yield match


def _belongs(match: re.Match[str], text: str, is_right_to_left: bool) -> bool:
    sign = match[0]
    before, after = text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
    if sign in JOINERS:
        is_emoji = sign == "\u200d" and EMOJI.match(before) and EMOJI.match(after)
        return bool(is_emoji or JOINING.match(before) or JOINING.match(after))
    if sign == ZERO_WIDTH_SPACE:
        return bool(SPACELESS.match(before) or SPACELESS.match(after))
    if sign in OVERRIDES:
        return False
    if sign >= FIRST_TAG:
        return BLACK_FLAG in text[max(0, match.start() - LONGEST_FLAG) : match.start()]
    return sign not in ZERO_WIDTH and is_right_to_left


CHECKS = (
    RowCheck(
        "control_characters",
        "Control characters",
        "NUL and other signs that steer terminals and printers, often left by copying from a terminal or a PDF. They "
        "break programs and teach nothing; fixing removes them.",
        "quality",
        "keep",
        "removes them",
        find_control,
        fix_control,
    ),
    RowCheck(
        "invisible_characters",
        "Invisible characters",
        "Zero-width spaces, byte order marks, direction marks and the like where the script needs none. Words that "
        "look equal become different tokens, and text can be hidden in them; fixing removes them.",
        "quality",
        "keep",
        "removes them",
        find_invisible,
        fix_invisible,
    ),
)
