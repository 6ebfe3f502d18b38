"""The ollama commands, run in this process against the fake server."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.ollama import ollama_app
from export.ollama.blobs import file_digest
from export.ollama.client import ModelParts, OllamaClient
from jobs import launcher
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from tests.export.conftest import f16_gguf as f16_gguf
from tests.export.ollama.fake_server import FakeOllama

Run = Callable[..., str]


@pytest.fixture
def server(tmp_path: Path, f16_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOllama]:
    """A fake server, named by OLLAMA_HOST, that has the model `toy`."""
    with FakeOllama(tmp_path / "ollama") as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.address)
        with OllamaClient() as client:
            digest = file_digest(f16_gguf)
            client.upload(f16_gguf, digest)
            assert list(client.create("toy", {"toy.gguf": digest}, ModelParts()))[-1] == "success"
        yield fake


@pytest.fixture
def run(server: FakeOllama) -> Run:  # noqa: ARG001 - it has to be there
    """Runs a command, which finds that server."""

    def command(*arguments: object, answer: str | None = None) -> str:
        texts = [str(each) for each in arguments]
        result = CliRunner().invoke(ollama_app, texts, input=answer, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return command


def test_the_list_shows_models_and_what_is_in_memory(run: Run) -> None:
    assert "toy:latest" in run("list") and "in memory" not in run("list")
    with OllamaClient() as client:
        list(client.chat("toy", [{"role": "user", "content": "Hi"}], num_predict=1))
    found = json.loads(run("list", "--json"))
    assert found["version"] == "0.30.0"
    assert [(model["name"], model["loaded"]["name"]) for model in found["models"]] == [("toy:latest", "toy:latest")]
    assert run("unload").startswith("Unloaded toy:latest: 0.0")
    assert run("unload", "toy") == "No model was in memory.\n"
    with pytest.raises(Missing, match="has no model 'none'"):
        run("unload", "none")


def test_a_model_is_removed_only_when_that_is_confirmed(run: Run) -> None:
    with pytest.raises(BadInput, match="toy was not deleted"):
        run("remove", "toy", answer="n\n")
    assert "toy:latest" in run("list")
    assert json.loads(run("remove", "toy", "--yes", "--json"))["removed"] == "toy"
    assert "has no model yet" in run("list")
    with pytest.raises(Missing, match="has no model 'toy'"):
        run("remove", "toy")


def test_a_question_is_answered_as_text_or_json(run: Run) -> None:
    answered = json.loads(run("chat", "toy", "Hi", "--tokens", "4", "--json"))
    assert (answered["model"], answered["finish_reason"]) == ("toy", "length")
    with OllamaClient() as client:  # greedy, so that it says the same again
        said = "".join(piece.text for piece in client.chat("toy", [{"role": "user", "content": "Hi"}], num_predict=4))
    assert answered["answer"] == said
    assert run("chat", "toy", "Hi", "--tokens", "4") == f"{said}\n"


def test_a_push_wants_the_name_twice(run: Run, server: FakeOllama) -> None:
    with pytest.raises(BadInput, match="your-account/toy"):
        run("push", "toy")
    with OllamaClient() as client:
        client.copy("toy", "me/toy")
    server.does.registry = True
    for arguments, answer in ((("--confirm", "me/toi"), None), ((), "no\n")):
        with pytest.raises(BadInput, match="was not pushed"):
            run("push", "me/toy", *arguments, answer=answer)
    assert server.pushed == []
    assert run("push", "me/toy", answer="me/toy\n").endswith("Pushed me/toy.\n")
    assert server.pushed == ["me/toy:latest"]


def test_create_starts_a_job_of_the_options_and_refuses_a_bad_one_at_once(
    run: Run, workspace: Workspace, f16_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "WORKER_COMMAND", [sys.executable, "-c", "pass"])
    path = workspace.new_job_path("export")
    export = JobDirectory.create(path, kind="export", title="toy", spec={"job": "x"}, resource=None)
    shutil.copyfile(f16_gguf, path / "toy-F16.gguf")
    export.write_manifest({})
    at = ("--workspace", workspace.root, "--detach", "--json")
    started = json.loads(run("create", f"job:{export.id[-4:]}/toy-F16.gguf", "--name", "me/toy", "--replace", *at))
    job = workspace.job(started["job"])
    spec = job.header["spec"]
    assert (job.header["kind"], job.header["resource"]) == ("ollama", None)
    assert (spec["gguf"], spec["name"], spec["replace"]) == (f"job:{export.id}/toy-F16.gguf", "me/toy", True)
    for arguments, problem in {
        ("toy.gguf", "--name", "toy"): "There is no file",
        ("toy.gguf", "--name", "bad name!"): "would be refused by Ollama",
        ("toy.gguf", "--name", "me/toy", "--push_confirmation", "toy"): "has to repeat the name",
    }.items():
        with pytest.raises((BadInput, Missing), match=problem):
            run("create", *arguments, *at)
    assert len(workspace.list_jobs("ollama")) == 1
