"""Private data is found in its many forms, told from what looks like it, and replaced the same all over a row."""

from __future__ import annotations

import json
import random

import pytest

from datasets_src.checks.private import private_spans
from datasets_src.checks.private.numbers import luhn
from tests.datasets_src.checks.rows import answer, chat, find, fixed
from tests.datasets_src.planted_private import MAKERS, private_sentence

AWS_EXAMPLE = "AKIA" + "IOSFODNN7" + "EXAMPLE"


def kinds(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in private_spans(text)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "anna.meyer+news@mail.web.de"),
        ("email", "o'brien@bücher-silva.de"),
        ("email", "anna [at] firma [dot] com [dot] pl"),
        ("phone", "+49 (0) 171 / 1234567"),
        ("phone", "(212) 555-0147 ext. 12"),
        ("phone", "06 12 34 56 78"),
        ("phone", "090-1234-5678"),
        ("phone", "+4915112345678"),
        ("ip_address", "104.18.32.7"),
        ("ip_address", "2a00:1450:4001::200e"),
        ("card_number", "4111 1111 1111 1111"),
        ("card_number", "3782-822463-10005"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB82WEST12345698765432"),
        ("secret", "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2),
        ("secret", "xoxb-203948576109-" + "a1B2c3D4e5F6"),
    ],
)
def test_a_value_is_found_whole_between_other_words(kind: str, value: str) -> None:
    assert kinds(f"Please note {value}, it matters.") == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com, info@mail.example.org, root@localhost, me@test.invalid",
        "git@github.com:someone/project.git, logo@2x.png, q@k.transpose(0), @someone@mastodon.example, react@18.2.0",
        "On 2023-11-14, 14.11.2023 and 11/14/2023 at 10:15:30 it was 12:00.",
        "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, EAN 4006381333931, order 123-1234567-1234567, ZIP 07211-5125",
        "π ≈ 3.14159265358979, 1700000000, 12 345 678, 1,234,567.89, +12345678 units, 1000-2000-3000",
        "+17.628270 -125.971986, 40.712776, -74.005974",
        "version 1.2.3.4, v10.11.12.13, section 4.2.1.3, OID 1.3.101.110",
        "127.0.0.1, 0.0.0.0, 192.168.1.1, 10.0.0.1, 255.255.255.0, 203.0.113.7, 8.8.8.8, ::1, fe80::1, std::vector",
        "4111 1111 1111 1112 and 1234 5678 9012 3456",
        "DE89 3704 0044 0532 0130 01",
        "00:1A:2B:3C:4D:5E 550e8400-e29b-41d4-a716-446655440000 5d41402abc4b2a76b9719d911017c592",
        'api_key = os.environ["SERVICE_API_KEY_2"]; password = getpass.getpass("Password: ")',
        "password: ${DB_PASSWORD}, api_key: YOUR_API_KEY_HERE, token: <your-token>, password = 'password'",
        f"{AWS_EXAMPLE}, sk-xxxxxxxxxxxxxxxxxxxxxxxx, https://user:password@host",
        "Use a strong password and keep the secret token safe; the key: practice.",
    ],
)
def test_what_only_looks_private_is_left_alone(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password = 'Xk9!vbQ2w'", "Xk9!vbQ2w"),
        ("the password is Tr0ub4dor&3.", "Tr0ub4dor&3"),
        ("postgres://admin:s3Cr!tPw9@db.internal/app", "s3Cr!tPw9"),
        ("API_KEY=9f8e7d6c5b4a39281706f5e4d3c2b1a0", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
    ],
)
def test_of_a_password_only_the_password_is_taken(text: str, secret: str) -> None:
    assert kinds(text) == [("secret", secret)]


def test_the_check_digit_is_luhns() -> None:
    assert luhn("79927398713")
    assert not any(luhn(f"7992739871{digit}") for digit in "012456789")


def test_a_finding_says_where_it_is_but_not_what() -> None:
    finding = find("secret", answer("Use AKIA" + "QWERTYUIOP234567" + " now."))[0]
    assert (finding.field, finding.what) == ("messages, turn 2", "holds a key, token or password")
    assert "QWERTY" not in finding.why and "character 5" in finding.why


def test_equal_values_get_one_placeholder_all_over_the_row_however_written() -> None:
    row = chat(
        ("user", "Write to Anna.Meyer@web.de or call +1 212 555 0147."),
        ("assistant", ""),
        ("tool", "bruno@web.de"),
        ("assistant", "I wrote to anna.meyer@web.de, not bruno@web.de; +1 (212) 555-0147 is busy."),
    )
    call = {"function": {"name": "send", "arguments": {"to": ["anna.meyer@web.de"]}}}
    row.parts["messages"][1].message["tool_calls"] = [call]
    row.tools = [{"function": {"name": "send", "description": "Sends from chidi@web.de."}}]
    fixed("email", row)
    assert fixed("phone", row) == [
        "Write to [EMAIL_1] or call [PHONE_1].",
        "",
        "[EMAIL_2]",
        "I wrote to [EMAIL_1], not [EMAIL_2]; [PHONE_1] is busy.",
    ]
    assert call["function"]["arguments"] == {"to": ["[EMAIL_1]"]}
    assert row.tools[0]["function"]["description"] == "Sends from [EMAIL_3]."


def test_placeholders_that_stand_in_a_row_already_are_not_given_again() -> None:
    assert fixed("email", answer("[EMAIL_4] and anna@web.de"))[1] == "[EMAIL_4] and [EMAIL_5]"


def test_an_answer_that_renders_data_stays_data() -> None:
    data = {"mail": 'anna@web.de "work"', "count": 3}
    row = answer(json.dumps(data))
    row.structured = data
    text = fixed("email", row)[1]
    assert json.loads(text) == row.structured == {"mail": '[EMAIL_1] "work"', "count": 3}


@pytest.mark.parametrize("kind", MAKERS)
def test_nothing_of_the_kind_is_left_after_replacing(kind: str) -> None:
    rng = random.Random(5)
    for _ in range(100):
        row = answer(private_sentence(kind, rng))
        fixed(kind, row)
        assert find(kind, row) == []


def test_thirteen_digits_are_a_card_only_where_the_text_says_so() -> None:
    number = "4222222222222"
    assert luhn(number)
    assert kinds(f"The product is {number}.") == []
    assert kinds(f"My card {number}.") == [("card_number", number)]
