"""The Ollama job from an export's file to a checked model; stopped, killed and failing on the way, it goes on."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import pytest

from export.ollama import job as ollama_job
from export.ollama.blobs import file_digest
from export.ollama.client import OllamaClient
from export.ollama.spec import OllamaSpec
from jobs.context import JobContext
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput, Missing, OutOfRoom, Stopped
from jobs.workspace import Workspace
from tests.export.conftest import conversation
from tests.export.ollama.conftest import LEARNED, QUESTION, create
from tests.export.ollama.fake_server import FakeOllama, Misbehaviour
from tests.toys import publish_rows

MODELFILE = "FROM ./taught-F16.gguf\nPARAMETER stop <|im_end|>\nPARAMETER num_ctx 512\nPARAMETER temperature 0\n"


@pytest.fixture
def exported(workspace: Workspace, wrong_model: Path, taught_gguf: Path) -> JobDirectory:
    """A finished export of a finished training, as far as this job looks at them."""
    training = JobDirectory.create(
        workspace.new_job_path("train"), kind="train", title="toy", spec={"model": "embedded"}, resource=None
    )
    shutil.copytree(wrong_model, training.path / "model")
    row = {"messages": conversation(QUESTION, LEARNED), "source": "facts.jsonl", "row": 1, "group": "1"}
    training.write_resolved({"data": {"value": publish_rows(workspace, "facts", [row], [row]).id, "origin": "latest"}})
    spec = {"job": training.id}
    job = JobDirectory.create(workspace.new_job_path("export"), kind="export", title="toy", spec=spec, resource=None)
    shutil.copyfile(taught_gguf, job.path / "taught-F16.gguf")
    (job.path / "Modelfile-F16").write_text(MODELFILE)
    job.write_manifest({})
    return job


@pytest.fixture
def begin(workspace: Workspace, exported: JobDirectory, fake: FakeOllama) -> Iterator[Any]:
    """Makes a job with these options beside the usual ones."""

    def make(**options: Any) -> JobContext:
        spec = {"gguf": f"job:{exported.id}/taught-F16.gguf", "name": "toy", "address": fake.address, **options}
        values = OllamaSpec.parse(spec).model_dump(mode="json")
        path = workspace.new_job_path("ollama")
        return JobContext(
            JobDirectory.create(path, kind="ollama", title="toy", spec=values, resource=None), attempt=1, started=0.0
        )

    yield make


def again(context: JobContext) -> JobContext:
    """The next attempt of the same job."""
    context.directory.clear_stop()
    return JobContext(context.directory, attempt=context.attempt + 1, started=0.0)


def test_a_file_becomes_a_model_that_is_asked_and_compared(
    begin: Any, fake: FakeOllama, taught_gguf: Path, client: OllamaClient
) -> None:
    context = begin()
    figures = ollama_job.run(context)
    assert figures["message"] == "toy is in Ollama; checked"
    assert (figures["verified"], figures["pushed"]) == (True, False)
    assert figures["sent_bytes"] == taught_gguf.stat().st_size
    assert re.fullmatch(r"Ollama: same prompt tokens on (\d+) of \1 conversations", figures["check"])
    report = json.loads((context.path / "ollama.json").read_text())
    assert {"one question", "a system prompt", "facts.jsonl, row 1"} <= set(report["rendering"]["same"])
    assert (report["question"], report["answer"]) == (QUESTION, LEARNED)
    assert [path.name for path in context.artifacts] == ["ollama.json"]
    created = next(body for body in fake.bodies if "files" in body)
    assert created["parameters"] == {"stop": ["<|im_end|>"], "num_ctx": 512, "temperature": 0.0}
    assert client.loaded() == []  # its memory is free again
    assert not any(asked.startswith("POST /api/push") for asked in fake.asked)


def test_sending_says_its_bytes_its_speed_and_the_time_left(
    begin: Any, monkeypatch: pytest.MonkeyPatch, taught_gguf: Path
) -> None:
    told: list[tuple[str, float | None]] = []
    monkeypatch.setattr(JobContext, "progress", lambda _self, _fraction, message, eta=None: told.append((message, eta)))
    # Half a second passes between two looks at the clock: how quickly a small file really goes depends on the machine.
    clock = itertools.count(0.0, 0.5)
    monkeypatch.setattr("export.ollama.job.time.monotonic", lambda: next(clock))
    ollama_job.run(begin(check=False))
    total = f"{taught_gguf.stat().st_size / 1e6:,.0f}"
    sending = [each for each in told if each[0].startswith("Sending to http://127.0.0.1")]
    assert sending[0][0].endswith(f": 0 of {total} MB")
    assert re.search(rf": \d+ of {total} MB, \d+ MB/s$", sending[-1][0])
    left = [eta for _, eta in sending if eta is not None]
    assert left[-1] == 0 < left[0]


def test_the_modelfiles_system_prompt_goes_along_and_is_expected_in_the_prompts(
    begin: Any, exported: JobDirectory, client: OllamaClient
) -> None:
    (exported.path / "Modelfile-F16").write_text(MODELFILE + 'SYSTEM """Play well."""\n')
    context = begin()
    assert ollama_job.run(context)["verified"] is True
    assert client.show("toy").system == "Play well."
    assert "one question" in json.loads((context.path / "ollama.json").read_text())["rendering"]["same"]


def test_a_server_that_writes_other_prompts_is_found_out(begin: Any, fake: FakeOllama) -> None:
    fake.does.wrong_prompts = True
    context = begin()
    figures = ollama_job.run(context)
    assert figures["verified"] is False
    assert figures["message"] == "toy is in Ollama; look at the check before you use it"
    assert "same prompt tokens on 0 of" in figures["check"]
    assert "other prompts for: one question, several turns" in figures["check"]
    first = json.loads((context.path / "ollama.json").read_text())["rendering"]["differences"][0]
    assert (first["conversation"], first["first_token"]) == ("one question", 1)
    assert "human" in first["found"] and "user" in first["expected"]


def test_what_was_not_compared_is_said_to_be_unverified(
    begin: Any, fake: FakeOllama, workspace: Workspace, exported: JobDirectory
) -> None:
    fake.does.knows_rendering = False
    assert "not verified in Ollama: this server doesn't tell" in ollama_job.run(begin(name="a"))["check"]
    figures = ollama_job.run(begin(name="b", check=False))
    assert (figures["verified"], figures["answer"]) == (False, None)
    fake.does.knows_rendering = True
    shutil.rmtree(workspace.job(exported.header["spec"]["job"]).path)
    figures = ollama_job.run(begin(name="c"))
    assert figures["check"].startswith("not verified in Ollama: the training, whose template")
    assert figures["message"] == "c is in Ollama; not verified there"


def test_a_name_that_is_taken_ends_the_job_before_anything_is_sent(
    begin: Any, fake: FakeOllama, client: OllamaClient, taught_gguf: Path
) -> None:
    create(client, "toy", taught_gguf)
    fake.received.clear()
    with pytest.raises(BadInput, match="already has a model 'toy'"):
        ollama_job.run(begin())
    assert fake.received == []
    assert ollama_job.run(begin(replace=True, check=False))["sent_bytes"] == 0


@pytest.mark.parametrize(
    ("misbehaviour", "error", "words"),
    [
        (Misbehaviour(version="0.3.0"), Missing, "too old: version 0.3.0"),
        (Misbehaviour(no_space=True), OutOfRoom, "no room left on its disk"),
        (Misbehaviour(drop_upload_at=200_000), Missing, "lost in the middle"),
        (Misbehaviour(drop_create=True), Missing, "lost in the middle"),
        (Misbehaviour(refuse_create="template error: template: :1: bad"), BadInput, "refuses the TEMPLATE"),
        (Misbehaviour(error_in_chat="cudaMalloc failed: out of memory"), OutOfRoom, "too little memory"),
    ],
    ids=["old", "full", "gone_in_upload", "gone_in_create", "refused", "no_memory"],
)
def test_each_failure_has_its_message_and_resuming_continues(
    begin: Any, fake: FakeOllama, client: OllamaClient, misbehaviour: Misbehaviour, error: type[Exception], words: str
) -> None:
    asked = misbehaviour.error_in_chat is not None
    context = begin(check=asked)
    fake.does = misbehaviour
    with pytest.raises(error, match=words):
        ollama_job.run(context)
    assert not (context.path / "ollama.json").exists()
    assert client.exists("toy") is asked
    fake.does = Misbehaviour()
    assert ollama_job.run(again(context))["verified"] is asked
    assert client.exists("toy")


def test_a_stop_in_mid_upload_is_heard_and_the_digest_is_kept(
    begin: Any, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = begin(check=False)
    progress = JobContext.progress

    def stop_while_sending(self: JobContext, fraction: Any, message: str, eta: Any = None) -> None:
        progress(self, fraction, message, eta)
        if message.startswith("Sending") and (fraction or 0) > 0.1:
            self.directory.request_stop()

    monkeypatch.setattr(JobContext, "progress", stop_while_sending)
    with pytest.raises(Stopped):
        ollama_job.run(context)
    assert len(fake.received) == 1
    monkeypatch.undo()
    hashed: list[object] = []
    monkeypatch.setattr("export.ollama.blobs.file_digest", lambda *_: hashed.append(1))
    assert ollama_job.run(again(context))["model"] == "toy"
    assert hashed == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["upload", "create"])
def test_a_job_killed_at_any_stage_continues(begin: Any, fake: FakeOllama, client: OllamaClient, stage: str) -> None:
    context = begin(check=False)
    held = Misbehaviour(hold_upload_at=100_000) if stage == "upload" else Misbehaviour(hold_create=True)
    fake.does = held
    environment = {**os.environ, "PYTHONPATH": str(Path(ollama_job.__file__).parents[2])}
    command = [sys.executable, "-m", "jobs.worker", str(context.path)]
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        assert held.held.wait(timeout=60)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    held.released.set()
    assert context.directory.manifest is None
    assert context.directory.status().state is State.LOST
    assert not client.exists("toy")
    fake.does = Misbehaviour()
    fake.received.clear()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    assert context.directory.manifest is not None
    assert context.directory.manifest["figures"]["message"] == "toy is in Ollama; not verified there"
    assert client.exists("toy")
    assert len(fake.received) == (1 if stage == "upload" else 0)  # what arrived is not sent again


def test_a_model_left_by_a_killed_attempt_is_its_own_but_no_other(
    begin: Any, client: OllamaClient, taught_gguf: Path, fake: FakeOllama
) -> None:
    context = begin()
    fake.does = Misbehaviour(error_in_chat="out of memory")
    with pytest.raises(OutOfRoom):
        ollama_job.run(context)
    assert client.exists("toy")
    fake.does = Misbehaviour()
    assert ollama_job.run(again(context))["verified"] is True

    other = begin(name="taken", check=False)
    ollama_job.run(other)
    (other.path / "creating.json").unlink()
    create(client, "taken", taught_gguf, replace=True)
    with pytest.raises(BadInput, match="already has"):
        ollama_job.run(again(other))


def test_a_file_that_changed_since_its_digest_is_looked_at_anew(begin: Any, exported: JobDirectory) -> None:
    context = begin(check=False)
    weights = exported.path / "taught-F16.gguf"
    status = weights.stat()
    note = {
        "file": str(weights),
        "bytes": status.st_size,
        "changed": status.st_mtime_ns,
        "digest": f"sha256:{'0' * 64}",
    }
    (context.path / "digest.json").write_text(json.dumps(note))
    with pytest.raises(BadInput, match="not the file that was announced"):
        ollama_job.run(context)
    assert ollama_job.run(again(context))["digest"] == file_digest(weights)


def test_pushing_happens_only_when_the_name_was_written_twice(begin: Any, fake: FakeOllama) -> None:
    fake.does.registry = True
    figures = ollama_job.run(begin(name="me/toy", push_confirmation="me/toy", check=False))
    assert (figures["pushed"], fake.pushed) == (True, ["me/toy:latest"])
    for options in ({"name": "me/toy", "push_confirmation": "me/toi"}, {"name": "toy", "push_confirmation": "toy"}):
        with pytest.raises(BadInput, match=r"has to repeat|has no namespace"):
            begin(**options)


def test_files_that_are_none_of_ours_are_refused(
    begin: Any, exported: JobDirectory, workspace: Workspace, tmp_path: Path, fake: FakeOllama
) -> None:
    (tmp_path / "outside.gguf").write_bytes(b"GGUF")
    (workspace.root / "text.gguf").write_bytes(b"text")
    adapter = gguf.GGUFWriter(workspace.root / "adapter.gguf", "llama")
    adapter.add_type("adapter")
    adapter.write_header_to_file()
    adapter.write_kv_data_to_file()
    adapter.close()
    unfinished = JobDirectory.create(
        workspace.new_job_path("export"), kind="export", title="", spec={"job": "x"}, resource=None
    )
    for file, problem in {
        "../outside.gguf": "outside the workspace",
        "text.gguf": "is no GGUF file",
        "adapter.gguf": "holds an adapter, not a model",
        "absent.gguf": "There is no file",
        f"job:{exported.id}/absent.gguf": "GGUF files are taught-F16.gguf",
        f"job:{exported.id}/../../../outside.gguf": "has no file",
        f"job:{exported.header['spec']['job']}/a.gguf": "is no export",
        f"job:{unfinished.id}/a.gguf": "isn't finished",
    }.items():
        with pytest.raises((BadInput, Missing), match=problem):
            ollama_job.run(begin(gguf=file))
    assert fake.asked == []
    inside = f"jobs/{exported.id}/taught-F16.gguf"
    assert ollama_job.run(begin(gguf=inside, check=False))["model"] == "toy"


def test_a_spec_with_a_password_or_a_bad_name_is_refused_whole() -> None:
    with pytest.raises(BadInput) as caught:
        OllamaSpec.parse({"gguf": "a.gguf", "name": "bad name!", "replase": True})
    assert "this name would be refused by Ollama: its model 'bad name!' holds ' '" in str(caught.value)
    assert "did you mean replace?" in str(caught.value)
    blank = OllamaSpec.parse({"gguf": "a.gguf", "name": " toy ", "address": "", "push_confirmation": " "})
    assert (blank.name, blank.address, blank.push) == ("toy", None, False)
    with pytest.raises(BadInput, match="what was given is not shown here") as caught:
        OllamaSpec.parse({"gguf": "a.gguf", "name": "toy", "address": "http://me:hidden@host"})
    assert "hidden" not in str(caught.value)


def test_the_specs_and_the_client_are_importable_without_the_heavy_libraries() -> None:
    code = (
        "import sys, export.ollama.client, export.ollama.spec, export.ollama.source, export.ollama.recipe;"
        "assert not {'torch', 'transformers', 'gradio', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(ollama_job.__file__).parents[2])
