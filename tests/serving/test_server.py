"""The server as clients meet it: OpenAI's own client, curl, and requests that nobody should send."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.workspace import Workspace
from models.embedded import wheel_weights
from tests.serving.running import Running, running, save_adapters

openai = pytest.importorskip("openai")
pytestmark = [pytest.mark.slow]

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
LARGE = 3_000_000


@pytest.fixture(scope="module")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A tiny model, two adapters of it, and the embedded model as a GGUF file."""
    place = tmp_path_factory.mktemp("server")
    adapters = save_adapters(tiny_model, place, 2)
    gguf = place / "small.gguf"
    weights = wheel_weights()
    assert weights is not None
    gguf.symlink_to(weights)
    models = [f"tiny={tiny_model}", f"one=adapter:{adapters[0]}", f"two=adapter:{adapters[1]}", f"small={gguf}"]
    workspace = Workspace(place / "workspace")
    with running(workspace, models=models, precision="fp32", context_length=512, logging={"chats": True}) as server:
        yield server


@pytest.fixture
def client(served: Running) -> Any:
    return openai.OpenAI(base_url=served.base_url, api_key="none", max_retries=0)


def test_models_are_listed(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["tiny", "one", "two", "small", "auto"]


@pytest.mark.parametrize("model", ["one", "small"])
def test_a_chat_is_answered_whole_and_streamed_alike(client: Any, model: str) -> None:
    asked = {"model": model, "messages": QUESTION, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    assert whole.model == model
    assert whole.usage.completion_tokens == 12
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 12
    assert whole.choices[0].finish_reason == "length"
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 12


def test_each_adapter_answers_for_itself(client: Any) -> None:
    def answer(model: str) -> str:
        made = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=16, temperature=0)
        return str(made.choices[0].message.content)

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(answer, ["tiny", "one", "two"]))
    assert together == [answer(model) for model in ("tiny", "one", "two")]
    assert len(set(together)) == 3


def test_texts_go_on_and_several_are_given_at_once(client: Any) -> None:
    made = client.completions.create(model="tiny", prompt=["Once", "Twice"], max_tokens=5, n=2, seed=3, temperature=1)
    assert [choice.index for choice in made.choices] == [0, 1, 2, 3]
    assert len({choice.text for choice in made.choices}) > 1
    streamed = client.completions.create(model="small", prompt="The capital of France is", max_tokens=4, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed).strip()


def test_the_same_seed_gives_the_same_answer(client: Any) -> None:
    def answer(seed: int) -> str:
        made = client.chat.completions.create(model="one", messages=QUESTION, max_tokens=16, temperature=1, seed=seed)
        return str(made.choices[0].message.content)

    assert answer(5) == answer(5)
    assert answer(5) != answer(6)


