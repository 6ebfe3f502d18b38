"""Which language a text is in, and rows in other languages than those wanted.

Told by py3langid (Barbaresi's fork of langid.py), which is right on nearly every text of 40 characters and more and
says how sure it is. It takes some 70 µs, so English, which most people train on, is told by its commonest words first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.texts import said_to_be_learned
from datasets_src.rows import Candidate, Finding

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# The languages that can be told apart (ISO 639-1).
_CODES = (
    "af am ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy ga gd gl gu ha he hi hr "
    "ht hu hy id "
    "ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo lt lv mg mk ml mn mr ms mt my ne nl no oc om or pa pl ps "
    "pt qu ro "
    "ru rw sa se si sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vi wa xh yo zh zu"
)
LANGUAGES = tuple(_CODES.split())
# Varieties that py3langid names apart, as the language that a person would ask for.
SAME = {"nn": "no", "nb": "no", "yue": "zh", "wuu": "zh", "arz": "ar", "ary": "ar", "uzs": "uz", "kik": "ki"}
# Languages that short texts can't be told apart in: where one is wanted, the others pass.
ALIKE = (
    ("hr", "bs", "sr", "sl"),
    ("id", "ms", "jv"),
    ("da", "no", "sv"),
    ("cs", "sk"),
    ("gl", "pt"),
    ("ca", "oc", "es"),
)
# Words that English texts are full of and texts in other languages without.
_WORDS = (
    "the and to of that with this are you have which from your they their will would there what when who been "
    "these its about "
    "can't don't it's were has should could how our we following using used create generate write explain "
    "describe example "
    "some into than also between more most people make find given into through because such other many while "
    "where her his "
    "she my not but if include including each it's any them then two three provide answer"
)
ENGLISH = frozenset(_WORDS.split())
SAMPLE = 200
FEWEST_ENGLISH, ENGLISH_SHARE = 3, 0.15
# How sure the identifier has to be for statistics, and for saying that a row is in a wrong language.
SURE, VERY_SURE = 0.4, 0.7
UNLIKELY = 0.05
FEWEST_LETTERS = 40
# A sign of these scripts says as much as several letters.
DENSE = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
DENSE_WEIGHT = 3
NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S+@\S+|^[ \t]*\|.*$", re.DOTALL | re.MULTILINE)
CODE_SIGNS, CODE_SHARE = "(){}[];=<>\\|_", 0.05


def language_of(text: str) -> str | None:
    """The language of a text (ISO 639-1), from its first few sentences; None where it can't be told."""
    sample = text[:SAMPLE]
    if _is_english(sample):
        return "en"
    if _letters(sample) < FEWEST_LETTERS // 2:
        return None
    language, sureness = _identifier().classify(sample)
    language = SAME.get(language, language)
    return language if sureness >= SURE and language in LANGUAGES else None


def _is_english(sample: str) -> bool:
    words = sample.lower().split()
    return len(ENGLISH.intersection(words)) >= FEWEST_ENGLISH and (
        sum(word in ENGLISH for word in words) >= ENGLISH_SHARE * len(words)
    )


def find_language(row: Candidate, settings: CheckSettings) -> Iterator[Finding]:
    """Rows whose answers (or, where these are short, whole text) are surely in none of the languages wanted."""
    if not settings.languages:
        return
    answers = said_to_be_learned(row) or list(row.answers())
    if "en" in settings.languages and answers and _is_english(answers[0].text[:SAMPLE]) and len(answers) == 1:
        return
    for turns in (answers, list(row.turns())):
        prose = _prose([turn.text for turn in turns])
        if prose is not None:
            language = _other_language(prose, settings.languages)
            if language:
                wanted = ", ".join(settings.languages)
                yield Finding(turns[0].field, f"is in another language ({language})", f"wanted is {wanted}")
            return


def _prose(texts: Sequence[str]) -> str | None:
    """The beginning of what is no code, address or table; None where too little of it is there to judge by."""
    prose = NOT_PROSE.sub(" ", "\n".join(text[: 4 * SAMPLE] for text in texts))[: 2 * SAMPLE]
    is_code = sum(map(prose.count, CODE_SIGNS)) > CODE_SHARE * len(prose)
    return None if is_code or _letters(prose) < FEWEST_LETTERS else prose


def _letters(text: str) -> int:
    letters = sum(map(str.isalpha, text))
    return letters if text.isascii() else letters + (DENSE_WEIGHT - 1) * len(DENSE.findall(text))


def _other_language(prose: str, wanted: Sequence[str]) -> str | None:
    """The language of the text where it is surely none of those wanted, nor one that is too much like them."""
    passing = {SAME.get(code, code) for code in wanted}
    passing.update(code for alike in ALIKE if passing.intersection(alike) for code in alike)
    if "en" in passing and _is_english(prose):
        return None
    ranked = [(SAME.get(code, code), sureness) for code, sureness in _identifier().rank(prose)]
    language, sureness = ranked[0]
    likely = math.fsum(share for code, share in ranked if code in passing)
    sure = language in LANGUAGES and sureness >= VERY_SURE and likely <= UNLIKELY
    return language if sure else None


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


CHECKS = (
    RowCheck(
        "language",
        "Other languages",
        "Rows whose answers are in none of the languages named under “Languages”. A model answers in the "
        "languages it was "
        "trained on. Short answers and code are not judged.",
        "quality",
        "keep",
        find=find_language,
    ),
)
