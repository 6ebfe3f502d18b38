"""A seeded generator of rows with planted faults, and what was planted: the checks are judged by it, and don't know it.

    for planted in planted_rows(seed=1, count=1000):
        planted.row, planted.labels, planted.notes

Half of the rows are sound. The others have one to three faults, at most one of them in the row's structure.
"""

from __future__ import annotations

import html
import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from datasets_src.rows import Candidate, Turn
from tests.datasets_src.planted_clean import clean_row, paragraph, prose
from tests.datasets_src.planted_languages import SENTENCES
from tests.datasets_src.planted_phrases import CLOSERS, LEFTOVERS, LOOPS, OPENERS, REFUSALS
from tests.datasets_src.planted_private import MAKERS, private_sentence

# In the structure: whether it was done. In the text of one of the turns given: the turn that was changed, if any.
PlantInStructure = Callable[[Candidate, random.Random], bool]
PlantInText = Callable[[Candidate, list[Turn], random.Random], Turn | None]
# Encoding, languages whose text is misread as it, and how often.
MISREAD: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("cp1252", ("fr", "de", "es", "pt", "vi", "pl", "zh", "ru", "ko"), 30),
    ("latin-1", ("fr", "de", "es", "pt", "pl", "vi", "ru", "uk", "el", "zh", "ja", "ko", "ar", "tr", "cs"), 20),
    ("marks", (), 20),
    ("twice", ("fr", "de", "es", "pt"), 8),
    ("cp1251", ("ru", "uk", "fr", "de"), 5),
    ("mac_roman", ("fr", "de", "es"), 5),
    ("cp1250", ("pl", "cs", "de"), 5),
    ("gb18030", ("zh",), 4),
    ("bom", ("en", "de"), 3),
)
MARKED = ("It isn’t what “they” said…", "naïve café – déjà vu", "Prices: €5 — £4", "She’s 30°C warm", "Ångström’s law")
ESCAPED = (
    "It's Tom & Jerry's \"show\"",
    "5 < 7 & 9 > 3",
    "R&D cost €5 – as “planned”…",
    "café & crème",
    "if (a < b)",
)
UNTELLABLE = (
    "42",
    "OK",
    "x = 3\ny = x ** 2\nprint(y)\nfor i in range(10):\n    print(i * y, end=', ')\n",
    "1. Zürich\n2. Osaka\n3. Lima",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "∫ f(x) dx = F(x) + C, a² + b² = c²",
    "https://www.example.org/uno/dos/tres?quatre=cinq",
    "SELECT nome, cidade FROM clientes WHERE idade > 30 AND (cidade = 'Lisboa' OR cidade = 'Porto');",
)
NAMED = {
    "’": "&rsquo;",
    "“": "&ldquo;",
    "”": "&rdquo;",
    "…": "&hellip;",
    "–": "&ndash;",
    "é": "&eacute;",
    "€": "&euro;",
}


