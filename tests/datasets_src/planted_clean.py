"""Sound rows of many kinds, full of what careless checks take for faults: the ground that faults are planted in.

Written from what such rows look like in the wild, without regard to how the checks work.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from datasets_src.rows import Candidate, Turn
from tests.datasets_src.planted_languages import SENTENCES
from tests.datasets_src.planted_texts import ANSWERS, CODE, DIALOGUES, FIGURES, SHORT, TALK, TOPICS

NAMES = ("Anna", "Bruno", "Chidi", "Deepa", "Elif", "Farid", "Greta", "Hiro", "Inés", "João", "Kofi", "Zoë", "Łukasz")
CITIES = ("Lisbon", "Kraków", "Osaka", "Nairobi", "Reykjavík", "Montréal", "Hanoi", "São Paulo", "Zürich", "Denver")
THINGS = ("kettle", "garden shed", "printer", "violin", "tent", "bicycle", "sewing machine", "aquarium", "drill")


def fill(template: str, rng: random.Random) -> str:
    """A template with its `<...>` slots filled."""
    for slot, make in SLOTS.items():
        while slot in template:
            template = template.replace(slot, make(rng), 1)
    return template


def _digits(rng: random.Random, count: int) -> str:
    return str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in range(count - 1))


def _not_a_card(rng: random.Random) -> str:
    """Sixteen digits that begin as a card does and fail its checksum."""
    while True:
        digits = rng.choice("3456") + _digits(rng, 15)
        total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits)))
        if total % 10:
            return digits if rng.random() < 0.5 else " ".join(digits[i : i + 4] for i in range(0, 16, 4))


def _isbn(rng: random.Random) -> str:
    group = f"978-{rng.randint(0, 9)}-{rng.randint(10, 99)}-{rng.randint(100000, 999999)}-{rng.randint(0, 9)}"
    ten = f"0-{rng.randint(100, 699)}-{rng.randint(10000, 99999)}-{rng.choice('0123456789X')}"
    return rng.choice((group, group.replace("-", ""), ten))


def _date(rng: random.Random) -> str:
    year, month, day = rng.randint(1950, 2030), rng.randint(1, 12), rng.randint(1, 28)
    forms = (
        f"{year}-{month:02}-{day:02}",
        f"{day:02}.{month:02}.{year}",
        f"{month:02}/{day:02}/{year}",
        f"{day:02}-{month:02}-{year}",
        f"{year}{month:02}{day:02}",
        f"{year}-{month:02}-{day:02}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:09Z",
        f"{year}-{month:02}-{day:02} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}",
        f"{day:02}/{month:02}/{year} – {day:02}/{month:02}/{year + 1}",
    )
    return rng.choice(forms)


SLOTS: dict[str, Callable[[random.Random], str]] = {
    "<name>": lambda rng: rng.choice(NAMES),
    "<city>": lambda rng: rng.choice(CITIES),
    "<thing>": lambda rng: rng.choice(THINGS),
    "<topic>": lambda rng: rng.choice(TOPICS),
    "<small>": lambda rng: str(rng.randint(2, 40)),
    "<number>": lambda rng: _digits(rng, rng.randint(3, 8)),
    "<thousands>": lambda rng: f"{rng.randint(1000, 99999999):,}",
    "<spaced>": lambda rng: f"{rng.randint(1000000, 99999999):,}".replace(",", " "),
    "<order>": lambda rng: rng.choice(
        (
            f"{rng.randint(100, 999)}-{_digits(rng, 7)}-{_digits(rng, 7)}",
            f"ORD-{_digits(rng, 9)}",
            _digits(rng, 12),
            f"#{_digits(rng, 10)}",
            f"1Z{_digits(rng, 6)}{_digits(rng, 10)}",
        )
    ),
    "<notcard>": _not_a_card,
    "<isbn>": _isbn,
    "<date>": _date,
    "<time>": lambda rng: rng.choice(
        (f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}", f"{rng.randint(1, 12)} p.m.")
    ),
    "<version>": lambda rng: ".".join(str(rng.randint(0, 30)) for _ in range(rng.randint(3, 4))),
    "<decimal>": lambda rng: f"{rng.random() * 10 ** rng.randint(-3, 6):.{rng.randint(1, 9)}f}",
    "<coordinates>": lambda rng: rng.choice(
        (
            f"{rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f}",
            f"+{rng.uniform(10, 80):.6f} -{rng.uniform(10, 170):.6f}",
            f"{rng.randint(1, 80)}° {rng.randint(0, 59)}′ {rng.randint(0, 59)}″ N",
        )
    ),
    "<hex>": lambda rng: "".join(rng.choice("0123456789abcdef") for _ in range(rng.choice((7, 32, 40, 64)))),
    "<uuid>": lambda rng: "-".join("".join(rng.choice("0123456789abcdef") for _ in range(n)) for n in (8, 4, 4, 4, 12)),
    "<homeip>": lambda rng: rng.choice(
        ("127.0.0.1", "0.0.0.0", "192.168.0.10", "10.0.0.5", "172.16.4.1", "255.255.255.0", "203.0.113.9")
    ),
}


def prose(rng: random.Random, sentences: int) -> str:
    """English prose of distinct sentences, in one or several paragraphs."""
    chosen = rng.sample(ANSWERS, sentences)
    between = rng.choice((" ", " ", "\n\n"))
    return fill(between.join(chosen), rng)


def paragraph(rng: random.Random, language: str) -> str:
    """Some sentences of a language."""
    sentences = SENTENCES[language]
    between = "" if language in ("zh", "ja") else " "
    return between.join(rng.sample(sentences, min(len(sentences), rng.randint(2, 4))))


def _ask(rng: random.Random) -> str:
    return fill(rng.choice(SHORT["questions"]), rng)


def _pairs(*contents: str, system: str | None = None) -> list[Turn]:
    turns = [Turn({"role": "system", "content": system}, "messages, turn 1")] if system else []
    for content in contents:
        role = "assistant" if turns and turns[-1].role == "user" else "user"
        turns.append(Turn({"role": role, "content": content}, f"messages, turn {len(turns) + 1}"))
    return turns


def _instruction(rng: random.Random) -> list[Turn]:
    question = _ask(rng)
    if rng.random() < 0.3:
        question += "\n\n" + prose(rng, rng.randint(1, 4))
    return _pairs(question, prose(rng, rng.randint(1, 7)))


def _short(rng: random.Random) -> list[Turn]:
    return _pairs(_ask(rng), fill(rng.choice(SHORT["answers"]), rng))


def _dialogue(rng: random.Random) -> list[Turn]:
    lines = [fill(line, rng) for line in rng.choice(DIALOGUES)]
    return _pairs(*lines, system=rng.choice((None, "You are the friendly assistant of a small shop.")))


def _figures(rng: random.Random) -> list[Turn]:
    lines = rng.sample(FIGURES, rng.randint(1, 5))
    return _pairs(_ask(rng), fill(rng.choice(("\n", " ")).join(lines), rng))


def _talk(rng: random.Random) -> list[Turn]:
    question, answer = rng.choice(TALK)
    return _pairs(fill(question, rng), fill(answer, rng))


def _code(rng: random.Random) -> list[Turn]:
    question, answer = rng.choice(CODE)
    return _pairs(fill(question, rng), fill(answer, rng))


def _foreign(rng: random.Random) -> list[Turn]:
    language = rng.choice([language for language in SENTENCES if language != "en"])
    return _pairs(paragraph(rng, language), paragraph(rng, language))


def _table(rng: random.Random) -> list[Turn]:
    rows = [f"| {rng.choice(NAMES)} | {rng.choice(('yes', 'no'))} | {rng.randint(1, 5)} |" for _ in range(12)]
    table = "\n".join(["| name | done | points |", "|---|---|---|", *rows])
    return _pairs("Make a table of who has finished.", table)


def _list(rng: random.Random) -> list[Turn]:
    items = rng.sample(ANSWERS, rng.randint(4, 8))
    start = rng.choice(("{n}. ", "- ", "* ", "Step {n}: ", "**{n})** "))
    lines = [start.format(n=number) + fill(item, rng) for number, item in enumerate(items, start=1)]
    return _pairs(f"List what matters about {rng.choice(TOPICS)}.", "\n".join(lines))


def _tools(rng: random.Random) -> Candidate:
    row = Candidate()
    city, name = rng.choice(CITIES), rng.choice(("get_weather", "book_table", "find_train"))
    arguments = {"city": city, "date": _date(rng), "people": rng.randint(1, 9)}
    call = {"type": "function", "function": {"name": name, "arguments": arguments}}
    row.tools = [{"type": "function", "function": {"name": name, "description": "Looks it up.", "parameters": {}}}]
    row.add("messages", "user", f"Could you look this up for {city}?", "conversations, turn 1")
    row.add("messages", "assistant", "", "conversations, turn 2", tool_calls=[call])
    if rng.random() < 0.8:
        result = json.dumps({"status": "ok", "value": rng.randint(1, 99), "id": _digits(rng, 9)})
        row.add("messages", "tool", rng.choice((result, "")), "conversations, turn 3")
        row.add("messages", "assistant", f"It is done for {city}: {rng.randint(1, 99)}.", "conversations, turn 4")
    return row


def _wrap(turns: list[Turn], rng: random.Random) -> Candidate:
    """The turns as a conversation or, now and then, as a row of another kind."""
    kind = rng.choices(("conversation", "preference", "unpaired", "text"), (70, 12, 10, 8))[0]
    row = Candidate(kind)  # type: ignore[arg-type]
    if kind == "text":
        row.add("text", "text", turns[-1].text, "text")
    elif kind == "conversation":
        row.parts["messages"] = turns
    else:
        row.parts["prompt"] = turns[:-1]
        row.parts["chosen" if kind == "preference" else "completion"] = turns[-1:]
        row.desirable = rng.random() < 0.5 if kind == "unpaired" else None
    if kind == "preference":
        row.add("rejected", "assistant", prose(rng, 2), "rejected")
    return row


MAKERS: tuple[tuple[Callable[[random.Random], list[Turn]], int], ...] = (
    (_instruction, 30),
    (_dialogue, 12),
    (_figures, 14),
    (_talk, 10),
    (_code, 10),
    (_foreign, 14),
    (_short, 5),
    (_table, 3),
    (_list, 6),
)


def clean_row(rng: random.Random) -> Candidate:
    """A row that no check should find anything in."""
    if rng.random() < 0.06:
        return _tools(rng)
    make = rng.choices([make for make, _ in MAKERS], [weight for _, weight in MAKERS])[0]
    return _wrap(make(rng), rng)
