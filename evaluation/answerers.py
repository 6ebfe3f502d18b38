"""Who answers the questions: a model loaded here, or one that is asked through a chat endpoint.

Both give answers a batch at a time, by the questions' places; a batch that holds only known answers is passed over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from evaluation.costs import Memory
from evaluation.decoding import Sampling
from evaluation.generate import Tools, first_token_seconds, generate_batches
from evaluation.item_log import Reply
from evaluation.spec import EvaluateSpec
from jobs.errors import BadInput, Missing
from models.endpoints.client import Answer, ChatClient, ChatOptions, EndpointFailure, FailureKind
from models.endpoints.opening import open_client
from models.endpoints.patience import Backoff, PatientClient
from models.reference import ModelRef

if TYPE_CHECKING:
    from models.load import LoadedModel

Message = dict[str, Any]
FIRST_WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class Question:
    """What is asked: a conversation up to the answer, and the tools that may be called."""

    messages: list[Message]
    tools: Tools = None


@dataclass(frozen=True)
class Manner:
    """How all models answer: at most so many tokens, so many questions at once, and how tokens are chosen."""

    max_new_tokens: int
    batch_size: int
    sampling: Sampling

    @classmethod
    def of(cls, spec: EvaluateSpec, seed_offset: int = 0) -> Manner:
        sampling = Sampling(spec.temperature, spec.top_p, spec.seed + seed_offset)
        return cls(spec.max_new_tokens, spec.batch_size, sampling)


class Answerer(Protocol):
    """A model that can be asked."""

    @property
    def memory(self) -> Memory:
        """Where it is held."""

    def batches(
        self, questions: Sequence[Question], manner: Manner, known: Container[int] = ()
    ) -> Iterator[dict[int, Reply]]:
        """Replies by the questions' places. Raises Missing or BadInput where asking on can't help."""

    def first_token(self, question: Question) -> float | None:
        """Seconds until the first token of the answer to this question alone; None where it is refused."""


@dataclass(frozen=True)
class LoadedAnswerer:
    """A model whose weights were read here."""

    loaded: LoadedModel

    @property
    def memory(self) -> Memory:
        return "process" if self.loaded.device == "cpu" else "card"

    def batches(
        self, questions: Sequence[Question], manner: Manner, known: Container[int] = ()
    ) -> Iterator[dict[int, Reply]]:
        for batch in generate_batches(
            self.loaded,
            [question.messages for question in questions],
            max_new_tokens=manner.max_new_tokens,
            batch_size=manner.batch_size,
            sampling=manner.sampling,
            tools=[question.tools for question in questions],
            known=known,
        ):
            yield {
                place: Reply(each.text, len(each.token_ids), each.prompt_tokens, each.seconds, each.ended)
                for place, each in batch.items()
            }

    def first_token(self, question: Question) -> float:
        return first_token_seconds(self.loaded, question.messages, question.tools)


class AskedAnswerer:
    """A model behind a chat endpoint; made by `asking`. `check_stop` may raise to call a request off."""

    def __init__(
        self,
        ref: ModelRef,
        spec: EvaluateSpec,
        runner: asyncio.Runner,
        client: ChatClient,
        check_stop: Callable[[], None],
    ) -> None:
        self._ref, self._spec, self._runner, self._client = ref, spec, runner, client
        self._check_stop = check_stop
        backoff = Backoff(FIRST_WAIT_SECONDS, spec.seed)
        self._patient = PatientClient(client, concurrency=spec.concurrency, backoff=backoff)

    @property
    def memory(self) -> Memory:
        return "process" if self._ref.kind == "gguf" else "elsewhere"

    def batches(
        self, questions: Sequence[Question], manner: Manner, known: Container[int] = ()
    ) -> Iterator[dict[int, Reply]]:
        places = [place for place in range(len(questions)) if place not in known]
        size = max(manner.batch_size, self._spec.concurrency)
        for start in range(0, len(places), size):
            batch = places[start : start + size]
            started = time.perf_counter()
            found = self._runner.run(self._ask_all([questions[place] for place in batch], manner, batch))
            share = (time.perf_counter() - started) / len(batch)
            failures = [each for each in found if isinstance(each, BaseException)]
            replies = {
                place: _reply(each, share)
                for place, each in zip(batch, found, strict=True)
                if not isinstance(each, BaseException) or _is_refusal(each)
            }
            if replies:
                yield replies
            for failure in failures:
                if not isinstance(failure, EndpointFailure):
                    raise failure
                if not _is_refusal(failure):
                    raise self._told(failure) from failure

    async def _ask_all(
        self, questions: Sequence[Question], manner: Manner, places: Sequence[int]
    ) -> list[Answer | BaseException]:
        asks = [self._ask(question, manner, place) for question, place in zip(questions, places, strict=True)]
        return await asyncio.gather(*asks, return_exceptions=True)

    async def _ask(self, question: Question, manner: Manner, place: int) -> Answer:
        _require_no_tools(question, self._ref)
        options = self._options(manner, place)
        return await self._patient.complete(
            question.messages, options, tries=self._spec.tries, on_failure=lambda _: None, pause=self._pause
        )

    async def _pause(self, seconds: float) -> None:
        self._check_stop()
        await asyncio.sleep(seconds)

    def _options(self, manner: Manner, place: int) -> ChatOptions:
        sampling = manner.sampling
        return ChatOptions(
            temperature=sampling.temperature,
            top_p=sampling.top_p if sampling.top_p < 1 else None,
            max_tokens=manner.max_new_tokens,
            seed=sampling.seed + place if sampling.temperature > 0 else sampling.seed,
            timeout_seconds=self._spec.answer_seconds,
        )

    def first_token(self, question: Question) -> float | None:
        return self._runner.run(self._first_token(question))

    async def _first_token(self, question: Question) -> float | None:
        options = ChatOptions(temperature=0.0, max_tokens=1, timeout_seconds=self._spec.answer_seconds)
        started = time.perf_counter()
        try:
            await self._patient.complete(
                question.messages, options, tries=self._spec.tries, on_failure=lambda _: None, pause=self._pause
            )
        except EndpointFailure as failure:
            if _is_refusal(failure):
                return None
            raise self._told(failure) from failure
        return time.perf_counter() - started

    def _told(self, failure: EndpointFailure) -> Missing:
        """An endpoint's failure as the person reads it."""
        return Missing(
            f"{self._ref.text} gave no answer after {self._spec.tries} tries.",
            f"{failure.kind}: {failure}",
            "Check that it runs and is not overloaded, then resume: answers that came are kept.",
        )


