"""Numbers with a structure of their own: payment cards, bank accounts (IBAN), addresses of the internet protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address

from datasets_src.checks.private.span import Span, Stretch

# In groups of 4-4-4-4, 4-6-5 or 4-6-4 digits that are no part of a longer row of such groups, or in one piece.
CARD = re.compile(
    r"(?<![\w+.-])(?<![0-9]{4}[ ])(?:[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?![ -][0-9]{4}(?![0-9]))|"
    r"[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}|[0-9]{13,19})(?!\w|[.-][0-9])"
)
# Issuer's prefix, and the lengths that its cards have: Visa, Mastercard, American Express, Discover, Diners Club, JCB,
# UnionPay, Mir, Maestro.
ISSUERS = tuple(
    (re.compile(prefix), lengths)
    for prefix, lengths in (
        ("4", (16, 19)),
        ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
        ("3[47]", (15,)),
        ("6011|64[4-9]|65", (16, 19)),
        ("30[0-5]|3095|36|3[89]", (14, 16)),
        ("35(?:2[89]|[3-8])", (16, 19)),
        ("62", (16, 17, 18, 19)),
        ("220[0-4]", (16,)),
        ("5018|5020|5038|5893|6304|6759|676[1-3]", (16, 18, 19)),
    )
)
# Visa gave out cards of 13 digits long ago. Without a word for it, such a number is an article's or a sum.
OLD_VISA = 13
CARD_WORD = re.compile(r"\b(?:visa|card|credit|karte)\b", re.IGNORECASE)

IBAN_START = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})[0-9]{2}(?=[ -]?[A-Z0-9])")
# Characters of an IBAN by country (SWIFT's IBAN registry).
_LENGTHS = (
    "15:NO 16:BE 18:DK,FI,FO,GL,NL,SD,FK 19:MK,SI 20:AT,BA,EE,KZ,LT,LU,XK,MN 21:CH,CR,HR,LI,LV "
    "22:BG,BH,DE,GB,GE,IE,ME,RS,VA 23:AE,GI,IL,IQ,OM,TL,SO 24:AD,CZ,ES,MD,PK,RO,SA,SE,SK,TN,VG "
    "25:LY,PT,ST 26:IS,TR 27:FR,GR,IT,MC,MR,SM,BI,DJ 28:AL,AZ,BY,CY,DO,GT,HU,LB,NI,PL,SV 29:BR,EG,PS,QA,UA "
    "30:JO,KW,MU,YE 31:MT,SC 32:LC 33:RU"
)
IBAN_LENGTHS = {
    country: int(length)
    for length, countries in (group.split(":") for group in _LENGTHS.split())
    for country in countries.split(",")
}

IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.\w)")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{3,4}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])")
# Name servers that everybody uses tell of nobody.
PUBLIC_SERVERS = frozenset(
    (
        "8.8.8.8",
        "8.8.4.4",
        "1.1.1.1",
        "1.0.0.1",
        "9.9.9.9",
        "149.112.112.112",
        "208.67.222.222",
        "208.67.220.220",
        "4.2.2.2",
    )
)
# Before a version, a section, or one of a row of decimal fractions: four numbers are as often these as an address.
NUMBERED = re.compile(
    r"(?:\b(?:version|release|ver|rev|revision|build|firmware|driver|section|chapter|clause|article|paragraph|"
    r"figure|table|"
    r"patch|sdk|oid|(?:up|down)grad\w+ to|updat\w+ to|rule|appendix|part|no|step|item)s?\b|\bv|§|№|"
    r"\.[0-9]+)[.:#]?[ \t]*(?:[\w.]+ (?:and|to|or|–|-) )?\Z",
    re.IGNORECASE,
)
NETWORK_WORD = re.compile(
    r"\b(?:ip|host|server|address|ssh|ping|subnet|dns|connect\w*|login|client)\b|//$|@$", re.IGNORECASE
)
SMALL = 32
LOOK_BACK = 40
SEEN_BEHIND = 8


def _within(pattern: re.Pattern[str], text: str, stretches: list[Stretch]) -> Iterator[re.Match[str]]:
    """Matches inside the stretches; what stands around them is seen by the pattern."""
    for stretch in stretches:
        yield from pattern.finditer(text, stretch.start, min(len(text), stretch.end + SEEN_BEHIND))


def cards(text: str, stretches: list[Stretch]) -> Iterator[Span]:
    """Payment cards: an issuer's prefix and length, and a right check digit."""
    for match in _within(CARD, text, stretches):
        digits = re.sub(r"\D", "", match[0])
        if _is_issued(digits, text, match) and luhn(digits):
            yield Span(match.start(), match.end(), "card_number", digits)


def _is_issued(digits: str, text: str, match: re.Match[str]) -> bool:
    if len(digits) == OLD_VISA:
        before = text[max(0, match.start() - LOOK_BACK) : match.start()]
        return digits[0] == "4" and bool(CARD_WORD.search(before))
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in ISSUERS)


def luhn(digits: str) -> bool:
    """Whether the last digit is right by Luhn's formula (ISO/IEC 7812-1, annex B)."""
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(digit), 10)) for digit in even)) % 10 == 0


def ibans(text: str, _stretches: list[Stretch]) -> Iterator[Span]:
    """Bank accounts: a country's length and a right check number (ISO 13616)."""
    for start in IBAN_START.finditer(text):
        length = IBAN_LENGTHS.get(start[1])
        match = _account(length).match(text, start.start()) if length else None
        value = re.sub("[ -]", "", match[0]) if match else ""
        if match and int("".join(str(int(sign, 36)) for sign in value[4:] + value[:4])) % 97 == 1:
            yield Span(match.start(), match.end(), "iban", value)


@lru_cache
def _account(length: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Z0-9](?:[ -]?[A-Z0-9]){{{length - 1}}}(?![A-Za-z0-9])")


def addresses(text: str, stretches: list[Stretch]) -> Iterator[Span]:
    """IPv4 addresses that can be reached from anywhere; not those of home networks and of examples, nor versions."""
    for match in _within(IPV4, text, stretches):
        if _is_public(match[0]) and not _is_version(match, text):
            yield Span(match.start(), match.end(), "ip_address", match[0])


def _is_version(match: re.Match[str], text: str) -> bool:
    before = text[max(0, match.start() - LOOK_BACK) : match.start()]
    if NUMBERED.search(before):
        return True
    small = all(int(part) < SMALL for part in match[0].split("."))
    return small and not NETWORK_WORD.search(before)


def ipv6_addresses(text: str) -> Iterator[Span]:
    """IPv6 addresses that can be reached from anywhere."""
    for match in IPV6.finditer(text):
        if _is_public(match[0]) and any(sign.isdigit() for sign in match[0]):
            yield Span(match.start(), match.end(), "ip_address", match[0].lower())


def _is_public(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and text not in PUBLIC_SERVERS
