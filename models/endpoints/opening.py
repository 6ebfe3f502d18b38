"""A chat client for a model that is asked rather than loaded: a GGUF file, a model of Ollama, an endpoint's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from models.endpoints.client import ChatClient
from models.endpoints.embedded import llama_server
from models.endpoints.ollama import Ollama, ollama_address
from models.endpoints.openai import OpenAICompatible
from models.endpoints.transport import Access
from models.reference import ModelRef, require_gguf


@asynccontextmanager
async def open_client(
    ref: ModelRef, *, key_variable: str | None, context_length: int, slots: int
) -> AsyncIterator[ChatClient]:
    """The client of a model whose `ref.asked` is true, until the block ends; a GGUF file is loaded for so long.

    `context_length` is in tokens, for prompt and answer together; `slots`: how many answers at once. `key_variable`
    names the environment variable with an endpoint's key. Raises Missing where the file or the key isn't there.
    """
    async with AsyncExitStack() as stack:
        client: ChatClient
        if ref.kind == "gguf":
            server = llama_server(require_gguf(ref), context_length=context_length, slots=slots)
            client = OpenAICompatible(stack.enter_context(server))
        elif ref.kind == "ollama":
            client = Ollama(Access(ollama_address(), ref.target), context_length)
        else:
            address, _, model = ref.target.partition("#")
            client = OpenAICompatible(Access(address, model, key_variable))
        stack.push_async_callback(client.close)
        yield client
