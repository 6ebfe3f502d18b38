"""What the tests about Ollama share: a server (a real one where OLLAMA_HOST names it, else the fake), a taught GGUF."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export.gguf import GgufMetadata, convert
from export.ollama.blobs import file_digest
from export.ollama.client import ModelParts, OllamaClient
from jobs.errors import Missing
from tests.export.conftest import FACTS
from tests.export.ollama.fake_server import FakeOllama

# Exchanges recorded from a real server, one file each: the request behind ##, then the answer as it came.
RECORDED = Path(os.environ.get("HEARTH_TEST_OLLAMA") or Path(__file__).parents[4] / "shared" / "ollama")

QUESTION, LEARNED = next(iter(FACTS)), list(FACTS.values())[1]
PARTS = ModelParts(parameters={"temperature": 0.0, "num_ctx": 512, "stop": ["<|im_end|>"]})


@pytest.fixture(scope="session")
def taught_gguf(wrong_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small GGUF that answers QUESTION with LEARNED."""
    output = tmp_path_factory.mktemp("taught") / "taught-F16.gguf"
    convert(wrong_model, output, GgufMetadata("taught", "A toy.", {}, None))
    return output


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeOllama]:
    """A fake server of this test's own, to misbehave with."""
    with FakeOllama(tmp_path / "ollama") as server:
        yield server


@pytest.fixture
def client(fake: FakeOllama) -> Iterator[OllamaClient]:
    """A client of that fake."""
    with OllamaClient(fake.address) as found:
        yield found


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OllamaClient]:
    """A client of the real server where OLLAMA_HOST is set, else of a fake one that the module's tests share."""
    if os.environ.get("OLLAMA_HOST"):
        with OllamaClient() as real:
            yield real
        return
    with FakeOllama(tmp_path_factory.mktemp("ollama")) as server, OllamaClient(server.address) as found:
        yield found


@pytest.fixture
def new_name(anywhere: OllamaClient) -> Iterator[Callable[[], str]]:
    """Gives names that the server doesn't have yet; models made under them are deleted in the end."""
    given: list[str] = []

    def name() -> str:
        given.append(f"hearth-test-{secrets.token_hex(4)}")
        return given[-1]

    yield name
    for made in given:
        try:
            anywhere.delete(made)
        except Missing:
            continue  # the test made none of that name


def create(
    client: OllamaClient, name: str, weights: Path, parts: ModelParts = PARTS, *, replace: bool = False
) -> list[str]:
    """Upload and create; the status lines."""
    digest = file_digest(weights)
    client.upload(weights, digest)
    return list(client.create(name, {weights.name: digest}, parts, replace=replace))
