"""The whole export of a small trained adapter: the files, their check, and what goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export import job as export_job
from export.gguf_file import read_gguf
from export.llama_cpp import running
from export.spec import ExportSpec
from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing, OutOfRoom, Stopped
from jobs.workspace import Workspace
from tests.export.conftest import FACTS, conversation
from tests.toys import publish_rows

PEFT_ALONE = """
import sys
from peft import AutoPeftModelForCausalLM
model = AutoPeftModelForCausalLM.from_pretrained(sys.argv[1])
print("LOADED", type(model).__name__)
"""


def make_training(workspace: Workspace, wrong_model: Path, adapter: Path, *, title: str = "Toy facts!") -> JobDirectory:
    """A finished training job and its dataset, as the other parts leave them."""
    rows = [
        {"messages": conversation(*fact), "source": "facts.jsonl", "row": number, "group": str(number)}
        for number, fact in enumerate(FACTS.items(), start=1)
    ]
    version = publish_rows(workspace, "facts", rows, rows)
    spec = {"model": str(wrong_model), "data": "facts"}
    path = workspace.new_job_path("train")
    job = JobDirectory.create(path, kind="train", title=title, spec=spec, resource=None)
    job.write_resolved({"data": {"value": version.id, "origin": "latest"}})
    shutil.copytree(adapter, path / "adapter")
    job.write_manifest({})
    return job


def start(workspace: Workspace, spec: dict[str, Any]) -> JobContext:
    path = workspace.new_job_path("export")
    directory = JobDirectory.create(path, kind="export", title="export", spec=spec, resource=None)
    return JobContext(directory, attempt=1, started=0.0)


@pytest.fixture(scope="module")
def shared(
    wrong_model: Path, trained_adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[JobContext, dict[str, Any]]]:
    """One export of everything, which several tests look at."""
    workspace = Workspace(tmp_path_factory.mktemp("exports") / "workspace")
    training = make_training(workspace, wrong_model, trained_adapter)
    context = start(workspace, {"job": training.id, "to": ["adapter", "merged", "gguf"], "check_tokens": 12})
    yield context, export_job.run(context)


def test_every_file_is_there_and_nothing_else(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, figures = shared
    kinds = ("F16", "Q8_0", "Q4_K_M")
    made = {f"Toy-facts-{kind}.gguf" for kind in kinds} | {f"Modelfile-{kind}" for kind in kinds}
    made |= {"adapter", "merged", "parity.json", "README.md"}
    assert {path.name for path in context.artifacts} == made
    assert {path.name for path in context.path.iterdir()} - {"spec.json", "status.json", "resolved.json"} == made | {
        "events.jsonl"
    }
    assert figures["size_bytes"].keys() == {f"Toy-facts-{kind}.gguf" for kind in kinds}


def test_each_file_is_proven_to_behave_like_the_trained_model(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, figures = shared
    report = json.loads((context.path / "parity.json").read_text())
    assert report["verified"] is True
    assert report["ollama"] == "not verified in Ollama: no server was asked"
    assert [file["same_tokens"] for file in report["files"]] == [2, 2, 2]
    exact = report["files"][0]
    assert (exact["file"], exact["same_answers"], exact["stopped"]) == ("Toy-facts-F16.gguf", 2, 2)
    assert figures["verified"] is True
    assert figures["parity"]["Toy-facts-F16.gguf"].startswith("same prompt tokens on 2 of 2; same answer on 2 of 2")


def test_every_file_answers_what_was_learned(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, _ = shared
    for file in sorted(context.path.glob("*.gguf")):
        with running(file, 256) as llama:
            for question, answer in FACTS.items():
                completion = llama.complete(llama.render([{"role": "user", "content": question}]), 12)
                assert (completion.text, completion.ended) == (answer, True)


def test_the_readme_and_modelfiles_name_the_files_that_exist(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, _ = shared
    text = (context.path / "README.md").read_text()
    assert "ollama create toy-facts-q4-k-m -f Modelfile-Q4_K_M" in text
    assert "llama-server -m Toy-facts-Q4_K_M.gguf --jinja -c 512" in text
    assert "same prompt tokens on 2 of 2" in text
    modelfile = (context.path / "Modelfile-Q8_0").read_text()
    assert modelfile.startswith("FROM ./Toy-facts-Q8_0.gguf\n")
    assert 'PARAMETER stop "<|im_end|>"' in modelfile
    assert "PARAMETER num_ctx 512" in modelfile  # the model was made for no more
    assert read_gguf(context.path / "Toy-facts-Q8_0.gguf").value("general.name") == "Toy-facts"


def test_the_exported_adapter_loads_with_plain_peft(shared: tuple[JobContext, dict[str, Any]], tmp_path: Path) -> None:
    context, _ = shared
    done = subprocess.run(
        [sys.executable, "-c", PEFT_ALONE, str(context.path / "adapter")], capture_output=True, text=True, cwd=tmp_path
    )
    assert "LOADED PeftModelForCausalLM" in done.stdout, done.stderr[-2000:]


def test_a_stopped_export_goes_on_after_the_last_finished_stage(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make_training(workspace, wrong_model, trained_adapter)
    context = start(workspace, {"job": training.id, "quantisations": ["q8_0"], "check_prompts": 0, "name": "mine"})
    context.directory.request_stop()
    with pytest.raises(Stopped):
        export_job.run(context)
    assert sorted(path.name for path in context.path.iterdir() if path.suffix == ".gguf") == []
    merged = context.path / "work" / "merged" / "model.safetensors"
    written = merged.stat().st_mtime_ns
    context.directory.clear_stop()

    again = JobContext(context.directory, attempt=2, started=0.0)
    kept: list[int] = []
    original = shutil.rmtree

    def note_and_remove(path: Path, *args: Any, **options: Any) -> None:
        if Path(path).name == "work":
            kept.append(merged.stat().st_mtime_ns)
        original(path, *args, **options)

    monkeypatch.setattr("export.job.shutil.rmtree", note_and_remove)
    figures = export_job.run(again)
    assert kept == [written]
    assert [path.name for path in context.path.glob("*.gguf")] == ["mine-Q8_0.gguf"]
    assert figures["message"] == "1 GGUF files, unverified"
    assert figures["verified"] is False
    assert "Unverified" in (context.path / "README.md").read_text()
    assert json.loads((context.path / "parity.json").read_text())["verified"] is False


def test_a_disk_without_room_is_said_before_anything_is_written(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make_training(workspace, wrong_model, trained_adapter)
    context = start(workspace, {"job": training.id})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("jobs.files.shutil.disk_usage", lambda _place: usage(10**9, 10**9, 10**6))
    with pytest.raises(OutOfRoom, match="This export needs"):
        export_job.run(context)
    assert not (context.path / "work").exists()


def test_a_disk_that_fills_up_leaves_no_file_that_looks_whole(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make_training(workspace, wrong_model, trained_adapter)
    context = start(workspace, {"job": training.id})

    def fill(_model: Path, output: Path, _metadata: object) -> None:
        output.write_bytes(b"GGUF half")
        raise OSError(28, os.strerror(28), str(output))

    monkeypatch.setattr("export.make.convert", fill)
    with pytest.raises(OSError, match="No space left"):
        export_job.run(context)
    assert list(context.path.rglob("*.gguf*")) == []


def test_a_job_that_is_no_finished_training_is_refused(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path
) -> None:
    training = make_training(workspace, wrong_model, trained_adapter)
    other = start(workspace, {"job": training.id})
    with pytest.raises(BadInput, match="is no training job"):
        export_job.run(start(workspace, {"job": other.directory.id}))
    (training.path / "manifest.json").unlink()
    with pytest.raises(Missing, match="isn't finished"):
        export_job.run(start(workspace, {"job": training.id}))


def test_a_model_trained_whole_is_exported_without_merging(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path
) -> None:
    training = make_training(workspace, wrong_model, trained_adapter)
    shutil.rmtree(training.path / "adapter")
    shutil.copytree(wrong_model, training.path / "model")
    with pytest.raises(BadInput, match="there is no adapter"):
        export_job.run(start(workspace, {"job": training.id, "to": ["adapter"]}))
    context = start(workspace, {"job": training.id, "to": ["merged"]})
    assert export_job.run(context)["message"] == "Done"
    merged = context.path / "merged" / "model.safetensors"
    assert merged.read_bytes() == (wrong_model / "model.safetensors").read_bytes()


def test_every_problem_of_a_spec_is_in_one_message() -> None:
    with pytest.raises(BadInput) as caught:
        ExportSpec.parse({"too": ["gguf"], "quantisations": ["q4", "f16"], "temperature": 9, "name": "../up"})
    for part in (
        "too: unknown option (did you mean to?)",
        "quantisations.0",
        "temperature",
        "name",
        "job: is required",
    ):
        assert part in str(caught.value)
    with pytest.raises(BadInput, match="more than once"):
        ExportSpec.parse({"job": "x", "to": ["gguf", "gguf"]})
