"""The ways of making rows: for each mode what the teacher is asked, and the rows that its answer gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from datasets_src.synthesis.material import Piece
from datasets_src.synthesis.shapes import Instruction, Reasoned, Score, conversation_of, pairs_up_to
from datasets_src.synthesis.spec import DomainSpec, Evolution, Mode, SynthesisSpec
from models.endpoints.client import FailureKind, Message, UnusableAnswer
from models.endpoints.structured import parse_as, without_thinking

EVOLUTIONS: dict[Evolution, str] = {
    "harder": "so that it takes more knowledge or more steps to answer",
    "concrete": "so that it is about a concrete case, with names, numbers or circumstances, instead of the general one",
    "reworded": "in other words and another tone, with the same meaning",
    "constrained": "with one further requirement that the answer has to meet",
    "broader": "so that it is about a rarer or broader matter of the same field",
    "simpler": "so that a beginner could ask it and follow the answer",
}


@dataclass(frozen=True)
class Task:
    """What one request is about. `round`: how often the piece was used before. `examples`: rows to show."""

    domain: DomainSpec
    index: int
    piece: Piece | None
    round: int
    examples: tuple[Piece, ...]


@dataclass(frozen=True)
class Draft:
    """A row that a teacher wrote, before it is looked at. `novelty`: what has to differ from all earlier rows'."""

    messages: list[Message]
    novelty: str | None
    parent: str | None


@dataclass(frozen=True)
class Recipe:
    """One mode. `shape` is the JSON that is asked for, None for plain text; `answer_tokens`: what a row usually takes.

    `ask` gives the request's messages; `drafts` the rows from the answer, which is of the shape (or is text).
    """

    shape: Callable[[SynthesisSpec], type[BaseModel]] | None
    ask: Callable[[SynthesisSpec, Task], list[Message]]
    drafts: Callable[[SynthesisSpec, Task, Any], list[Draft]]
    answer_tokens: Callable[[SynthesisSpec], int]
    rows_per_request: Callable[[SynthesisSpec], int] = lambda _spec: 1

    def read(self, spec: SynthesisSpec, task: Task, text: str, finish_reason: str | None) -> list[Draft]:
        """The rows in an answer. Raises UnusableAnswer when it is not what was asked for."""
        if self.shape is not None:
            return self.drafts(spec, task, parse_as(text, self.shape(spec), finish_reason))
        answer = without_thinking(text)
        if finish_reason == "length":
            raise UnusableAnswer(FailureKind.CUT_SHORT, "the answer ended at the limit of tokens")
        if not answer:
            raise UnusableAnswer(FailureKind.EMPTY, "the answer is empty")
        return self.drafts(spec, task, answer)


def _request(spec: SynthesisSpec, task: Task, *parts: str) -> list[Message]:
    """A request in one message: the parts, the domain, the instructions."""
    about = f"Domain: {task.domain.name}. {task.domain.description}" if task.domain.description else ""
    times = "once" if task.round == 1 else f"{task.round} times"
    again = f"You were asked this {times} before: choose other aspects this time." if task.round else ""
    return [_user("\n\n".join(part for part in (*parts[:-1], about, spec.instructions, again, parts[-1]) if part))]


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _row(spec: SynthesisSpec, *turns: tuple[str, str]) -> list[Message]:
    """A conversation of questions with answers, under the system prompt where there is one."""
    opening = [{"role": "system", "content": spec.system_prompt}] if spec.system_prompt else []
    said = [({"role": "user", "content": user}, {"role": "assistant", "content": answer}) for user, answer in turns]
    return [*opening, *(message for turn in said for message in turn)]


def _parent(task: Task) -> str | None:
    return task.piece.parent if task.piece else None


def _quoted(messages: tuple[Message, ...] | list[Message]) -> str:
    """A conversation as text inside a request."""
    return "\n\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in messages)


# Questions from documents


def _ask_pairs(spec: SynthesisSpec, task: Task) -> list[Message]:
    assert task.piece is not None, "the input was checked"
    return _request(
        spec,
        task,
        f"Here is a text:\n\n<text>\n{task.piece.text}\n</text>",
        f"Write up to {spec.pairs_per_document} different questions that this text answers, each with its answer, in "
        "the text's language. Each question has to make sense to somebody who does not see the text, and each answer "
        "has to be true by what the text says, without mentioning the text.",
        'Answer with JSON alone: {"pairs": [{"question": "…", "answer": "…"}]}',
    )


def _pairs(spec: SynthesisSpec, task: Task, answer: Any) -> list[Draft]:
    return [Draft(_row(spec, (pair.question, pair.answer)), pair.question, _parent(task)) for pair in answer.pairs]


# New tasks after examples


def _ask_instruction(spec: SynthesisSpec, task: Task) -> list[Message]:
    shown = "\n\n---\n\n".join(_quoted(example.messages) for example in task.examples)
    return _request(
        spec,
        task,
        f"Here are examples of tasks:\n\n{shown}" if shown else "",
        "Invent one new task that a user might give to an assistant, and answer it as well as you can. "
        + ("It has to be of the same kind as the examples, but about something else." if shown else "")
        + f" This is task number {task.index + 1}: make it unlike the obvious ones.",
        'Answer with JSON alone: {"instruction": "…", "answer": "…"}',
    )


def _instruction(spec: SynthesisSpec, task: Task, answer: Any) -> list[Draft]:
    return [Draft(_row(spec, (answer.instruction, answer.answer)), answer.instruction, _parent(task))]


