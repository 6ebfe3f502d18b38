"""Who may speak after whom, where an answer has to stand, and what an empty turn is: for structure checks and fixes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datasets_src.rows import PARTS, Candidate, Finding, Turn

# None stands for the beginning.
MAY_FOLLOW: dict[str | None, tuple[str, ...]] = {
    None: ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("tool", "assistant"),
}
# How models write a call into their text where the row has no field for it.
CALLS_IN_TEXT = ("<tool_call", "<functioncall", "<function", "[TOOL_CALLS]", "<|python_tag|>", '"arguments"', "Action:")
# What str.strip leaves and nobody sees.
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
NOTHING = dict.fromkeys(map(ord, UNSEEN))


def blank(turn: Turn) -> bool:
    """Whether the turn says nothing at all, where it ought to."""
    content = turn.message.get("content")
    if not isinstance(content, str) or "tool_calls" in turn.message or turn.role == "tool":
        return False
    seen = content.strip()
    # Nearly always the first sign settles it.
    return not seen or (seen[0] in UNSEEN and not seen.translate(NOTHING).strip())


def ending_parts(row: Candidate) -> tuple[str, ...]:
    """The names of the parts that have to end with an answer; none of a text row."""
    return () if row.kind == "text" else PARTS[row.kind][1:] or PARTS[row.kind]


def order_faults(turns: Sequence[Turn]) -> Iterator[Finding]:
    """Every turn that may not stand where it does. Unknown roles are not judged."""
    before: str | None = None
    called = False
    for turn in turns:
        role = turn.role
        if role in MAY_FOLLOW and before in MAY_FOLLOW:
            if role not in MAY_FOLLOW[before]:
                place = "begins the row" if before is None else f"follows {before}"
                expected = " or ".join(MAY_FOLLOW[before])
                yield Finding(turn.field, f"wrong order: {role} {place}", f"expected there is {expected}")
            elif role == "tool" and not called:
                yield Finding(turn.field, "wrong order: tool answers without a call", "nobody called a tool")
        if role != "tool":
            called = role == "assistant" and _calls(turn)
        before = role


def _calls(turn: Turn) -> bool:
    return bool(turn.message.get("tool_calls")) or any(sign in turn.text for sign in CALLS_IN_TEXT)
