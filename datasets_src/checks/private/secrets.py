"""Keys, tokens and passwords: by the prefixes that services give them, and as random text after a word such as "
"`password`."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from datasets_src.checks.private.span import Span

# What has to be in the text for the pattern to be tried, and the pattern; its group 1 is the secret, if it has one.
TOKENS = tuple(
    (hint, re.compile(pattern, re.DOTALL))
    for hint, pattern in (
        ("AKIA", r"\bAKIA[0-9A-Z]{16}\b"),
        ("ASIA", r"\bASIA[0-9A-Z]{16}\b"),
        ("ghp_", r"\bghp_[A-Za-z0-9]{30,}"),
        ("gho_", r"\bgho_[A-Za-z0-9]{30,}"),
        ("ghs_", r"\bghs_[A-Za-z0-9]{30,}"),
        ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
        ("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),
        ("xox", r"\bxox[abeprs]-[A-Za-z0-9-]{20,}"),
        ("hooks.slack.com", r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"),
        ("discord", r"https://discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]{20,}"),
        ("sk-", r"\bsk-[A-Za-z0-9_-]{20,}"),
        ("_live_", r"\b[prs]k_live_[A-Za-z0-9]{16,}"),
        ("_test_", r"\b[prs]k_test_[A-Za-z0-9]{16,}"),
        ("AIza", r"\bAIza[A-Za-z0-9_-]{35}"),
        ("ya29.", r"\bya29\.[A-Za-z0-9_-]{30,}"),
        ("hf_", r"\bhf_[A-Za-z0-9]{30,}"),
        ("npm_", r"\bnpm_[A-Za-z0-9]{36}"),
        ("pypi-", r"\bpypi-[A-Za-z0-9_-]{40,}"),
        ("SG.", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
        ("eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
        (":AA", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}"),
        ("earer ", r"\b[Bb]earer ([A-Za-z0-9._~+/=-]{20,})"),
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z0-9 ]{0,20}PRIVATE KEY[A-Z ]{0,8}-----[^-]{60,}(?:-----END [A-Z0-9 ]{1,40}-----)?",
        ),
        ("://", r"://[^\s:/@]{1,64}:([^\s:/@]{3,64})@"),
    )
)
HINTS = tuple(hint for hint, _ in TOKENS)
WORD = re.compile(
    r"[Pp]ass(?:word|wd|phrase|code)|PASS(?:WORD|WD|PHRASE)|[Pp]wd|PWD|"
    r"(?:[Aa]pi|API|[Aa]ccess|ACCESS|[Ss]ecret|SECRET|[Aa]uth|AUTH|[Pp]rivate|PRIVATE|[Aa]ccount|ACCOUNT|"
    r"[Ee]ncryption|"
    r"ENCRYPTION|[Ss]igning|SIGNING|[Ss]torage|STORAGE|[Mm]aster|MASTER|[Cc]lient|CLIENT)[ _-]?(?:[Kk]ey|KEY)|"
    r"[Tt]oken|TOKEN|[Ss]ecret|SECRET|[Cc]redential"
)
WORD_HINTS = ("passw", "passphrase", "passcode", "pwd", "token", "secret", "credential")
# Nearly every text has a key point or a keyword; few have the key to an interface.
KEY_HINT = re.compile("[_-]key|(?:api|access|auth|private|account|encryption|signing|storage|master|client) ?key")
VALUE = re.compile(
    r"[\"'`\])*]{0,2}\s?(?:=>|:=|==?|:|>|\bis\b(?: now)?:?)\s?(?:\*\*)?"
    r"(?:\"([^\"\s]{8,200})\"|'([^'\s]{8,200})'|`([^`\s]{8,200})`|"
    r"([A-Za-z0-9_\-+/=.!@#$%^&*~?]{8,200})(?=[\s\"',;)\]}<]|$))"
)
ARGUMENT = re.compile(r"[ =][\"']?([A-Za-z0-9_\-+/=.!@#$%^&*~?]{8,200})")
PLACEHOLDER = re.compile(
    r"your|example|xxx|\*\*\*|\.\.\.|placeholder|change.?me|insert|dummy|sample|redacted|hidden|secret|password|"
    r"passwd|"
    r"token|api.?key|12345678|[<>{}$()\[\]]|^(?:test|env|str|none|null|true|false)",
    re.IGNORECASE,
)
CODE_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
# Bits per character (Shannon) and characters from which on a text looks random rather than spelled.
RANDOM_BITS, RANDOM_LENGTH = 3.0, 16
PASSWORD_BITS = 2.5
PATH = re.compile(r"[~.]{0,2}/")
MANY_SIGNS = 20


def secrets(text: str) -> list[Span]:
    """Secrets in order; what only stands for one (`your-api-key`) is left out."""
    found: list[Span] = []
    if any(map(text.__contains__, HINTS)):
        found += [span for hint, pattern in TOKENS if hint in text for span in _tokens(pattern, text)]
    lower = text.lower()
    if any(map(lower.__contains__, WORD_HINTS)) or ("key" in lower and KEY_HINT.search(lower)):
        found += _named(text)
    return sorted(set(found), key=lambda span: (span.start, -span.end)) if found else found


def _tokens(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        group = pattern.groups
        value = match[group]
        if not PLACEHOLDER.search(value) and (_is_password(value) if group else _is_token(value)):
            yield Span(*match.span(group), "secret", value)


def _is_token(text: str) -> bool:
    """What has a service's prefix and is not spelled out of words."""
    return any(map(str.isdigit, text)) or len(set(text)) >= MANY_SIGNS


def _named(text: str) -> Iterator[Span]:
    """Values after a word that announces a secret."""
    for word in WORD.finditer(text):
        option = text[: word.start()].endswith("--")
        match = VALUE.match(text, word.end()) or (ARGUMENT.match(text, word.end()) if option else None)
        if match is None:
            continue
        group = match.lastindex or 0
        value = match[group].rstrip(".,;:")
        bare = group == VALUE.groups
        if PLACEHOLDER.search(value) or PATH.match(value) or (bare and CODE_NAME.fullmatch(value)):
            continue
        if _is_password(value) if word[0][:2].lower() in ("pa", "pw") else _looks_random(value):
            yield Span(match.start(group), match.start(group) + len(value), "secret", value)


def _is_password(text: str) -> bool:
    """At least eight signs of three sorts (small, capital, digit, other), or random."""
    sorts = (str.islower, str.isupper, str.isdigit, lambda sign: not sign.isalnum())
    mixed = sum(any(is_sort(sign) for sign in text) for is_sort in sorts) >= 3
    return (mixed and len(text) >= 8 and entropy(text) >= PASSWORD_BITS) or _looks_random(text)


def _looks_random(text: str) -> bool:
    """Long and varied, with digits in it; one is enough among small and capital letters."""
    digits = sum(sign.isdigit() for sign in text)
    fewest = 1 if text != text.lower() and text != text.upper() else 2
    return len(text) >= RANDOM_LENGTH and fewest <= digits < len(text) and entropy(text) >= RANDOM_BITS


def entropy(text: str) -> float:
    """Shannon's entropy of the text's characters, in bits for each of them."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
