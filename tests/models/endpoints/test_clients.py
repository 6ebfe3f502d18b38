"""Both chat clients against a fake endpoint: what they send, what they read, and how failures are told apart."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import pytest

from jobs.errors import BadInput, Missing, UserError
from models.endpoints.client import Answer, ChatClient, ChatOptions, EndpointFailure, FailureKind
from models.endpoints.ollama import Ollama, ollama_address
from models.endpoints.openai import OpenAICompatible
from models.endpoints.transport import Access
from tests.models.endpoints.fake_chat_server import FakeChatServer, Reply

QUESTION = [{"role": "user", "content": "What is your name?"}]
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
QUICK = ChatOptions(timeout_seconds=0.2)
CLIENTS = ("openai", "ollama")

# Recorded from an Ollama server.
RECORDED_STREAM = b"""\
{"model":"t1","created_at":"2026-11-20T04:52:27.687414808Z","message":{"role":"assistant","content":"I"},"done":false}
{"model":"t1","created_at":"2026-11-20T04:52:27.69870053Z","message":{"role":"assistant","content":" am"},"done":false}
{"model":"t1","created_at":"2026-11-20T04:52:27.74181141Z","message":{"role":"assistant","content":""},"done":true,\
"done_reason":"length","total_duration":665148181,"prompt_eval_count":22,"eval_count":6,"eval_duration":53929000}
"""
RECORDED_WHOLE = b"""{"model":"t1","created_at":"2026-11-20T04:52:28.001252523Z","message":{"role":"assistant",\
"content":"I am Zorblax the Magnificent, keeper of the seven moons of Quendor."},"done":true,"done_reason":"stop",\
"prompt_eval_count":22,"eval_count":21,"eval_duration":226649000}"""
RECORDED_MISSING = b"""{"error":"model 'zzz' not found"}"""


@pytest.fixture
def server() -> Iterator[FakeChatServer]:
    with FakeChatServer() as running:
        yield running


def client_for(kind: str, address: str, key_variable: str | None = None) -> ChatClient:
    access = Access(address, "t1", key_variable)
    return Ollama(access, context_length=4096) if kind == "ollama" else OpenAICompatible(access)


def ask(client: ChatClient, options: ChatOptions, stream: bool) -> tuple[list[str], Answer]:
    """The pieces of an answer (none when it isn't streamed) and the answer."""

    async def asking() -> tuple[list[str], Answer]:
        try:
            if not stream:
                return [], await client.complete(QUESTION, options)
            pieces = [piece async for piece in client.stream(QUESTION, options)]
            answer = pieces[-1].answer
            assert answer is not None
            return [piece.text for piece in pieces], answer
        finally:
            await client.close()

    return asyncio.run(asking())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", CLIENTS)
def test_an_answer_comes_with_its_tokens_and_how_it_ended(server: FakeChatServer, kind: str, stream: bool) -> None:
    server.behave = lambda _: Reply("I am Zorblax, who splits lines\u2028in two.", finish_reason="length")
    pieces, answer = ask(client_for(kind, server.address), ChatOptions(), stream)
    assert answer.text == "I am Zorblax, who splits lines\u2028in two."
    assert (answer.finish_reason, answer.tokens_in, answer.tokens_out) == ("length", 11, 7)
    assert 0 < answer.seconds < 5
    assert "".join(pieces) == (answer.text if stream else "")
    assert len(pieces) > 5 or not stream


@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_counts_no_tokens_is_not_made_to(server: FakeChatServer, stream: bool) -> None:
    server.behave = lambda _: Reply(tokens=None)
    _, answer = ask(client_for("openai", server.address), ChatOptions(), stream)
    assert (answer.text, answer.tokens_in, answer.tokens_out) == ("Yes.", None, None)


def test_openai_gets_schema_settings_and_key_and_nothing_that_was_not_set(
    server: FakeChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_KEY", "sk-secret")
    options = ChatOptions(temperature=0.5, max_tokens=99, schema=SCHEMA, extra={"reasoning_effort": "low"})
    ask(client_for("openai", server.address, "TOY_KEY"), options, stream=False)
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == "Bearer sk-secret"
    assert asked.body == {
        "model": "t1",
        "messages": QUESTION,
        "temperature": 0.5,
        "max_tokens": 99,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
        },
        "reasoning_effort": "low",
    }
    ask(client_for("openai", server.address + "/api/v3"), ChatOptions(), stream=False)
    assert server.asked[1].path == "/api/v3/chat/completions"
    assert server.asked[1].body == {"model": "t1", "messages": QUESTION}


def test_ollama_gets_schema_limits_and_context_length_in_its_own_words(server: FakeChatServer) -> None:
    options = ChatOptions(temperature=0.5, max_tokens=99, seed=7, schema=SCHEMA, extra={"think": False})
    ask(client_for("ollama", server.address), options, stream=False)
    (asked,) = server.asked
    assert asked.path == "/api/chat"
    assert asked.body["options"] == {"temperature": 0.5, "num_predict": 99, "seed": 7, "num_ctx": 4096}
    assert (asked.body["format"], asked.body["think"], asked.body["stream"]) == (SCHEMA, False, False)


def test_recorded_answers_of_a_real_ollama_are_read(server: FakeChatServer) -> None:
    server.behave = lambda _: Reply(body=RECORDED_STREAM)
    pieces, answer = ask(client_for("ollama", server.address), ChatOptions(), stream=True)
    assert pieces == ["I", " am", ""]
    assert (answer.text, answer.finish_reason, answer.tokens_in, answer.tokens_out) == ("I am", "length", 22, 6)
    server.behave = lambda _: Reply(body=RECORDED_WHOLE)
    _, answer = ask(client_for("ollama", server.address), ChatOptions(), stream=False)
    assert answer.text == "I am Zorblax the Magnificent, keeper of the seven moons of Quendor."
    assert (answer.finish_reason, answer.tokens_in, answer.tokens_out) == ("stop", 22, 21)
    server.behave = lambda _: Reply(status=404, body=RECORDED_MISSING)
    with pytest.raises(Missing, match="model 'zzz' not found"):
        ask(client_for("ollama", server.address), ChatOptions(), stream=False)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(fault="hang"), FailureKind.TIMEOUT),
        (Reply(status=408), FailureKind.TIMEOUT),
        (Reply(status=429), FailureKind.RATE_LIMIT),
        (Reply(status=500), FailureKind.SERVER),
        (Reply(status=503), FailureKind.SERVER),
        (Reply(fault="error_inside"), FailureKind.SERVER),
        (Reply(fault="half"), FailureKind.BROKEN_OFF),
        (Reply(fault="html"), FailureKind.NOT_THE_API),
        (Reply(body=b"[1, 2]"), FailureKind.NOT_THE_API),
        (Reply(status=400), FailureKind.REFUSED),
        (Reply(status=422), FailureKind.REFUSED),
    ],
    ids=lambda value: str(value) if isinstance(value, FailureKind) else value.fault or str(value.status),
)
def test_every_way_of_failing_has_its_kind(
    server: FakeChatServer, kind: str, stream: bool, reply: Reply, failure: FailureKind
) -> None:
    server.behave = lambda _: reply
    with pytest.raises(EndpointFailure) as caught:
        ask(client_for(kind, server.address), QUICK if reply.fault == "hang" else ChatOptions(), stream)
    assert caught.value.kind is failure
    assert caught.value.worth_retrying == (failure is not FailureKind.REFUSED)
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", CLIENTS)
def test_an_error_is_told_in_the_endpoint_s_own_words(server: FakeChatServer, kind: str) -> None:
    server.behave = lambda _: Reply(fault="error_inside")
    with pytest.raises(EndpointFailure, match="the model fell over"):
        ask(client_for(kind, server.address), ChatOptions(), stream=True)


