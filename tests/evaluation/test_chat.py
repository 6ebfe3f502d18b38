"""The chat job in a thread of this process: models streamed together, bad requests answered, stop and yield kept."""

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
from tests.evaluation.conftest import make_adapter
from tests.models.endpoints.fake_chat_server import FakeChatServer, Reply

MakeContext = Callable[..., JobContext]
MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
LONGER = [{"role": "system", "content": "Answer in one word."}, *MESSAGES]


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

    def ask(self, request_id: str, *asks: dict[str, Any]) -> list[dict[str, Any]]:
        """The whole reply."""
        self.context.directory.ask(request_id, {"asks": list(asks)})
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

    def start(*models: str, wanted: Callable[[], str | None] = lambda: None, **spec: Any) -> Running:
        context = context_of("chat", models=list(models), precision="fp32", **spec)
        context.resource_wanted = wanted
        started.append(Running(context))
        return started[-1]

    yield start
    for running in started:
        running.context.directory.request_stop()
        running.thread.join(timeout=30)
        assert not running.thread.is_alive()


def ask_of(voice: int, messages: list[dict[str, str]] = MESSAGES, **sampling: Any) -> dict[str, Any]:
    return {"voice": voice, "messages": messages, "sampling": {"max_new_tokens": 12, **sampling}}


def text_of(parts: list[dict[str, Any]], voice: int) -> str:
    return "".join(part["text"] for part in parts if part.get("voice") == voice and "text" in part)


def done_of(parts: list[dict[str, Any]], voice: int) -> dict[str, Any]:
    return next(part for part in parts if part.get("voice") == voice and part.get("done"))


def test_a_base_and_two_adapters_answer_in_one_batch_what_each_says_alone(
    begin: Callable[..., Running], lively_model: Path, tiny_adapter: Path, second_adapter: Path
) -> None:
    """Prompts of different lengths, so that padding and positions matter."""
    models = [str(lively_model), f"adapter:{tiny_adapter}", f"adapter:{second_adapter}"]
    running = begin(*models)
    asked = [MESSAGES, LONGER, MESSAGES]
    parts = running.ask("0001", *(ask_of(voice, messages) for voice, messages in enumerate(asked)))
    answers = []
    for voice, (model, messages) in enumerate(zip(models, asked, strict=True)):
        loaded = load_model(model, precision="fp32")
        answers.append(text_of(parts, voice))
        assert answers[-1] == generate(loaded, [messages], max_new_tokens=12, batch_size=1)[0].text
        done = done_of(parts, voice)
        assert 0 < done["time_to_first_token"] <= done["seconds"] and done["tokens"] > 0
        assert [token for token, _ in done["prompt"]] == loaded.tokenizer.encode_prompt(messages)
        assert done["shared_by"] == done["together"] == 3
    assert len(set(answers)) == 3, "the models have to differ for this to say anything"
    assert parts[-1] == {"finished": True}
    order = [part["voice"] for part in parts if "text" in part]
    assert order.index(2) < len(order) - 1 - order[::-1].index(0), "they write together"


def test_an_adapter_that_cant_share_a_batch_takes_turns_on_the_same_load(
    begin: Callable[..., Running], lively_model: Path, tmp_path: Path
) -> None:
    dora = make_adapter(lively_model, tmp_path / "dora", seed=5, use_dora=True)
    models = [str(lively_model), f"adapter:{dora}"]
    parts = begin(*models).ask("0001", ask_of(0), ask_of(1))
    for voice, model in enumerate(models):
        loaded = load_model(model, precision="fp32")
        assert text_of(parts, voice) == generate(loaded, [MESSAGES], max_new_tokens=12, batch_size=1)[0].text
    order = [part["voice"] for part in parts if "text" in part]
    assert order[:4] in ([0, 1, 0, 1], [1, 0, 1, 0])


def test_each_model_has_its_own_sampling_and_the_same_seed_gives_the_same_answer(
    begin: Callable[..., Running], lively_model: Path, tiny_adapter: Path
) -> None:
    running = begin(str(lively_model), f"adapter:{tiny_adapter}")
    first = running.ask("0001", ask_of(0, temperature=1.0, seed=7), ask_of(1, max_new_tokens=3))
    again = running.ask("0002", ask_of(0, temperature=1.0, seed=7))
    other = running.ask("0003", ask_of(0, temperature=1.0, seed=8))
    assert text_of(first, 0) == text_of(again, 0) != text_of(other, 0)
    assert done_of(first, 1)["tokens"] <= 3


def test_models_that_dont_fit_together_answer_one_after_the_other(
    begin: Callable[..., Running], lively_model: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "_free_memory", lambda: 1)
    running = begin(str(lively_model), str(tiny_model))
    parts = running.ask("0001", ask_of(0), ask_of(1))
    assert [part["voice"] for part in parts if part.get("done")] == [0, 1]
    assert len({part["voice"] for part in parts[: parts.index(done_of(parts, 0))]}) == 1
    resolved = running.context.directory.resolved or {}
    assert resolved["together"]["value"] is False and "GB are free" in resolved["together"]["origin"]


def test_a_model_behind_an_endpoint_answers_beside_a_loaded_one(
    begin: Callable[..., Running], tiny_adapter: Path
) -> None:
    with FakeChatServer(lambda _asked: Reply("Paris, of course.")) as endpoint:
        running = begin(f"adapter:{tiny_adapter}", f"{endpoint.address}/v1#far-away")
        parts = running.ask("0001", ask_of(0), ask_of(1, temperature=0.5, top_p=0.9))
        assert text_of(parts, 1) == "Paris, of course."
        assert text_of(parts, 0)
        sent = endpoint.asked[-1].body
        assert (sent["temperature"], sent["top_p"], sent["max_tokens"], sent["model"]) == (0.5, 0.9, 12, "far-away")
    gone = running.ask("0002", ask_of(0), ask_of(1))
    assert text_of(gone, 0), "the other model answers all the same"
    assert "gave no answer" in done_of(gone, 1)["error"]["what"]


def test_a_bad_request_gets_its_error_and_the_job_goes_on(begin: Callable[..., Running], tiny_adapter: Path) -> None:
    running = begin(f"adapter:{tiny_adapter}")
    parts = running.ask("0001", ask_of(0, heat=2))
    assert len(parts) == 1 and parts[0]["finished"]
    assert "heat: unknown option" in parts[0]["error"]["what"]
    assert "Model 4 was asked" in running.ask("0002", ask_of(3))[0]["error"]["what"]
    assert text_of(running.ask("0003", ask_of(0)), 0)


def test_a_stop_during_an_answer_ends_it_at_once(begin: Callable[..., Running], tiny_adapter: Path) -> None:
    running = begin(f"adapter:{tiny_adapter}")
    running.context.directory.ask("0001", {"asks": [ask_of(0, max_new_tokens=30_000, temperature=5.0)]})
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
