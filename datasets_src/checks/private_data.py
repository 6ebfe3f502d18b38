"""Private data: one check for each kind, so that each has a remedy of its own. Nothing is changed unless asked "
"for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.private import Kind, Span, private_spans
from datasets_src.checks.texts import rewrite, texts_of
from datasets_src.rows import Candidate, Finding

Spans = Callable[[str], tuple[Span, ...]]


@dataclass(frozen=True)
class Private:
    """The check of one kind. Findings say where something is, never what: they are written into reports and logs."""

    kind: Kind
    one: str
    many: str
    spans: Spans = private_spans

    def find(self, row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
        """Every text of the row that holds something of the kind."""
        for field, text in texts_of(row):
            spans = self.spans(text)
            found = [span for span in spans if span.kind == self.kind] if spans else ()
            if found:
                what = f"holds {self.one if len(found) == 1 else f'{len(found)} {self.many}'}"
                yield Finding(field, what, f"at character {found[0].start + 1}; the model could repeat it")

    def fix(self, row: Candidate, _settings: CheckSettings) -> None:
        """Put placeholders in their place: equal values get the same one all over the row."""
        placeholders = Placeholders(self.kind, row)

        def change(text: str) -> str:
            pieces, at = [], 0
            for span in self.spans(text):
                if span.kind == self.kind:
                    pieces += [text[at : span.start], placeholders.of(span.value)]
                    at = span.end
            return "".join([*pieces, text[at:]])

        rewrite(row, change)


class Placeholders:
    """`[EMAIL_1]`, `[EMAIL_2]` … for the values of one row; numbers that stand in the row already are passed over."""

    def __init__(self, kind: Kind, row: Candidate) -> None:
        self.name = kind.upper()
        pattern = re.compile(rf"\[{self.name}_([0-9]{{1,6}})\]")
        used = [int(number) for _, text in texts_of(row) for number in pattern.findall(text)]
        self.first = max(used, default=0) + 1
        self.numbers: dict[str, int] = {}

    def of(self, value: str) -> str:
        number = self.numbers.setdefault(value, self.first + len(self.numbers))
        return f"[{self.name}_{number}]"


def private_check(
    kind: Kind, title: str, explanation: str, one: str, many: str, spans: Spans = private_spans
) -> RowCheck:
    """The check that finds and replaces one kind of private data."""
    private = Private(kind, one, many, spans)
    words = f"writes [{kind.upper()}_1] and so on in their place"
    return RowCheck(kind, title, explanation, "privacy", "keep", words, private.find, private.fix)


CHECKS = (
    private_check(
        "email",
        "E-mail addresses",
        "A model can learn addresses by heart and give them to others. Fixing puts [EMAIL_1] and so on in their "
        "place, "
        "the same for the same address all over the row; example.com and its like don't count.",
        "an e-mail address",
        "e-mail addresses",
    ),
    private_check(
        "phone",
        "Telephone numbers",
        "A model can learn them by heart and give them to others. Fixing puts [PHONE_1] and so on in their place, "
        "the "
        "same for the same number all over the row.",
        "a telephone number",
        "telephone numbers",
    ),
    private_check(
        "ip_address",
        "IP addresses",
        "Public addresses can tell who somebody is. Fixing puts [IP_ADDRESS_1] and so on in their place; "
        "addresses of "
        "home networks, of examples and of public name servers don't count.",
        "an IP address",
        "IP addresses",
    ),
    private_check(
        "card_number",
        "Payment card numbers",
        "Numbers with an issuer's prefix and a right check digit. Fixing puts [CARD_NUMBER_1] and so on in their "
        "place.",
        "a payment card's number",
        "payment cards' numbers",
    ),
    private_check(
        "iban",
        "Bank accounts (IBAN)",
        "Account numbers with a right check number. Fixing puts [IBAN_1] and so on in their place.",
        "a bank account's number",
        "bank accounts' numbers",
    ),
    private_check(
        "secret",
        "Keys, tokens and passwords",
        "Whoever gets a key out of the model can use it. Fixing puts [SECRET_1] and so on in their place; a key "
        "that was "
        "in a file should be withdrawn in any case.",
        "a key, token or password",
        "keys, tokens or passwords",
    ),
)
