"""Made-up private data in the many forms in which people write it, and sentences to put it in."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable

Maker = Callable[[random.Random], str]

FIRST = ("anna", "bruno", "chidi", "deepa", "elif", "farid", "greta", "hiro", "ines", "joao", "kofi", "m", "o'brien")
LAST = ("meyer", "silva", "okafor", "tanaka", "nowak", "smith", "haddad", "olsen", "garcia", "lee", "vdberg")
HOSTS = (
    *("gmail.com", "yahoo.co.uk", "web.de", "orange.fr", "mail.ru", "qq.com", "uol.com.br", "outlook.com", "proton.me"),
    *("cs.stanford.edu", "acme-tools.io", "my.firm.biz", "gov.sk", "rocketmail.com", "firma.com.pl", "startup.ai"),
)


def _number(rng: random.Random, count: int, first: str = "0123456789") -> str:
    return rng.choice(first) + "".join(rng.choice(string.digits) for _ in range(count - 1))


def _letters(rng: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


def email(rng: random.Random) -> str:
    first, last, host = rng.choice(FIRST), rng.choice(LAST), rng.choice(HOSTS)
    plain = rng.choice(
        (
            f"{first}.{last}@{host}",
            f"{first}{rng.randint(1, 99)}@{host}",
            f"{first}_{last}+news@{host}",
            f"{last}-{first}@{host}",
            f"{first.upper()}@{host.upper()}",
            f"{first[0]}{last}@mail.{host}",
            f"{first}@bücher-{last}.de",
        )
    )
    local, _, domain = plain.partition("@")
    return rng.choices(
        (
            plain,
            f"<{plain}>",
            f"mailto:{plain}",
            f"[{plain}](mailto:{plain})",
            f"“{plain}”",
            f"{local} [at] {domain.replace('.', ' [dot] ')}",
            f"{local}(at){domain}",
        ),
        (60, 10, 8, 5, 5, 4, 4),
    )[0]


def phone(rng: random.Random) -> str:
    area = _number(rng, 1, "23456789") + _number(rng, 2)
    exchange, line = _number(rng, 1, "23456789") + _number(rng, 2), _number(rng, 4)
    pairs = [_number(rng, 2) for _ in range(4)]
    forms = (
        f"+1 {area} {exchange} {line}",
        f"+1-{area}-{exchange}-{line}",
        f"+1{area}{exchange}{line}",
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"1-800-{exchange}-{line}",
        f"+44 20 7{_number(rng, 3)} {_number(rng, 4)}",
        f"+44 (0)20 7{_number(rng, 3)} {_number(rng, 4)}",
        f"020 7{_number(rng, 3)} {_number(rng, 4)}",
        f"07{_number(rng, 3)} {_number(rng, 6)}",
        f"0161 {_number(rng, 3)} {_number(rng, 4)}",
        "+33 6 " + " ".join(pairs),
        "06 " + " ".join(pairs),
        "01." + ".".join(pairs),
        f"+49 30 {_number(rng, 7)}",
        f"0049 30 {_number(rng, 7)}",
        f"+49 (0) 171 / {_number(rng, 7)}",
        f"030 {_number(rng, 8)}",
        f"0171/{_number(rng, 7)}",
        f"(089) {_number(rng, 6)}",
        f"089-{_number(rng, 7)}",
        f"+91-9{_number(rng, 4)}-{_number(rng, 5)}",
        f"+91 9{_number(rng, 9)}",
        f"+55 (11) 9{_number(rng, 4)}-{_number(rng, 4)}",
        f"(11) 9{_number(rng, 4)}-{_number(rng, 4)}",
        f"+81-3-{_number(rng, 4)}-{_number(rng, 4)}",
        f"090-{_number(rng, 4)}-{_number(rng, 4)}",
        f"+86 138 {_number(rng, 4)} {_number(rng, 4)}",
        f"138-{_number(rng, 4)}-{_number(rng, 4)}",
        f"0412 {_number(rng, 3)} {_number(rng, 3)}",
        f"(02) 9{_number(rng, 3)} {_number(rng, 4)}",
        f"+34 612 {_number(rng, 2)} {_number(rng, 2)} {_number(rng, 2)}",
        f"+7 (495) {_number(rng, 3)}-{_number(rng, 2)}-{_number(rng, 2)}",
        f"+971 50 {_number(rng, 3)} {_number(rng, 4)}",
        f"+{rng.choice(('254', '234', '351', '420', '972'))}{_number(rng, 9, '123456789')}",
        f"({area}) {exchange}-{line} ext. {_number(rng, 3)}",
        f"tel:+1-{area}-{exchange}-{line}",
    )
    return rng.choice(forms)


def ip_address(rng: random.Random) -> str:
    four = f"{rng.choice((5, 23, 45, 62, 77, 83, 91, 104, 142, 185, 212))}." + ".".join(
        str(rng.randint(1, 254)) for _ in range(3)
    )
    groups = ["2a02", f"{rng.randint(256, 65000):x}", *(f"{rng.randint(1, 65000):x}" for _ in range(6))]
    return rng.choice(
        (
            four,
            four,
            f"{four}:8080",
            f"http://{four}/admin",
            f"[{four}]",
            f"{four}/32",
            ":".join(groups),
            f"2a00:1450:{groups[2]}::{groups[3]}",
            f"[2001:470:{groups[1]}::1]:443",
            ":".join(groups).upper(),
        )
    )


def _with_check_digit(body: str) -> str:
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(body)))
    return body + str(-total % 10)


OLD_VISA = 13
ISSUERS = (
    *(("4", 16), ("4", 16), ("4", 13), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15)),
    *(("6011", 16), ("65", 16), ("3056", 14), ("36", 14), ("3530", 16), ("62", 16)),
)


def card_number(rng: random.Random) -> str:
    prefix, length = rng.choice(ISSUERS)
    digits = _with_check_digit(prefix + _number(rng, length - 1 - len(prefix)))
    sizes = {16: (4, 4, 4, 4), 15: (4, 6, 5), 14: (4, 6, 4), 13: (13,)}[length]
    parts, at = [], 0
    for size in sizes:
        parts.append(digits[at : at + size])
        at += size
    return rng.choice((digits, " ".join(parts), "-".join(parts)))


def iban(rng: random.Random) -> str:
    country, body = rng.choice(
        (
            ("DE", _number(rng, 18)),
            ("GB", _letters(rng, 4, string.ascii_uppercase) + _number(rng, 14)),
            ("FR", _number(rng, 23)),
            ("NL", "INGB" + _number(rng, 10)),
            ("ES", _number(rng, 20)),
            ("CH", _number(rng, 17)),
            ("PL", _number(rng, 24)),
            ("NO", _number(rng, 11)),
            ("IT", "X" + _number(rng, 22)),
        )
    )
    check = 98 - int("".join(str(int(sign, 36)) for sign in body + country + "00")) % 97
    text = f"{country}{check:02}{body}"
    spaced = " ".join(text[i : i + 4] for i in range(0, len(text), 4))
    return rng.choice((text, spaced, spaced))


def secret(rng: random.Random) -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    word = (
        _letters(rng, 3, string.ascii_lowercase).capitalize() + _letters(rng, 3) + rng.choice("!#%&") + _number(rng, 4)
    )
    pem = "\n".join(_letters(rng, 64) for _ in range(4))
    kind = rng.choice(("RSA ", "EC ", "OPENSSH ", ""))
    upper = string.ascii_uppercase + string.digits
    forms = (
        "AKIA" + _letters(rng, 16, string.ascii_uppercase + "234567"),
        f"aws_secret_access_key = {_letters(rng, 40)}",
        f"ghp_{_letters(rng, 36)}",
        f"github_pat_{_letters(rng, 22)}_{_letters(rng, 59)}",
        f"xoxb-{_number(rng, 12)}-{_number(rng, 12)}-{_letters(rng, 24)}",
        f"https://hooks.slack.com/services/T{_letters(rng, 8, upper)}/B{_letters(rng, 8, upper)}/{_letters(rng, 24)}",
        f"sk-{_letters(rng, 48)}",
        f"sk-proj-{_letters(rng, 40)}-{_letters(rng, 20)}",
        f"sk-ant-api03-{_letters(rng, 60)}",
        f"AIza{_letters(rng, 35)}",
        f"hf_{_letters(rng, 34, string.ascii_letters)}",
        f"glpat-{_letters(rng, 20)}",
        f"sk_live_{_letters(rng, 24)}",
        f"SG.{_letters(rng, 22)}.{_letters(rng, 43)}",
        f"npm_{_letters(rng, 36)}",
        ".".join((part({"alg": "HS256", "typ": "JWT"}), part({"sub": _number(rng, 9)}), _letters(rng, 43))),
        f"-----BEGIN {kind}PRIVATE KEY-----\n{pem}\n-----END {kind}PRIVATE KEY-----",
        f"Authorization: Bearer {_letters(rng, 40)}",
        f"curl -H 'X-Api-Key: {_letters(rng, 32)}' https://api.service.io",
        f'api_key="{_letters(rng, 32)}"',
        f"API_KEY={_letters(rng, 24, string.hexdigits.lower())}{rng.randint(10, 99)}a",
        f"apiKey: '{_letters(rng, 30)}'",
        f'"client_secret": "{_letters(rng, 36)}"',
        f"password = '{word}'",
        f"password: {word}",
        f"the password is {word}",
        f"DB_PASSWORD={word}",
        f"postgres://admin:{word.replace('#', 'x').replace('%', 'y')}@db.internal:5432/app",
        f"bot token {_number(rng, 10, '123456789')}:AA{_letters(rng, 33)}",
    )
    return rng.choice(forms)


SENTENCES: dict[str, tuple[str, ...]] = {
    "email": ("Write to {}.", "Contact: {}", "you can reach me under {}, thanks", "E-Mail {} (work)", "cc {};", "{}"),
    "phone": ("Call me at {}.", "Tel. {}", "my number is {}, after six", "({}) is the front desk", "Phone: {}", "{}"),
    "ip_address": ("The request came from {}.", "ssh root@{}", "host {} is down", "IP: {}", "block {}, please", "{}"),
    "card_number": ("Charge {} please.", "card no. {}", "My card {} expires 09/27.", "Visa: {}", "{}"),
    "iban": ("Transfer it to {}.", "IBAN: {}", "my account {}, thanks", "{}"),
    "secret": ("Use this: {}", "{}", "Here you go:\n{}\nDon't share it.", "config:\n{}\n"),
}
MAKERS: dict[str, Maker] = {
    "email": email,
    "phone": phone,
    "ip_address": ip_address,
    "card_number": card_number,
    "iban": iban,
    "secret": secret,
}


def private_sentence(kind: str, rng: random.Random) -> str:
    """A sentence that gives away something of the kind."""
    while True:
        sentence = rng.choice(SENTENCES[kind])
        value = MAKERS[kind](rng)
        # Some frames don't suit some forms: an address with a scheme after `root@`, and a card of 13 digits (which are
        # no longer given out) where nothing says that it is one.
        unfit = sentence.startswith("ssh") and not value[0].isdigit()
        nameless = (
            kind == "card_number" and len(value) == OLD_VISA and "card" not in sentence and "Visa" not in sentence
        )
        if not unfit and not nameless:
            return sentence.format(value)