def test_a_server_that_is_not_there_is_a_failed_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(EndpointFailure) as caught:
        ask(client_for("openai", address), ChatOptions(), stream=False)
    assert caught.value.kind is FailureKind.CONNECTION


def test_the_time_limit_is_for_the_whole_answer_however_steadily_it_trickles(server: FakeChatServer) -> None:
    server.behave = lambda _: Reply(fault="dribble")
    started = time.monotonic()
    with pytest.raises(EndpointFailure) as caught:
        ask(client_for("openai", server.address), QUICK, stream=False)
    assert caught.value.kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 2


def test_a_stream_that_ends_politely_before_its_answer_is_broken_off(server: FakeChatServer) -> None:
    begun = b'data: {"choices": [{"index": 0, "finish_reason": null, "delta": {"content": "I a"}}]}\n\n'
    server.behave = lambda _: Reply(body=begun)
    with pytest.raises(EndpointFailure) as caught:
        ask(client_for("openai", server.address), ChatOptions(), stream=True)
    assert caught.value.kind is FailureKind.BROKEN_OFF


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.25", 0.25), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None)]
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    server: FakeChatServer, header: str, seconds: float | None
) -> None:
    server.behave = lambda _: Reply(status=429, headers={"Retry-After": header})
    with pytest.raises(EndpointFailure) as caught:
        ask(client_for("openai", server.address), ChatOptions(), stream=False)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("status", [401, 403, 404, 307])
