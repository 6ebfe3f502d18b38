"""Telephone numbers. Unmistakable ways of writing them are taken as they are, others only after a word like "
"`phone`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datasets_src.checks.private.span import Span, Stretch

# Country codes (ITU-T E.164); +1 has a form of its own.
_COUNTRY = (
    r"(?:7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|"
    r"(?:2[1-69]|3[578]|42|5[09]|6[789]|8[0578]|9[679])[0-9])"
)
_GROUPS = r"(?:[ .\-/]{0,3}\(?[0-9]++\)?){1,7}+"
_EXTENSION = r"(?: ?(?:x|#|ext\.?|extension) ?[0-9]{1,5})?"
_START = r"(?<![\w+#])(?<![0-9][.,:/-])(?<!\w[/-])"
_END = r"(?![\w]|[.,:/][0-9]|-\w)"
# A number in groups with spaces is one only where the row of groups ends with it.
_SPACED_START = _START + r"(?<![0-9][ ])"
_SPACED_END = _END + r"(?![ ][0-9])"
CERTAIN = re.compile(
    "|".join(
        (
            rf"(?<![\w+])\+1[ .-]{{0,2}}\(?[2-9][0-9]{{2}}\)?[ .-]{{0,2}}[0-9]{{3}}[ "
            rf".-]?[0-9]{{4}}{_EXTENSION}{_END}",
            rf"(?<![\w+])\+{_COUNTRY}{_GROUPS}{_EXTENSION}{_END}",
            rf"{_SPACED_START}00[ -]?{_COUNTRY}(?=[ .\-/(]){_GROUPS}{_EXTENSION}{_END}",
            # North America, with brackets, hyphens or dots.
            rf"{_START}(?:1[ .-])?\([2-9][0-9]{{2}}\)[ .-]?[0-9]{{3}}[ .-]?[0-9]{{4}}{_EXTENSION}{_END}",
            rf"{_START}(?:(?:00)?1[.-])?[1-9][0-9]{{2}}-[0-9]{{3}}-[0-9]{{4}}{_EXTENSION}{_END}",
            rf"{_START}(?:1\.)?[2-9][0-9]{{2}}\.[0-9]{{3}}\.[0-9]{{4}}{_EXTENSION}{_END}",
            # A leading 0: most of Europe, Asia and Oceania.
            rf"{_SPACED_START}0[1-9](?:[ .-][0-9]{{2}}){{4}}{_SPACED_END}",
            rf"{_SPACED_START}0[1-9][0-9]{{0,3}} ?/ ?[0-9]{{5,9}}{_SPACED_END}",
            rf"{_SPACED_START}0[1-9][0-9]{{0,3}}(?:[ -][0-9]{{3,9}}){{1,3}}{_SPACED_END}",
            rf"{_SPACED_START}0[1-9][0-9]{{1,2}}(?:[ -][0-9]{{2,4}}){{3,4}}{_SPACED_END}",
            rf"{_SPACED_START}0[1-9][0-9]?-[0-9]{{2,3}} [0-9]{{2}} [0-9]{{2}}{_SPACED_END}",
            rf"{_SPACED_START}0[1-9][0-9]{{1,2}}(?:\.[0-9]{{3,4}}){{2}}{_SPACED_END}",
            rf"{_SPACED_START}\(0[1-9][0-9]{{0,3}}\)(?:[ .-]?[0-9]{{3,8}}){{1,3}}{_SPACED_END}",
            # Brazil, Russia, China, Spain.
            rf"{_START}\([1-9][0-9]\) ?9[0-9]{{4}}-[0-9]{{4}}{_END}",
            rf"{_START}(?:8[ -]?)?\([3-9][0-9]{{2}}\) ?[0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}{_END}",
            rf"{_SPACED_START}8[ -]9[0-9]{{2}}[ -][0-9]{{3}}[ -][0-9]{{2}}[ -][0-9]{{2}}{_SPACED_END}",
            rf"{_START}1[3-9][0-9]([ -])[0-9]{{4}}\1[0-9]{{4}}{_SPACED_END}",
            rf"{_SPACED_START}[679][0-9]{{2}}(?: [0-9]{{2}}){{3}}{_SPACED_END}",
        )
    )
)
CUED = re.compile(
    r"(?:\b(?:(?:tele)?phone|tel|mobile|cell|fax|whatsapp|hotline|call (?:me|us|him|her|them)|text me|telefon|handy|"
    r"mobil|t[ée]l[ée]phone|tel[ée]fono?e?|m[óo]vil|celular|portable|тел(?:ефон)?)|电话|手机|電話|携帯|전화)\.?"
    r"(?:\s?(?:number|no|nr|nummer|num[ée]ro|号码|番号|번호)\.?)?\s?(?:is|at|on|under|:|=|：|#)?:?\s{0,2}"
    rf"(\+?\(?[0-9][0-9 ().\-/]{{5,18}}[0-9]){_EXTENSION}{_END}",
    re.IGNORECASE,
)
# What has the same shape: dates, American postal codes and employers' numbers, and a gain grouped in thousands.
OTHER = re.compile(
    r"(?:(?:19|20)[0-9]{2}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./][0-9]{1,2}[-./](?:19|20)[0-9]{2})(?![0-9])|"
    r"(?:[0-9]{5}-[0-9]{4}|[0-9]{2}-[0-9]{7}|\+[0-9]{1,3}(?:[ .][0-9]{3}){2})\Z"
)
FEWEST_DIGITS, MOST_DIGITS = 8, 15
# With 00 before the country; and with an extension behind the number.
FEWEST_ABROAD, MOST_EXTENDED = 10, 20
FEWEST_AFTER_WORD = 7
# A plus or a bracket, a word with its preposition, and an extension: what belongs to a number outside its digits.
SIGNS_BEFORE, LONGEST_CUE, SEEN_BEHIND = 2, 40, 16


def phones(text: str, stretches: list[Stretch]) -> Iterator[Span]:
    """Telephone numbers in order."""
    found = {}
    for start, end in stretches:
        if sum(map(str.isdigit, text[start:end])) < FEWEST_AFTER_WORD - 1:
            continue
        for match in CERTAIN.finditer(text, max(0, start - SIGNS_BEFORE), end + SEEN_BEHIND):
            if _is_number(match[0], FEWEST_DIGITS):
                found[match.span()] = match[0]
        for match in CUED.finditer(text, max(0, start - LONGEST_CUE), end + SEEN_BEHIND):
            if _is_number(match[1], FEWEST_AFTER_WORD):
                found[match.span(1)] = match[1]
    for (start, end), number in sorted(found.items()):
        yield Span(start, end, "phone", re.sub("[^0-9+]", "", number))


def _is_number(text: str, fewest: int) -> bool:
    digits = sum(sign.isdigit() for sign in text)
    fewest = FEWEST_ABROAD if text.startswith("00") else fewest
    most = MOST_EXTENDED if "x" in text or "#" in text else MOST_DIGITS
    return fewest <= digits <= most and not OTHER.match(text)