@dataclass
class Planted:
    """A row, the names of the checks that have to find something in it, and what was done to it, for people."""

    row: Candidate
    labels: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def planted_rows(seed: int, count: int) -> Iterator[Planted]:
    """`count` rows, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        planted = Planted(clean_row(rng))
        if rng.random() < 0.5:
            _plant(planted, rng)
        yield planted


def _plant(planted: Planted, rng: random.Random) -> None:
    """Plant faults so that none undoes another: a turn that one has rewritten is left alone by the rest."""
    structural = rng.random() < 0.35
    names = rng.sample(list(IN_TEXT), rng.choice((0, 1, 2)) if structural else rng.choice((1, 1, 2, 3)))
    row, done = planted.row, planted.notes
    if structural and IN_STRUCTURE[name := rng.choice(list(IN_STRUCTURE))](row, rng):
        done.append(name)
    free = [turn for turn in _textual(row) if "chosen_equals_rejected" not in done or turn in row.parts["prompt"]]
    for name in sorted(names, key=list(IN_TEXT).index):
        if not free:
            break
        turn = IN_TEXT[name](row, free, rng)
        if turn is not None:
            done.append(name)
        if turn is not None and name not in MAKERS:
            free = [other for other in free if other is not turn]
    planted.labels.update(done)


def language_rows(seed: int, count: int, wanted: tuple[str, ...]) -> Iterator[Planted]:
    """Rows in many languages, half of them in those wanted; some whose language nobody could tell."""
    rng = random.Random(seed)
    others = [language for language in SENTENCES if language not in wanted]
    for _ in range(count):
        row = clean_row(rng)
        language = rng.choice(wanted if rng.random() < 0.5 else others)
        planted = Planted(row)
        if rng.random() < 0.8:
            for turn in _textual(row):
                turn.message["content"] = paragraph(rng, language)
            planted.labels.update(() if language in wanted else ("language",))
            planted.notes.append(language)
        else:
            for turn in _textual(row):
                turn.message["content"] = rng.choice(UNTELLABLE)
        yield planted


# Texts


def _textual(row: Candidate) -> list[Turn]:
    return [turn for turn in row.turns() if turn.text.strip() and turn.role != "tool"]


def _insert(text: str, sentence: str, rng: random.Random) -> str:
    """Put a sentence at the beginning, at the end or between two sentences; never inside code."""
    gaps = [i + 1 for i in range(len(text) - 1) if text[i : i + 2] in (". ", "! ", "? ")] if "`" not in text else []
    place = rng.choice(("start", "end", *(["between"] if gaps else [])))
    if place == "start":
        return f"{sentence} {text}"
    if place == "end":
        return f"{text} {sentence}" if rng.random() < 0.5 else f"{text}\n{sentence}"
    at = rng.choice(gaps)
    return f"{text[:at]} {sentence}{text[at:]}"


def _is_prose(text: str) -> bool:
    return not any(sign in text for sign in ("`", "</", "def ", "import ", "&", "<", "HTML"))


def _private(kind: str) -> PlantInText:
    def plant(row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
        sentence = private_sentence(kind, rng)
        calls = [turn for turn in row.turns() if turn.message.get("tool_calls")]
        if calls and rng.random() < 0.5:
            turn = rng.choice(calls)
            arguments = turn.message["tool_calls"][0]["function"]["arguments"]
            arguments[f"note_{kind}"] = rng.choice((sentence, [sentence], {"deep": sentence}))
            return turn
        return _said(rng.choice(turns), lambda text: _insert(text, sentence, rng))

    return plant


def _said(turn: Turn, change: Callable[[str], str]) -> Turn | None:
    """The turn with changed text; None where the change changes nothing."""
    before = turn.text
    turn.message["content"] = change(before)
    return turn if turn.text != before else None


def _mojibake(_row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    """Read as another encoding than it was written in: whole, in part, or twice."""
    codec, languages, _ = rng.choices(MISREAD, [weight for *_, weight in MISREAD])[0]
    sentence = rng.choice(MARKED if codec == "marks" else SENTENCES[rng.choice(languages)])
    damaged = _misread(sentence, codec)
    if damaged == sentence:
        return None
    return _said(rng.choice(turns), lambda text: _insert(text, damaged, rng) if rng.random() < 0.6 else damaged)


def _misread(sentence: str, codec: str) -> str:
    if codec == "bom":
        return "ï»¿" + sentence
    if codec == "gb18030":
        return sentence.encode().decode(codec, errors="ignore")
    if codec == "twice":
        return _misread(_misread(sentence, "cp1252"), "cp1252")
    # Browsers and editors map what cp1252 leaves undefined to the control character of the same number.
    return "".join(_misread_byte(byte, "cp1252" if codec == "marks" else codec) for byte in sentence.encode())


def _misread_byte(byte: int, codec: str) -> str:
    try:
        return bytes([byte]).decode(codec)
    except UnicodeDecodeError:
        return chr(byte)


def _in_a_word(text: str, sign: str, rng: random.Random) -> str:
    places = [i for i in range(1, len(text)) if text[i - 1].isalpha() and text[i].isalpha()]
    at = rng.choice(places) if places else len(text)
    return text[:at] + sign + text[at:]


def _lost(_row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    def change(text: str) -> str:
        lost = "".join("\ufffd" if mark in "’“”éöü—" else mark for mark in text)
        return lost if lost != text else _in_a_word(text, "\ufffd" * rng.randint(1, 3), rng)

    return _said(rng.choice(turns), change)


def _control(_row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    sign = rng.choice(("\x00", "\x08", "\x1b[31m", "\x7f", "\x01", "\x02\x03", "\x1a", "\x1f", "\x0e", "\x1b[0m"))
    return _said(rng.choice(turns), lambda text: rng.choice((sign + text, text + sign, _in_a_word(text, sign, rng))))


def _invisible(_row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    turns = [turn for turn in turns if turn.text.isascii()]
    sign = rng.choice("\u200b\ufeff\u2060\u200e\u200f\u202e\u202a\u2066\u00ad\u200c\u200d\U000e0041")
    if not turns:
        return None
    return _said(
        rng.choice(turns),
        lambda text: rng.choice((sign + text, _in_a_word(text, sign, rng), text.replace(" ", " " + sign))),
    )


def _entities(row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    if not all(_is_prose(turn.text) for turn in row.turns()):
        return None
    escaped = html.escape(rng.choice(ESCAPED))
    for mark, entity in NAMED.items():
        escaped = escaped.replace(mark, rng.choice((entity, f"&#{ord(mark)};", f"&#x{ord(mark):X};")))
    if rng.random() < 0.2:
        escaped = html.escape(escaped)
    if rng.random() < 0.2:
        escaped = escaped.replace(" ", "&nbsp;", 1)
    return _said(rng.choice(turns), lambda text: _insert(text, escaped, rng))


def _surrogate(_row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    sign = rng.choice(("\ud83d", "\ude00", "\ud83d\ude00", "\udce9"))
    return _said(rng.choice(turns), lambda text: _in_a_word(text, sign, rng))


def _to_learn(row: Candidate, turns: list[Turn]) -> list[Turn]:
    """Answers that the model is to give, not those that it is to avoid."""
    if row.desirable is False:
        return []
    avoided = row.parts.get("rejected", [])
    return [turn for turn in turns if turn.role in ("assistant", "text") and turn not in avoided]


def _refusal(row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    turns = [turn for turn in _to_learn(row, turns) if turn.role == "assistant"]
    if not turns:
        return None
    text = rng.choice(("", "", "", "\n", " ")) + rng.choice(REFUSALS)
    return _said(rng.choice(turns), lambda _: f"{text} {prose(rng, 2)}" if rng.random() < 0.4 else text)


def _boilerplate(row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    turns = [turn for turn in _to_learn(row, turns) if "`" not in turn.text]
    if not turns:
        return None
    turn = rng.choice(turns)
    form = "leftover" if turn.role == "text" else rng.choice(("opener", "closer", "both", "leftover"))
    if form == "leftover":
        return _said(turn, lambda text: _insert(text, rng.choice(LEFTOVERS), rng))
    opener = rng.choice(OPENERS) if form != "closer" else ""
    return _said(turn, lambda text: opener + text + (rng.choice(CLOSERS) if form != "opener" else ""))


def _loop(row: Candidate, turns: list[Turn], rng: random.Random) -> Turn | None:
    turns = _to_learn(row, turns)
    if not turns:
        return None
    unit = rng.choice(LOOPS)
    times = max(5, rng.randint(60, 200) // len(unit.split()))
    start = prose(rng, 1) + " " if rng.random() < 0.5 else ""
    return _said(rng.choice(turns), lambda _: start + unit * times)


# Structure


def _unreadable(row: Candidate, rng: random.Random) -> bool:
    row.fault("messages, turn 2", rng.choice(("is a number, not an object", "has no role", "is missing")), "no use")
    return True


def _missing(row: Candidate, rng: random.Random) -> bool:
    turn = rng.choice(list(row.turns()))
    turn.message["content"] = rng.choice((None, 5, 1.5, float("nan"), True, [], ["a"], {}, {"a": 1}))
    return True


def _empty(row: Candidate, rng: random.Random) -> bool:
    turns = [turn for turn in row.turns() if turn.role != "tool" and not turn.message.get("tool_calls")]
    if not turns:
        return False
    blank = rng.choice(("", " ", "\n", "\t \n", "\u00a0", "\u3000", "\r\n", "\u2003 "))
    rng.choice(turns).message["content"] = blank
    return True


def _unknown_role(row: Candidate, rng: random.Random) -> bool:
    turn = rng.choice(list(row.turns()))
    turn.message["role"] = rng.choice(
        ("narrator", "moderator", "ai", "User", "Assistant ", "critic", "", "GPT-4", "none")
    )
    return True


def _role_order(row: Candidate, rng: random.Random) -> bool:
    part = row.parts.get("messages") or row.parts.get("prompt") or []
    if row.kind == "text" or not part:
        return False
    form = rng.choice(("greeting", "doubled", "late system", "observation", "answered twice", "two systems"))
    users = [i for i, turn in enumerate(part) if turn.role == "user"]
    at = rng.choice(users)
    place = "messages, turn 9"
    if form == "greeting":
        part.insert(users[0], Turn({"role": "assistant", "content": "Hello! How can I help you today?"}, place))
    elif form == "doubled":
        part.insert(at, Turn({"role": "user", "content": "And one more thing."}, place))
    elif form == "late system":
        part.insert(at + 1, Turn({"role": "system", "content": "Answer in one word."}, place))
    elif form == "observation":
        part.insert(at + 1, Turn({"role": "tool", "content": '{"result": 1}'}, place))
    elif form == "answered twice" and row.kind == "conversation" and part[-1].role == "assistant":
        part.append(Turn({"role": "assistant", "content": "To put it another way, no."}, place))
    elif form == "two systems":
        for text in ("Be brief.", "Be kind."):
            part.insert(0, Turn({"role": "system", "content": text}, place))
    else:
        return False
    return True


def _unanswered(row: Candidate, rng: random.Random) -> bool:
    if row.kind == "text":
        return False
    part = list(row.parts.values())[-1]
    if rng.random() < 0.5 and not part[-1].message.get("tool_calls"):
        part.append(Turn({"role": "user", "content": "Thanks! And what about next week?"}, "messages, turn 9"))
    else:
        part.pop()
    return True


def _equal_pair(row: Candidate, rng: random.Random) -> bool:
    if row.kind != "preference":
        return False
    text = row.parts["chosen"][-1].text
    forms = (
        text,
        text + "\n",
        "  " + text,
        text.replace(" ", "  ", 1),
        unicodedata.normalize("NFD", text),
        text.replace("\n", "\r\n"),
    )
    row.parts["rejected"] = [Turn({"role": "assistant", "content": rng.choice(forms)}, "rejected")]
    return True


# In the order in which they are planted: what rewrites a turn, what damages characters, what only adds.
IN_TEXT: dict[str, PlantInText] = {
    "refusal": _refusal,
    "repetition": _loop,
    "boilerplate": _boilerplate,
    "mojibake": _mojibake,
    "broken_characters": _surrogate,
    "lost_characters": _lost,
    "control_characters": _control,
    "invisible_characters": _invisible,
    "html_entities": _entities,
    **{kind: _private(kind) for kind in MAKERS},
}
IN_STRUCTURE: dict[str, PlantInStructure] = {
    "unreadable": _unreadable,
    "missing_content": _missing,
    "empty_turn": _empty,
    "unknown_role": _unknown_role,
    "role_order": _role_order,
    "unanswered": _unanswered,
    "chosen_equals_rejected": _equal_pair,
}
