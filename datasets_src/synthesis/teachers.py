"""The teachers of a spec, ready to be asked: their clients, and what their answers cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from datasets_src.synthesis.ledger import Call, Received
from datasets_src.synthesis.spec import SynthesisSpec
from datasets_src.synthesis.teacher_spec import TeacherSpec
from jobs.errors import Missing
from models.endpoints.client import Answer, ChatClient, ChatOptions, EndpointFailure, Message
from models.endpoints.patience import Backoff, PatientClient

# English text has about four characters a token; what is to bound a cost counts twice as many tokens.
CHARACTERS_PER_TOKEN = 4
TOKENS_AROUND_A_MESSAGE = 8
LIST_SECONDS = 10.0


@dataclass(frozen=True)
class Teacher:
    """A teacher and the client that asks it."""

    spec: TeacherSpec
    client: PatientClient

    def options(self, shape: type[BaseModel] | None, seed: int, seconds: float) -> ChatOptions:
        """How a request is to be answered. The seed goes where it is known to be understood."""
        schema: dict[str, Any] | None = shape.model_json_schema() if shape and self.spec.structured else None
        return ChatOptions(
            temperature=self.spec.temperature,
            max_tokens=self.spec.max_tokens,
            seed=seed if self.spec.free else None,
            schema=schema,
            timeout_seconds=seconds,
            extra=self.spec.extra_body,
        )

    def received(self, call: Call, answer: Answer, messages: list[Message]) -> Received:
        """The answer for the ledger, its tokens estimated where the endpoint tells none."""
        told = answer.tokens_in is not None and answer.tokens_out is not None
        tokens_in = answer.tokens_in if answer.tokens_in is not None else tokens_of(messages)
        tokens_out = answer.tokens_out if answer.tokens_out is not None else text_tokens(answer.text)
        return Received(
            call=call,
            teacher=self.spec.title,
            text=answer.text,
            finish_reason=answer.finish_reason,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            estimated=not told,
            cost=self.spec.cost(tokens_in, tokens_out),
            seconds=round(answer.seconds, 3),
        )


def text_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def tokens_of(messages: list[Message]) -> int:
    """About how many tokens a request has."""
    return sum(text_tokens(str(message["content"])) + TOKENS_AROUND_A_MESSAGE for message in messages)


def most_cost(spec: TeacherSpec, messages: list[Message]) -> float:
    """More than a call is likely to cost: its input counted twice, its answer as long as it may get."""
    return spec.cost(2 * tokens_of(messages), spec.max_tokens or 0) or 0.0


@asynccontextmanager
async def open_teachers(spec: SynthesisSpec) -> AsyncIterator[dict[str, Teacher]]:
    """The teachers by name, until the block ends. Raises Missing when a key or the embedded model isn't there."""
    async with AsyncExitStack() as stack:
        teachers = {}
        for place, teacher in enumerate(spec.teachers):
            client = _client(teacher, stack)
            stack.push_async_callback(client.close)
            patient = PatientClient(
                client,
                concurrency=teacher.concurrency,
                backoff=Backoff(spec.backoff_seconds, spec.seed + place),
                stream=teacher.stream,
            )
            teachers[teacher.title] = Teacher(teacher, patient)
        yield teachers


def _client(teacher: TeacherSpec, stack: AsyncExitStack) -> ChatClient:
    from models.endpoints.ollama import Ollama, ollama_address
    from models.endpoints.openai import OpenAICompatible
    from models.endpoints.transport import Access

    if teacher.kind == "embedded":
        from models.endpoints.embedded import embedded_weights, llama_server

        server = llama_server(embedded_weights(), context_length=teacher.context_length, slots=teacher.concurrency)
        return OpenAICompatible(stack.enter_context(server))
    address = teacher.base_url or ollama_address()
    access = Access(address, teacher.model_name, teacher.api_key_variable)
    return Ollama(access, teacher.context_length) if teacher.kind == "ollama" else OpenAICompatible(access)


def list_models(teacher: TeacherSpec) -> list[str]:
    """The models that a teacher's endpoint has, for the form. Raises Missing when it can't be asked."""

    async def asking() -> list[str]:
        async with AsyncExitStack() as stack:
            client = _client(teacher, stack)
            stack.push_async_callback(client.close)
            return await client.models(LIST_SECONDS)

    if teacher.kind == "embedded":
        return [teacher.model]
    try:
        return asyncio.run(asking())
    except EndpointFailure as failure:
        raise Missing(
            f"{teacher.base_url or 'Ollama'} doesn't tell which models it has.",
            f"{failure.kind}: {failure}",
            "Check that it is running and that the address is right.",
        ) from failure
