"""Simulated use: a crowd chats with a model about fact sheets, and says what it thinks of the answers.

    chat(workspace, answering, HONEST, sheets=100, model="assistant")     logs the chats
    give_feedback(workspace, HONEST)                                      rates and corrects what isn't rated yet

`answering` is anything that answers conversations: a server (`from_endpoint`), or answers that an evaluation recorded
(`from_evaluation`), which needs no server. With a server that logs chats itself, `live.py` does both over HTTP.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from datasets_src.interactions import Interaction, Interactions
from datasets_src.store import open_version
from evaluation.store import FILE, load_scores
from evaluation.tasks import items_from_conversations
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.endpoints.client import ChatOptions
from models.endpoints.opening import open_client
from models.reference import ModelRef
from recipes.assistant.generate import questions_of
from recipes.assistant.people import SIGNED, Crowd, signature
from recipes.assistant.questions import Message, Question, read_question
from recipes.assistant.tools import RESULT, run_call

LONGEST_ANSWER = 40
ANSWERS_AT_ONCE = 8


@dataclass(frozen=True)
class Said:
    """One answer of a model, and how many tokens it took where that is known."""

    text: str
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


Answering = Callable[[Sequence[list[Message]]], Sequence[Said]]


@dataclass(frozen=True)
class Feedback:
    """How many answers were looked at, rated at least 4, rated below that, and corrected."""

    answers: int
    up: int
    down: int
    corrected: int


@dataclass(frozen=True)
class Turn:
    """One question of a chat: who asks, in which conversation, and the messages up to the answer."""

    account: str
    conversation: str
    question: Question
    messages: list[Message]


def chat(
    workspace: Workspace,
    answering: Answering,
    crowd: Crowd,
    sheets: int,
    model: str,
    *,
    version: str | None = None,
    seed: int = 0,
    skip: int = 0,
) -> int:
    """Let a crowd ask about `sheets` of its sheets, from number `skip` on, and log every answer; how many there were.

    Where an agent's call finds what was asked for, the tool answers and the chat goes on for another turn.
    """
    first = openings(crowd, sheets, seed, skip)
    said = list(answering([turn.messages for turn in first]))
    following = [
        after for turn, answer in zip(first, said, strict=True) if (after := after_call(turn, answer.text)) is not None
    ]
    more = list(answering([turn.messages for turn in following])) if following else []
    store = Interactions(workspace)
    for turn, answer in zip([*first, *following], [*said, *more], strict=True):
        store.record(_interaction(turn, answer, model, version), user=turn.account)
    return len(said) + len(more)


def openings(crowd: Crowd, sheets: int, seed: int = 0, skip: int = 0) -> list[Turn]:
    """What a crowd asks first about `sheets` of its sheets, from number `skip` on."""
    asked = [question for question in questions_of(crowd.part, sheets, seed, skip) if question.result is None]
    return [_opening(crowd, question, number, skip, seed) for number, question in enumerate(asked)]


def _opening(crowd: Crowd, question: Question, number: int, skip: int, seed: int) -> Turn:
    draw = random.Random(f"{seed} {crowd.name} {skip} {number}")
    note = signature(draw) if crowd.signs and draw.random() < SIGNED else ""
    account = crowd.account(number)
    return Turn(account, f"{account}: {question.sheet.title}", question, question.messages(note))


def after_call(turn: Turn, answer: str) -> Turn | None:
    """The chat's next turn, in which the tool has spoken; None where the right thing wasn't looked up."""
    found = run_call(answer, turn.question.sheet) if turn.question.mode == "agent" else None
    wanted = run_call(turn.question.right(), turn.question.sheet) if found else None
    if found is None or found != wanted:
        return None
    question = replace(turn.question, result=found.removeprefix(RESULT))
    call = {"role": "assistant", "content": turn.question.right()}
    return replace(turn, question=question, messages=[*turn.messages, call, {"role": "user", "content": found}])


def _interaction(turn: Turn, said: Said, model: str, version: str | None) -> Interaction:
    return Interaction(
        prompt=turn.messages,
        answer=said.text,
        model=model,
        model_version=version,
        conversation=turn.conversation,
        tag=turn.question.sheet.topic.name,
        reasoning_mode=turn.question.mode,
        prompt_tokens=said.prompt_tokens,
        answer_tokens=said.answer_tokens,
        sampling={"temperature": 0},
    )


def give_feedback(workspace: Workspace, crowd: Crowd, *, seed: int = 0, after: int = 0) -> Feedback:
    """Let a crowd rate and correct the answers with an id above `after` that nobody has rated.

    Chats about something else than sheets are passed over.
    """
    store = Interactions(workspace)
    unrated = [each for each in store.find() if each.id > after and each.rating is None and each.edit is None]
    answers = up = down = corrected = 0
    for each in unrated:
        try:
            question = read_question(each.prompt)
        except BadInput:
            continue
        opinion = crowd.opinion(question, each.answer, random.Random(f"{seed} {crowd.name} {each.id}"))
        if opinion.rating is not None or opinion.comment is not None:
            store.rate(each.id, opinion.rating, opinion.comment)
        if opinion.edit is not None:
            store.correct(each.id, opinion.edit)
        answers += 1
        up += (opinion.rating or 0) >= 4
        down += opinion.rating is not None and opinion.rating < 4
        corrected += opinion.edit is not None
    return Feedback(answers, up, down, corrected)


def last_id(workspace: Workspace) -> int:
    """The id of the newest logged answer, 0 where there is none."""
    return max((each.id for each in Interactions(workspace).find()), default=0)


def from_evaluation(workspace: Workspace, job: JobDirectory, model: str) -> Answering:
    """Answers that the evaluation `job` recorded of the model that its report calls `model`.

    Raises Missing where it didn't ask a question that is wanted now.
    """
    asked = (job.resolved or {})["data"]["value"]
    items = items_from_conversations(open_version(workspace, asked).eval())
    questions = {item.id: read_question(item.messages) for item in items}
    said = {
        questions[row.item]: Said(row.answer or "", row.prompt_tokens, row.answer_tokens)
        for row in load_scores(job.path / FILE)
        if row.model == model
    }

    def answering(conversations: Sequence[list[Message]]) -> list[Said]:
        wanted = [read_question(messages) for messages in conversations]
        unasked = [question for question in wanted if question not in said]
        if unasked:
            raise Missing(
                f"The evaluation {job.id} holds no answer of '{model}' to '{unasked[0].text()}'.",
                f"{len(unasked)} of {len(wanted)} questions weren't asked in it.",
                "Evaluate the model on the dataset that has these questions.",
            )
        return [said[question] for question in wanted]

    return answering


def from_sheets(conversations: Sequence[list[Message]]) -> list[Said]:
    """Right answers to everything, read from the sheets: stands in for a good model where none is at hand."""
    return [Said(read_question(messages).right()) for messages in conversations]


def from_endpoint(model: str, key_variable: str | None = None) -> Answering:
    """Answers of a model that is served: `https://host/v1#name`, `ollama:name` or a .gguf file. `key_variable` names
    the environment variable that holds the server's key."""

    def answering(conversations: Sequence[list[Message]]) -> list[Said]:
        return asyncio.run(_ask_all(ModelRef.parse(model), conversations, key_variable))

    return answering


async def _ask_all(ref: ModelRef, conversations: Sequence[list[Message]], key_variable: str | None) -> list[Said]:
    options = ChatOptions(temperature=0, max_tokens=LONGEST_ANSWER)
    turn = asyncio.Semaphore(ANSWERS_AT_ONCE)
    async with open_client(ref, key_variable=key_variable, context_length=4096, slots=ANSWERS_AT_ONCE) as client:

        async def one(messages: list[Message]) -> Said:
            async with turn:
                answer = await client.complete(messages, options)
            return Said(answer.text, answer.tokens_in, answer.tokens_out)

        return list(await asyncio.gather(*(one(messages) for messages in conversations)))