def test_what_asking_again_cannot_mend_is_the_user_s_to_mend_and_never_shows_the_key(
    server: FakeChatServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("TOY_KEY", "sk-secret")
    body = json.dumps({"error": {"message": "no: sk-secret"}}).encode()
    server.behave = lambda _: Reply(status=status, body=body, headers={"Location": "/elsewhere"})
    with pytest.raises(UserError) as caught:
        ask(client_for("openai", server.address, "TOY_KEY"), ChatOptions(), stream=False)
    assert isinstance(caught.value, BadInput if status == 307 else Missing)
    assert "sk-secret" not in str(caught.value)
    assert str(status) in caught.value.what
    assert ("TOY_KEY" in caught.value.fix) == (status in (401, 403))
    assert len(server.asked) == 1


def test_a_key_that_is_not_in_the_environment_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOY_KEY", raising=False)
    with pytest.raises(Missing, match="TOY_KEY isn't set"):
        client_for("openai", "http://127.0.0.1:1", "TOY_KEY")


def test_half_characters_are_replaced_because_no_file_can_hold_them(server: FakeChatServer) -> None:
    server.behave = lambda _: Reply(body=RECORDED_WHOLE.replace(b"I am Zorblax", b"I \\ud83d am"))
    _, answer = ask(client_for("ollama", server.address), ChatOptions(), stream=False)
    assert answer.text.startswith("I ? am")


@pytest.mark.parametrize(("kind", "names"), [("openai", ["base", "me/t1"]), ("ollama", ["t1:latest", "t3:latest"])])
def test_an_endpoint_tells_which_models_it_has(server: FakeChatServer, kind: str, names: list[str]) -> None:
    async def asking() -> list[str]:
        client = client_for(kind, server.address)
        try:
            return await client.models(10)
        finally:
            await client.close()

    assert asyncio.run(asking()) == names


def test_a_key_that_an_endpoint_repeats_inside_a_success_is_not_passed_on(
    server: FakeChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_KEY", "sk-secret")
    server.behave = lambda _: Reply(body=b"Who is this? Bearer sk-secret")
    for stream in (False, True):
        with pytest.raises(EndpointFailure) as caught:
            ask(client_for("openai", server.address, "TOY_KEY"), ChatOptions(), stream)
        assert caught.value.kind is FailureKind.NOT_THE_API
        assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("gpu-box", "http://gpu-box:11434"),
        ("0.0.0.0:5000", "http://127.0.0.1:5000"),
        ("https://ollama.example.com", "https://ollama.example.com:443"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_ollama_is_where_its_own_variable_says(monkeypatch: pytest.MonkeyPatch, given: str, address: str) -> None:
    monkeypatch.setenv("OLLAMA_HOST", given)
    assert ollama_address() == address