def _is_refusal(failure: BaseException) -> bool:
    return isinstance(failure, EndpointFailure) and failure.kind is FailureKind.REFUSED


def _reply(found: Answer | BaseException, seconds: float) -> Reply:
    if isinstance(found, BaseException):
        return Reply("", None, None, seconds, ended=False, refused=str(found))
    return Reply(found.text, found.tokens_out, found.tokens_in, seconds, ended=found.finish_reason != "length")


def _require_no_tools(question: Question, ref: ModelRef) -> None:
    if question.tools:
        raise BadInput(
            f"{ref.text} can't be asked questions with tools.",
            "The chat client hands back an endpoint's text, not the calls it makes.",
            "Measure tool calls with models whose weights are loaded here.",
        )


@contextmanager
def asking(ref: ModelRef, spec: EvaluateSpec, check_stop: Callable[[], None]) -> Iterator[AskedAnswerer]:
    """The answerer of a model whose `ref.asked` is true, until the block ends. Raises Missing where it isn't there."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opening = open_client(
            ref, key_variable=spec.key_variable, context_length=spec.context_length, slots=spec.concurrency
        )
        client = runner.run(_entered(stack.enter_async_context(opening)))
        try:
            yield AskedAnswerer(ref, spec, runner, client, check_stop)
        finally:
            runner.run(stack.aclose())


async def _entered(entering: Awaitable[ChatClient]) -> ChatClient:
    return await entering