def test_a_gguf_model_is_held_to_a_schema(client: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}},
        "required": ["city"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    made = client.chat.completions.create(
        model="small", messages=QUESTION, max_tokens=60, temperature=0, response_format=form
    )
    assert set(json.loads(made.choices[0].message.content)) == {"city"}
    with pytest.raises(openai.BadRequestError, match="JSON schema"):
        client.chat.completions.create(model="tiny", messages=QUESTION, response_format=form)


def from_readme(begin: str, served: Running) -> str:
    """The first piece of the README that begins so, up to the end of its block, for this server's address."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    piece = readme[readme.index(begin) :].partition("```")[0]
    assert "http://127.0.0.1:8000" in piece
    return piece.replace("http://127.0.0.1:8000", served.address)


def test_curl_works_as_the_readme_says(served: Running) -> None:
    done = subprocess.run(from_readme("curl -s ", served), shell=True, capture_output=True, check=True, timeout=60)
    made = json.loads(done.stdout)
    assert made["object"] == "chat.completion"
    assert made["choices"][0]["message"]["role"] == "assistant"
    assert made["model"] == "small"


def test_the_python_client_works_as_the_readme_says(served: Running) -> None:
    script = from_readme("from openai import OpenAI", served)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip()


def test_the_headers_say_which_model_answered_and_why(served: Running) -> None:
    body = {"model": "auto", "messages": QUESTION, "max_tokens": 2}
    answer = httpx.post(f"{served.base_url}/chat/completions", json=body, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["X-Hearth-Model"] == "tiny"
    assert answer.headers["X-Hearth-Route"] == "default"
    assert answer.headers["X-Request-Id"] == answer.json()["id"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "nobody", "messages": QUESTION}, 404, "no model or route 'nobody'"),
        ({"model": "tiny", "messages": []}, 400, "messages"),
        ({"model": "tiny", "messages": [{"role": "user", "content": "word " * 900}]}, 400, "tokens"),
        ({"model": "tiny", "messages": QUESTION, "temperature": 9}, 400, "temperature"),
        ({"model": "tiny", "messages": QUESTION, "frequency_penalty": 1.0}, 400, "frequency_penalty"),
        ({"model": "tiny", "messages": [{"role": "user", "content": "x" * LARGE}]}, 413, "larger than 2 MB"),
    ],
    ids=["unknown model", "no message", "too long", "too hot", "not to be honoured", "too large"],
)
def test_requests_that_can_t_be_met_are_refused_in_openais_shape(
    served: Running, body: dict[str, Any], status: int, said: str
) -> None:
    answer = httpx.post(f"{served.base_url}/chat/completions", json=body, timeout=60)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
    assert answer.json()["error"]["type"]


def test_a_large_body_without_its_length_is_cut_off_too(served: Running) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    answer = httpx.post(
        f"{served.base_url}/chat/completions",
        content=endless(),
        headers={"Content-Type": "application/json"},
        timeout=60,
    )
    assert answer.status_code == 413


def test_health_and_metrics_tell_what_was_done(served: Running, client: Any) -> None:
    client.chat.completions.create(model="two", messages=QUESTION, max_tokens=3, temperature=0)
    health = httpx.get(f"{served.address}/health").json()
    assert health["status"] == "ok"
    text = httpx.get(f"{served.address}/metrics").text
    assert 'hearth_requests_total{model="two",status="200"}' in text
    assert 'hearth_tokens_total{kind="answer",model="two"}' in text
    assert "hearth_resident_memory_bytes" in text


def test_feedback_reaches_the_kept_chat(served: Running, client: Any) -> None:
    from datasets_src.interactions.store import Interactions

    made = client.chat.completions.create(
        model="one", messages=QUESTION, max_tokens=4, user="ada", metadata={"tag": "geo", "reasoning_mode": "short"}
    )
    given = {"id": made.id, "rating": 5, "edit": "Paris."}
    answer = httpx.post(f"{served.base_url}/feedback", json=given, timeout=30)
    assert answer.json()["kept"] == ["rating", "edit"]
    kept = [each for each in Interactions(served.workspace).find() if each.edit == "Paris."]
    assert [(each.model, each.tag, each.reasoning_mode, each.rating) for each in kept] == [("one", "geo", "short", 5)]
    assert httpx.post(f"{served.base_url}/feedback", json={"id": "unknown", "rating": 5}).status_code == 404
    alone = httpx.post(f"{served.base_url}/feedback", json={"id": given["id"], "success": True}, timeout=30)
    assert alone.status_code == 404 and "success alone counts in an experiment only" in alone.text


def test_schemathesis_finds_no_500(served: Running, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    command = [
        "st",
        "run",
        f"{served.address}/openapi.json",
        "--url",
        served.address,
        "--checks",
        "not_a_server_error",
        "--max-examples",
        "12",
        "--request-timeout",
        "120",
        "--seed",
        "1",
        "--suppress-health-check",
        "all",
        "--exclude-path",
        "/metrics",
    ]
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([str(program), *command[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-4000:]
