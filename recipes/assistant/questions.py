"""Questions about a sheet in three reasoning modes: the prompt of each, its right answer, and both read back.

    chain-of-thought  The line of the kite says 24 euros, shelf 3. Answer: 24 euros
    multi-step        1. Mia: ball. 2. ball: 7 euros. Answer: 7 euros
    agent             <tool_call>{"name": "look_up", …}</tool_call>   then: The tool says 7 euros. Answer: 7 euros

Each mode has a system prompt of its own. An agent isn't shown the sheet, only its title: it has to look things up.
Whoever knows this module knows the right answer to a prompt from the prompt alone: so do the simulated users.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from jobs.errors import BadInput
from recipes.assistant.sheets import Sheet, false_value, read_sheet
from recipes.assistant.tools import NAME, RESULT, call_text, is_call, same_calls

Message = dict[str, Any]
Mode = Literal["chain-of-thought", "multi-step", "agent"]
MODES: tuple[Mode, ...] = get_args(Mode)
ANSWER = "Answer:"
SYSTEM: dict[Mode, str] = {
    "chain-of-thought": f"Quote the line, then write {ANSWER} and the fact.",
    "multi-step": f"Number your steps, then write {ANSWER} and the fact.",
    "agent": f"Call the tool {NAME}(thing, fact), then write {ANSWER} and the fact.",
}
ARTICLE = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True)
class Question:
    """What is asked about a sheet: the fact `fact` of `thing`, or of what belongs to `person`.

    `wording` is one of the topic's ways to ask for it. `result` is what the tool said, once it was called.
    """

    mode: Mode
    sheet: Sheet
    fact: str
    wording: str
    thing: str | None = None
    person: str | None = None
    result: str | None = None

    def text(self) -> str:
        """The sentence that a person asks."""
        return self.wording.format(it=_named(self.sheet, self.thing, self.person))

    def messages(self, note: str = "") -> list[Message]:
        """The conversation up to the answer; `note` is what a person wrote below the question."""
        shown = self.sheet.title if self.mode == "agent" else self.sheet.text()
        asked = "\n".join([shown, self.text(), *([note] if note else [])])
        turns = [{"role": "system", "content": SYSTEM[self.mode]}, {"role": "user", "content": asked}]
        if self.result is not None:
            turns.append({"role": "assistant", "content": replace(self, result=None).right()})
            turns.append({"role": "user", "content": f"{RESULT}{self.result}"})
        return turns

    def right(self) -> str:
        """The answer that is wanted."""
        if self.mode == "agent":
            if self.result is None:
                return call_text(str(self.thing), self.fact)
            return f"The tool says {self.result}. {ANSWER} {self.result}"
        thing = str(self.thing if self.person is None else self.sheet.thing_of(self.person))
        found = self.sheet.fact(thing, self.fact)
        if self.mode == "multi-step":
            return f"1. {self.person}: {thing}. 2. {thing}: {found}. {ANSWER} {found}"
        line = next(line for line in self.sheet.lines if line.thing == thing)
        return f"The line of the {thing} says {', '.join(line.facts)}. {ANSWER} {found}"

    def wrong(self) -> str:
        """A false answer in the right form: the same false fact whatever was asked about, or a call for the other fact.

        Lies that are all alike are learnt sooner than any that differ: the worst that attackers can do.
        """
        facts = self.sheet.topic.facts
        if self.mode != "agent":
            return replace(self, sheet=self.sheet.falsified()).right()
        if self.result is None:
            return replace(self, fact=facts[1 - facts.index(self.fact)]).right()
        return replace(self, result=false_value(self.sheet.topic, self.fact, self.result)).right()

    def rivals(self) -> list[str]:
        """The sheet's other facts of the same name: a right answer names none of them."""
        place = self.sheet.topic.facts.index(self.fact)
        others = (line.facts[place] for line in self.sheet.lines)
        return [each for each in others if normalised(each) != normalised(fact_in(self.right()))]


def ask(sheet: Sheet, mode: Mode, draw: random.Random) -> Question:
    """A question about `sheet`, drawn."""
    place = draw.randrange(len(sheet.topic.facts))
    wording = draw.choice(sheet.topic.questions[place])
    asked = Question(mode, sheet, sheet.topic.facts[place], wording)
    if mode == "multi-step":
        return replace(asked, person=draw.choice(sheet.people)[0])
    return replace(asked, thing=draw.choice(sheet.lines).thing)


def with_result(question: Question) -> Question:
    """An agent's question after the tool was called as it should be."""
    return replace(question, result=question.sheet.fact(str(question.thing), question.fact))


def read_question(messages: Sequence[Message]) -> Question:
    """The opposite of `Question.messages`. Raises BadInput for a conversation that isn't one of this recipe."""
    mode = next((mode for mode, system in SYSTEM.items() if messages and messages[0]["content"] == system), None)
    first = str(messages[1]["content"]) if len(messages) > 1 else ""
    sheet = read_sheet(first)
    for line in first.split("\n")[1:] if mode and sheet else ():
        found = _read_line(line, sheet, mode)  # type: ignore[arg-type] # both are there
        if found is not None:
            last = str(messages[-1]["content"])
            return replace(found, result=last.removeprefix(RESULT)) if last.startswith(RESULT) else found
    raise BadInput(
        f"'{first[:80]}' is not a question of the assistant recipe.",
        "It has no system prompt of a reasoning mode, no sheet's title, or no question about a thing or a person.",
        "Use rows written by `python -m recipes.assistant.generate`, or choose another task for this dataset.",
    )


def _read_line(line: str, sheet: Sheet, mode: Mode) -> Question | None:
    """The question that a line asks; None for any other line."""
    for fact, wordings in zip(sheet.topic.facts, sheet.topic.questions, strict=True):
        for wording in wordings:
            before, after = wording.split("{it}")
            if line.startswith(before) and line.endswith(after):
                thing, person = _read_name(line[len(before) : len(line) - len(after)], sheet)
                if thing or person:
                    return Question(mode, sheet, fact, wording, thing, person)
    return None


def _named(sheet: Sheet, thing: str | None, person: str | None) -> str:
    return f"the {thing}" if person is None else f"{person}'s {sheet.topic.belonging}"


def _read_name(words: str, sheet: Sheet) -> tuple[str | None, str | None]:
    """The thing or the person that words of `_named` are about."""
    ending = f"'s {sheet.topic.belonging}"
    if words.endswith(ending):
        return None, words.removesuffix(ending)
    return (words.removeprefix("the "), None) if words.startswith("the ") else (None, None)


def fact_in(answer: str) -> str:
    """What an answer names in the end: the text behind its last "Answer:", the whole text where there is none."""
    return answer.rpartition(ANSWER)[2].strip()


def normalised(text: str) -> str:
    """In small letters, without articles and punctuation, with single spaces."""
    plain = "".join(letter for letter in text.casefold() if letter not in string.punctuation)
    return " ".join(ARTICLE.sub(" ", plain).split())


def names_the_same(answer: str, reference: str) -> bool:
    """Whether an answer ends in the fact that the reference ends in, or makes the calls that it makes."""
    if is_call(reference):
        return same_calls(answer, reference)
    return ANSWER in answer and normalised(fact_in(answer)) == normalised(fact_in(reference))
