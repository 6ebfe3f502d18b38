"""Refusals and boilerplate in the answers that the model is to give. The phrases are in phrases.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.phrases import CLOSERS, LEAD, LEFTOVERS, OPENERS, REFUSALS
from datasets_src.checks.texts import said_to_be_learned
from datasets_src.rows import Candidate, Finding


def _any_of(phrases: Sequence[str], before: str = "", after: str = "") -> re.Pattern[str]:
    pattern = f"{before}(?:{'|'.join(phrases)}){after}".replace("'", "['’‘`]")
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


REFUSAL = _any_of(REFUSALS, before=LEAD)
OPENER = _any_of(OPENERS, before=r"\s*")
CLOSER = _any_of(CLOSERS, before=r"[\s*_]*", after=r"[^.!?\n。！？]{0,160}[\W_]*\Z")
LEFTOVER = tuple((word, _any_of((phrase,))) for word, phrase in LEFTOVERS.items())
SENTENCE_ENDS = ".!?…:)]”»\n。！？"
SENTENCE_END = re.compile(r"[.!?。！？](?=\s|\Z)|[。！？]|\n")
# A refusal may come after a short first sentence, such as a greeting.
SHORT_SENTENCE = re.compile(r"[^.!?。！？\n]{1,70}[.!?。！？]\s+")
TAIL = 400


def find_refusals(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Answers that begin by refusing. Text that only talks of refusing does not begin with one."""
    for turn in said_to_be_learned(row):
        if turn.role == "assistant":
            text = turn.text[:TAIL].lstrip()
            first = SHORT_SENTENCE.match(text)
            found = REFUSAL.match(text) or (REFUSAL.match(text, first.end()) if first else None)
            if found:
                shown = found[0].strip()
                yield Finding(turn.field, f"begins “{shown}…”", "the model would learn to refuse such questions")


def find_boilerplate(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Empty openers and closers, sentences about the model's training, remains of web pages."""
    for turn in said_to_be_learned(row):
        found = _boilerplate(turn.text, turn.role == "assistant")
        if found:
            shown = " ".join(found[0].split())[:60]
            yield Finding(turn.field, f"says “{shown}”", "it carries nothing, and the model would learn to say it")


def _boilerplate(text: str, is_answer: bool) -> re.Match[str] | None:
    if is_answer:
        found = OPENER.match(text) or _closer(text)
        if found:
            return found
    return _leftover(text)


def _closer(text: str) -> re.Match[str] | None:
    """The closer that the last sentence is, if it is one."""
    sentence = text.rstrip(SENTENCE_ENDS + " *_(")
    return CLOSER.match(text, max(map(sentence.rfind, SENTENCE_ENDS)) + 1)


def _leftover(text: str) -> re.Match[str] | None:
    lower = text.lower()
    if not any(map(lower.__contains__, LEFTOVERS)):
        return None
    matches = (pattern.search(text) for word, pattern in LEFTOVER if word in lower)
    return next((match for match in matches if match), None)


def fix_boilerplate(row: Candidate, _settings: CheckSettings) -> None:
    """Remove these sentences wherever something is left of the answer."""
    for turn in said_to_be_learned(row):
        text = _without_boilerplate(turn.text, turn.role == "assistant")
        if text.strip():
            turn.message["content"] = text


def _without_boilerplate(text: str, is_answer: bool) -> str:
    while found := _boilerplate(text, is_answer):
        if is_answer and found.re is OPENER:
            rest = text[found.end() :]
        elif found.re is CLOSER:
            rest = text[: found.start()].rstrip()
        else:
            rest = _without_sentence(text, found)
        if not rest.strip():
            return rest
        text = rest
    return text


def _without_sentence(text: str, found: re.Match[str]) -> str:
    start = max((end.end() for end in SENTENCE_END.finditer(text, 0, found.start())), default=0)
    end = SENTENCE_END.search(text, max(found.end() - 1, start))
    before, after = text[:start], text[end.end() if end else len(text) :]
    return before + (after if before.strip() else after.lstrip(" "))


CHECKS = (
    RowCheck(
        "refusal",
        "Refusals",
        "Answers that begin with “I'm sorry, but I can't …” or “As an AI language model …”. A few teach a model "
        "where to "
        "stop; many teach it to refuse what it could do. Preference pairs are judged by their chosen answer.",
        "quality",
        "keep",
        find=find_refusals,
    ),
    RowCheck(
        "boilerplate",
        "Boilerplate",
        "“Certainly! Here is …”, “I hope this helps!”, training cut-offs, cookie notices and calls to subscribe. "
        "They "
        "carry nothing, and the model would say them everywhere; fixing removes the sentences where an answer "
        "remains.",
        "quality",
        "keep",
        "removes the sentences",
        find_boilerplate,
        fix_boilerplate,
    ),
)
