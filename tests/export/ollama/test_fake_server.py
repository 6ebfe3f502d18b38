"""The fake Ollama server is held against exchanges recorded from a real one: each request is made again, in order.

Compared are status, headers and errors word for word, of other answers the names and types of what they hold. What
differs by nature is replaced on both sides: digests (another file), addresses of name servers.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from export.ollama.blobs import file_digest
from export.ollama.client import OllamaClient
from tests.export.ollama.conftest import QUESTION, RECORDED
from tests.export.ollama.fake_server import FakeOllama

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded exchanges are not at hand")

# The GGUF of the recordings; the fake is given another one.
RECORDED_FILE = "sha256:c2eceef4bd9f2edab2c7c95d1a68466fb7c8e6a4f16c52091b663e73c8dca7b0"


@dataclass(frozen=True)
class Exchange:
    """One recorded file: the request, and the answer as it came."""

    name: str
    method: str
    path: str
    body: str
    status: int
    headers: dict[str, str]
    answer: str


def read_exchange(path: Path) -> Exchange:
    request, _, rest = path.read_text(encoding="utf-8").partition("\n")
    head, _, answer = rest.partition("\n\n")
    status, *headers = head.splitlines()
    found = re.fullmatch(
        r"## (?P<head>-I )?(?:-X (?P<method>\w+) )?(?:--data-binary (?P<data>\S+) )?(?P<rest>.*)", request
    )
    assert found is not None, request
    target, _, body = found["rest"].partition(" -d ")
    method = "HEAD" if found["head"] else found["method"] or ("POST" if body else "GET")
    pairs = dict(line.split(": ", 1) for line in headers)
    return Exchange(
        path.name, method, target.strip(), found["data"] or body, int(status.split()[1]), pairs, answer.strip()
    )


EXCHANGES = [read_exchange(path) for path in sorted(RECORDED.glob("*.txt"))]


def called_q4(weights: Path, folder: Path) -> Path:
    """The file labelled Q4_K_M (15) as that of the recordings, which servers go by; its weights stay as they are."""
    content = bytearray(weights.read_bytes())
    place = content.index(b"general.file_type") + len(b"general.file_type") + 4
    content[place : place + 4] = struct.pack("<I", 15)
    (folder / "taught.gguf").write_bytes(content)
    return folder / "taught.gguf"


@pytest.fixture(scope="module")
def replayed(taught_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx.Response]]:
    """The fake's answer to every recorded request."""
    weights = called_q4(taught_gguf, tmp_path_factory.mktemp("weights"))
    digest = file_digest(weights)
    with FakeOllama(tmp_path_factory.mktemp("fake")) as fake, OllamaClient(fake.address) as client:
        fake.does.version = "0.0.0"
        client.upload(weights, digest)
        answers = {}
        with httpx.Client(base_url=fake.address, timeout=30) as http:
            for exchange in EXCHANGES:
                path, body = (text.replace(RECORDED_FILE, digest) for text in (exchange.path, exchange.body))
                body = body.replace("What is your name?", QUESTION)  # its model was taught another answer
                answers[exchange.name] = http.request(exchange.method, path, content=body.encode())
        yield answers


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def plain(text: str) -> str:
    """Without what differs by nature."""
    text = re.sub(r"sha256([:-])[0-9a-f]{64}", r"sha256\1…", text)
    return re.sub(r"lookup (\S+) on [\d.:]+", r"lookup \1 on …", text)


def shape(value: Any) -> Any:
    """Names and types; of a list, those of its first value."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def without_free_names(value: Any) -> Any:
    """The model's own metadata has other names in each kind of model."""
    return {**value, "model_info": {}} if isinstance(value, dict) and "model_info" in value else value


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name.removesuffix(".txt"))
def test_it_answers_as_the_real_server_did(exchange: Exchange, replayed: dict[str, httpx.Response]) -> None:
    answered = replayed[exchange.name]
    assert answered.status_code == exchange.status
    assert answered.headers.get("Content-Type") == exchange.headers.get("Content-Type")
    if exchange.method == "HEAD":
        assert answered.headers.get("Content-Length") == exchange.headers.get("Content-Length")
    recorded, found = lines(exchange.answer), lines(answered.text)
    if recorded and set(recorded[-1]) <= {"status", "error"}:
        assert [plain(json.dumps(line)) for line in found] == [plain(json.dumps(line)) for line in recorded]
    else:
        assert [shape(without_free_names(line)) for line in (*found[:1], *found[-1:])] == [
            shape(without_free_names(line)) for line in (*recorded[:1], *recorded[-1:])
        ]


def test_every_recording_was_read() -> None:
    assert len(EXCHANGES) == 32
    assert {exchange.method for exchange in EXCHANGES} == {"HEAD", "POST", "GET", "DELETE"}
