"""Encoding damage: text that was read in the wrong encoding, characters that were lost or cut in half.

Mojibake is told and mended by ftfy, behind a cheap test that nearly all sound text fails. What ftfy leaves alone is
mended where a whole line becomes sound (Cyrillic, Central European and Macintosh encodings), or most of a stretch of
Chinese (UTF-8 read as GB18030, which loses some characters on the way: these become �).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.texts import rewrite, texts_of
from datasets_src.rows import Candidate, Finding


def _class(codecs: tuple[str, ...], first: int, last: int) -> str:
    """A regular expression for the characters that the bytes stand for in any of the encodings."""
    signs = {bytes([byte]).decode(codec, "ignore") for codec in codecs for byte in range(first, last + 1)}
    return "[" + re.escape("".join(sorted(signs))) + "]"


CODECS = ("latin-1", "cp1252", "cp1250", "cp1251")
# What the commonest Chinese and Japanese signs become where their UTF-8 is read as GB18030; these are rarely written.
CHINESE = "[锛銆鐨鏄涓浠鎴鍦銇銈璇绋鑳鍙鏃鐑]"
SUSPECT_CHINESE = re.compile(CHINESE)
# Chinese itself, taken for such a misreading, gives more lost characters than this.
MOST_LOST, SHORTEST_RUN = 0.5, 4
# What UTF-8's first and second byte of a character look like where it was read as another encoding. Of Mac OS Roman
# only the first bytes of Latin letters and of quotation marks: others are what French writes, as in `l’é`.
SUSPECT = re.compile(
    f"{_class(CODECS, 0xC2, 0xF4)}{_class(CODECS, 0x80, 0xBF)}|[√¬≈ƒ‚]{_class(('mac_roman',), 0x80, 0xBF)}"
    f"|[\x80-\x9f]|锟斤拷|{CHINESE}"
)
# `est√°`: nobody writes a root after a letter.
MACINTOSH = re.compile("[A-Za-z]√")
OUTSIDE_ASCII = re.compile("[^\x00-\x7f]+")
LOST = "\ufffd"


def find_broken(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Halves of characters that UTF-16 writes in two (surrogates)."""
    for field, text in texts_of(row):
        if not text.isascii() and _is_broken(text):
            yield Finding(field, "holds half a character", "no file of text can hold it (an unpaired surrogate)")


def fix_broken(row: Candidate, _settings: CheckSettings) -> None:
    """Join halves that belong together, remove the others."""
    rewrite(row, _joined)


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore") if _is_broken(text) else text


def find_mojibake(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Text whose bytes were read in another encoding than they were written in, such as `Ã©` for `é`."""
    for field, text in texts_of(row):
        if not text.isascii() and SUSPECT.search(text):
            broken = next((line for line in text.split("\n") if is_mojibake(line)), None)
            if broken is not None:
                yield Finding(
                    field, f"reads “{_excerpt(broken)}”", "it was read in another encoding than it was written in"
                )


def fix_mojibake(row: Candidate, _settings: CheckSettings) -> None:
    """Read the text again in the right encoding, where that can be told."""
    rewrite(row, lambda text: "\n".join(_reread(line) for line in text.split("\n")) if SUSPECT.search(text) else text)


def is_mojibake(line: str) -> bool:
    """Whether reading the line in another encoding makes it sound."""
    return "锟斤拷" in line or _reread(line) != line


def _excerpt(line: str) -> str:
    found = SUSPECT.search(line)
    start = found.start() if found else 0
    return line[max(0, start - 10) : start + 20].strip()


def _reread(line: str) -> str:
    if not SUSPECT.search(line) or _is_broken(line):
        return line
    from ftfy import fix_encoding
    from ftfy.fixes import fix_c1_controls

    fixed: str = fix_encoding(line)
    if fixed == line:
        fixed = _reread_whole(line)
    sound: str = fix_c1_controls(fixed)
    return sound.removeprefix("\ufeff") if fixed != line else sound


def _reread_whole(line: str) -> str:
    """The line where everything outside ASCII, in at least two places (or after a letter), is UTF-8 in another "
    "encoding's characters."""
    runs = OUTSIDE_ASCII.findall(line)
    if any(len(run) == 1 for run in runs):
        return line
    codecs = ("cp1251", "cp1250", "mac_roman") if len(runs) > 1 else ("mac_roman",) if MACINTOSH.search(line) else ()
    for codec in codecs:
        try:
            return line.encode(codec).decode("utf-8")
        except UnicodeError:
            continue
    return OUTSIDE_ASCII.sub(lambda run: _reread_chinese(run[0]), line)


def _reread_chinese(run: str) -> str:
    if len(run) < SHORTEST_RUN or not SUSPECT_CHINESE.search(run):
        return run
    read = run.encode("gb18030", "ignore").decode("utf-8", "replace")
    return read if read.count(LOST) <= MOST_LOST * len(read) else run


def find_lost(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Replacement characters, which stand where a program met bytes that it could not read."""
    for field, text in texts_of(row):
        if LOST in text:
            yield Finding(field, f"has lost {text.count(LOST)} characters (�)", "what stood there can't be known")


CHECKS = (
    RowCheck(
        "broken_characters",
        "Halves of characters",
        "Half of a character that UTF-16 writes in two, mostly of an emoji, left by a program that cut text in the "
        "wrong place. No file can hold it; fixing joins halves that belong together and removes the others.",
        "structure",
        "stop",
        "joins or removes them",
        find_broken,
        fix_broken,
    ),
    RowCheck(
        "mojibake",
        "Text in the wrong encoding",
        "Letters such as Ã© where é is meant: the text was read in another encoding than it was written in. The "
        "model "
        "would learn to write that; fixing restores the letters.",
        "quality",
        "keep",
        "restores the letters",
        find_mojibake,
        fix_mojibake,
    ),
    RowCheck(
        "lost_characters",
        "Lost characters",
        "The sign � stands where a program could not read a character. What was there is lost, so the rows can "
        "only be "
        "dropped, kept, or taken anew from their source.",
        "quality",
        "keep",
        find=find_lost,
    ),
)