# Rows rewritten


def _ask_rewrite(spec: SynthesisSpec, task: Task) -> list[Message]:
    assert task.piece is not None, "the input was checked"
    evolution = spec.evolutions[(task.index + task.round) % len(spec.evolutions)]
    return _request(
        spec,
        task,
        f"Here is a task with its answer:\n\n{_quoted(task.piece.messages)}",
        f"Rewrite the task {EVOLUTIONS[evolution]}. Then answer the rewritten task as well as you can, in the same "
        "language. The rewritten task has to make sense by itself.",
        'Answer with JSON alone: {"instruction": "…", "answer": "…"}',
    )


# Answers, with and without reasoning


def _ask_answer(spec: SynthesisSpec, task: Task) -> list[Message]:
    """The prompt itself; instructions go into the system prompt, which the row does not get."""
    opening, said = _opening(spec, task)
    told = "\n\n".join(part for part in (opening, spec.instructions) if part)
    return [*([{"role": "system", "content": told}] if told else []), *said]


def _ask_reasoning(spec: SynthesisSpec, task: Task) -> list[Message]:
    *before, last = _ask_answer(spec, task)
    wish = (
        "Think it through step by step first, then answer. Answer with JSON alone: "
        '{"reasoning": "the steps, in whole sentences", "answer": "the final answer alone"}'
    )
    return [*before, _user(f"{last['content']}\n\n{wish}")]


def _answered(spec: SynthesisSpec, task: Task, answer: str) -> list[Draft]:
    opening, said = _opening(spec, task)
    system = [{"role": "system", "content": opening}] if opening else []
    return [Draft([*system, *said, {"role": "assistant", "content": answer}], None, _parent(task))]


def _reasoned(spec: SynthesisSpec, task: Task, answer: Any) -> list[Draft]:
    if spec.reasoning_style == "think_tags":
        return _answered(spec, task, f"<think>\n{answer.reasoning}\n</think>\n\n{answer.answer}")
    return _answered(spec, task, f"{answer.reasoning}\n\nAnswer: {answer.answer}")


def _opening(spec: SynthesisSpec, task: Task) -> tuple[str | None, list[Message]]:
    """The system prompt (the prompt's own before the spec's), and the conversation up to the user's last words."""
    assert task.piece is not None, "the input was checked"
    prompt = list(task.piece.prompt)
    own = prompt.pop(0)["content"] if prompt[0]["role"] == "system" else None
    return own or spec.system_prompt, prompt


# Conversations


def _ask_conversation(spec: SynthesisSpec, task: Task) -> list[Message]:
    piece = task.piece
    if piece is None:
        about = f"This is conversation number {task.index + 1}: make it unlike the obvious ones."
    elif piece.text:
        about = f"It is about what this text says; the assistant knows the text, the user does not:\n\n{piece.text}"
    else:
        about = f"It begins with these words of the user:\n\n{piece.prompt[-1]['content']}"
    return _request(
        spec,
        task,
        f"Write a conversation between a user and a helpful assistant with exactly {spec.turns} questions of the user, "
        "each answered by the assistant. Later questions build on earlier answers.",
        about,
        'Answer with JSON alone: {"turns": [{"user": "…", "assistant": "…"}]}',
    )


def _conversation(spec: SynthesisSpec, task: Task, answer: Any) -> list[Draft]:
    turns = [(turn.user, turn.assistant) for turn in answer.turns]
    if task.piece is None or task.piece.text:
        return [Draft(_row(spec, *turns), turns[0][0], _parent(task))]
    given = str(task.piece.prompt[-1]["content"])  # word for word, whatever the teacher made of it
    return [Draft(_row(spec, (given, turns[0][1]), *turns[1:]), None, _parent(task))]


RECIPES: dict[Mode, Recipe] = {
    "question_answer": Recipe(
        shape=lambda spec: pairs_up_to(spec.pairs_per_document),
        ask=_ask_pairs,
        drafts=_pairs,
        answer_tokens=lambda spec: 90 * spec.pairs_per_document,
        rows_per_request=lambda spec: spec.pairs_per_document,
    ),
    "self_instruct": Recipe(lambda _spec: Instruction, _ask_instruction, _instruction, lambda _spec: 250),
    "rewrite": Recipe(lambda _spec: Instruction, _ask_rewrite, _instruction, lambda _spec: 300),
    "answers": Recipe(None, _ask_answer, _answered, lambda _spec: 250),
    "chain_of_thought": Recipe(lambda _spec: Reasoned, _ask_reasoning, _reasoned, lambda _spec: 400),
    "multi_turn": Recipe(
        lambda spec: conversation_of(spec.turns), _ask_conversation, _conversation, lambda spec: 160 * spec.turns
    ),
}


def ask_for_score(rubric: str, messages: list[Message]) -> list[Message]:
    """The request that has a row judged."""
    return [
        _user(
            f"Judge the assistant's part in this conversation.\n\n<conversation>\n{_quoted(messages)}\n</conversation>"
            f"\n\nWhat counts: {rubric}\n\nGive a short reason, then a score from 1 (useless) to 10 (perfect). Answer "
            'with JSON alone: {"reason": "…", "score": 5}'
        )
    ]


def read_score(text: str, finish_reason: str | None) -> int:
    """The score in a judge's answer. Raises UnusableAnswer when there is none."""
    return parse_as(text, Score, finish_reason).score
