"""The chat with a running server: streams, headers, feedback, and every way in which the server can refuse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from tests.ui.page_process import free_port
from tests.ui.serving_page import FakeServer
from ui.serving_client import Asked, ask, send_feedback
from ui.serving_talk import correct, keep_about, rate, read_turns, save_turns, say, talk_html


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def address(server: FakeServer) -> Iterator[str]:
    with server.running() as place:
        yield place


def test_an_answer_grows_and_says_who_gave_it_and_why(workspace: Workspace, server: FakeServer, address: str) -> None:
    keep_about(workspace, user="ann", tag="sql", reasoning_mode=" ")
    shown = list(say(workspace, address, "", "auto", "Hi?"))
    assert "Hi?" in shown[0] and "writing" in shown[0]
    assert "Hello there" in shown[-1] and "no rule fits" in shown[-1] and "toy" in shown[-1]
    assert server.asked[0]["user"] == "ann" and server.asked[0]["metadata"] == {"tag": "sql"}
    list(say(workspace, address, "secret", "auto", "And?"))
    assert [each["content"] for each in server.asked[1]["messages"]] == ["Hi?", "Hello there", "And?"]
    assert server.keys == ["", "Bearer secret"]


def test_a_key_is_kept_nowhere(workspace: Workspace, address: str) -> None:
    list(say(workspace, address, "hearth-secret", "auto", "Hi?"))
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert files and not any(b"hearth-secret" in path.read_bytes() for path in files)


def test_a_thumb_and_a_correction_go_to_the_server_and_show_once_kept(
    workspace: Workspace, server: FakeServer, address: str
) -> None:
    list(say(workspace, address, "", "auto", "Hi?"))
    rate(workspace, "", "chatcmpl-1", good=False)
    assert server.asked[-1] == {"id": "chatcmpl-1", "rating": 1}
    assert 'data-do="poor" data-about="chatcmpl-1" aria-pressed="true"' in talk_html(read_turns(workspace))
    with pytest.raises(BadInput, match="Nothing was changed"):
        correct(workspace, "", "chatcmpl-1", "Hello there")
    correct(workspace, "", "chatcmpl-1", "Good morning")
    assert server.asked[-1] == {"id": "chatcmpl-1", "edit": "Good morning"}
    assert 'Corrected: <span translate="no">Good morning</span>' in talk_html(read_turns(workspace))


def test_feedback_that_the_server_refuses_shows_no_thumb(
    workspace: Workspace, server: FakeServer, address: str
) -> None:
    list(say(workspace, address, "", "auto", "Hi?"))
    server.status, server.said = 404, "No answers are kept."
    with pytest.raises(BadInput, match="feedback was not kept") as problem:
        rate(workspace, "", "chatcmpl-1", good=True)
    assert "No answers are kept." in problem.value.why and "Keep chats" in problem.value.fix
    assert read_turns(workspace)[0].rating is None


@pytest.mark.parametrize(("status", "hint"), [(401, "Enter a key"), (429, "Wait"), (503, "Wait"), (500, "log")])
def test_a_refusal_is_told_in_the_servers_words(server: FakeServer, address: str, status: int, hint: str) -> None:
    server.status, server.said = status, "not now"
    with pytest.raises(BadInput) as problem:
        list(ask(address, "", Asked([{"role": "user", "content": "x"}], "auto")))
    assert problem.value.why == "not now" and hint in problem.value.fix


def test_an_answer_that_breaks_off_is_an_error_and_is_not_kept(
    workspace: Workspace, server: FakeServer, address: str
) -> None:
    server.events.append({"error": {"message": "the model was stopped"}})
    with pytest.raises(BadInput, match="broke off"):
        list(say(workspace, address, "", "auto", "Hi?"))
    assert read_turns(workspace) == []


def test_without_a_server_the_error_says_what_to_do() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Missing, match="Nothing answers"):
        list(ask(address, "", Asked([], "auto")))
    with pytest.raises(Missing, match="Nothing answers"):
        send_feedback(address, "", "id", rating=5)


def test_an_empty_message_is_refused_and_hostile_answers_are_shown_inertly(
    workspace: Workspace, server: FakeServer, address: str
) -> None:
    with pytest.raises(BadInput, match="nothing to ask"):
        list(say(workspace, address, "", "auto", "  "))
    server.events = [{"choices": [{"index": 0, "delta": {"content": "<script>alert(1)</script>"}}]}]
    shown = list(say(workspace, address, "", "auto", "<img src=x onerror=alert(1)>"))[-1]
    assert "<script" not in shown and "<img" not in shown
    save_turns(workspace, [])
    assert talk_html(read_turns(workspace)) == ""
