"""The chat job in a thread of this process: both sides streamed, bad requests answered, stop and yield honoured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation import chat
from evaluation.generate import generate
from jobs.context import JobContext
from jobs.errors import Stopped
from models.load import load_model

MakeContext = Callable[..., JobContext]
QUESTION = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_new_tokens": 12}


class Running:
    """A chat job in a thread, and how it ended."""

    def __init__(self, context: JobContext) -> None:
        self.context = context
        self.figures: dict[str, Any] | None = None
        self.stopped = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.figures = chat.run(self.context)
        except Stopped:
            self.stopped = True

    def ask(self, request_id: str, **request: Any) -> list[dict[str, Any]]:
        """The whole reply."""
        self.context.directory.ask(request_id, request)
        self.wait(lambda: any("finished" in part for part in self.context.directory.replies(request_id)))
        return self.context.directory.replies(request_id)

    def wait(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; status: {self.context.status}"
            assert self.thread.is_alive() or condition(), "the chat job ended"
            time.sleep(0.02)


@pytest.fixture
def begin(context_of: MakeContext) -> Iterator[Callable[..., Running]]:
    """Start chat jobs; those that still run at the end of the test are stopped."""
    started: list[Running] = []

    def start(model: str, wanted: Callable[[], str | None] = lambda: None, **spec: Any) -> Running:
        context = context_of("chat", model=model, precision="fp32", **spec)
        context.resource_wanted = wanted
        started.append(Running(context))
        return started[-1]

    yield start
    for running in started:
        running.context.directory.request_stop()
        running.thread.join(timeout=30)
        assert not running.thread.is_alive()


def text_of(parts: list[dict[str, Any]], side: str) -> str:
    return "".join(part["text"] for part in parts if part.get("side") == side and "text" in part)


def test_both_sides_stream_together_and_say_what_the_models_say(
    begin: Callable[..., Running], lively_model: Path, tiny_adapter: Path
) -> None:
    running = begin(f"adapter:{tiny_adapter}")
    parts = running.ask("0001", **QUESTION)
    for side, model in (("base", str(lively_model)), ("tuned", f"adapter:{tiny_adapter}")):
        loaded = load_model(model, precision="fp32")
        assert text_of(parts, side) == generate(loaded, [QUESTION["messages"]], max_new_tokens=12, batch_size=1)[0].text
        done = next(part for part in parts if part.get("side") == side and part.get("done"))
        assert 0 < done["time_to_first_token"] <= done["seconds"] and done["tokens"] > 0
    assert parts[-1] == {"finished": True}
    order = [part["side"] for part in parts if "text" in part]
    assert order.index("tuned") < len(order) - 1 - order[::-1].index("base"), "the sides take turns"


def test_one_side_can_be_asked_alone_and_the_job_is_ready_again(
    begin: Callable[..., Running], tiny_adapter: Path
) -> None:
    running = begin(f"adapter:{tiny_adapter}")
    parts = running.ask("0001", **QUESTION, sides=["base"])
    assert {part["side"] for part in parts if "side" in part} == {"base"}
    running.wait(lambda: running.context.status.message == "ready")
    assert running.ask("0002", **QUESTION, sides=["base"])[:1] == parts[:1]


def test_a_bad_request_gets_its_error_and_the_job_goes_on(begin: Callable[..., Running], tiny_adapter: Path) -> None:
    running = begin(f"adapter:{tiny_adapter}")
    parts = running.ask("0001", messages=[], heat=2)
    assert len(parts) == 1 and parts[0]["finished"]
    assert "heat: unknown option" in parts[0]["error"]["what"]
    assert text_of(running.ask("0002", **QUESTION), "tuned")


def test_a_model_without_an_adapter_answers_alone(begin: Callable[..., Running], lively_model: Path) -> None:
    running = begin(str(lively_model))
    assert "'base' was asked for" in running.ask("0001", **QUESTION)[0]["error"]["what"]
    assert text_of(running.ask("0002", **QUESTION, sides=["tuned"]), "tuned")


def test_a_stop_during_an_answer_ends_it_at_once(begin: Callable[..., Running], tiny_adapter: Path) -> None:
    running = begin(f"adapter:{tiny_adapter}")
    running.context.directory.ask("0001", {**QUESTION, "max_new_tokens": 30_000, "temperature": 5.0})
    running.wait(lambda: len(running.context.directory.replies("0001")) > 3)
    running.context.directory.request_stop()
    running.thread.join(timeout=10)
    assert running.stopped
    assert running.context.directory.replies("0001")[-1] == {"finished": True, "stopped": True}


def test_an_idle_chat_makes_room_for_a_waiting_job_and_says_for_which(
    begin: Callable[..., Running], tiny_adapter: Path
) -> None:
    running = begin(f"adapter:{tiny_adapter}", wanted=lambda: "Training of snake")
    running.thread.join(timeout=30)
    assert running.figures == {"message": "Closed to free the machine for Training of snake", "answers": 0}
    assert "Training of snake" in running.context.status.message


def test_a_chat_that_nobody_uses_closes(begin: Callable[..., Running], tiny_adapter: Path) -> None:
    running = begin(f"adapter:{tiny_adapter}", idle_minutes=0.001)
    running.thread.join(timeout=30)
    assert running.figures is not None and "without a message" in running.figures["message"]
