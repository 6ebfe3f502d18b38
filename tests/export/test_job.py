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
import yaml

from export import job as export_job
from export.gguf import GgufMetadata, convert
from export.gguf_file import read_gguf
from export.llama_cpp import running
from export.spec import ExportSpec
from export.stages import GUESSES, rates
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing, OutOfRoom, Stopped
from jobs.workspace import Workspace
from tests.export.conftest import FACTS, conversation
from tests.toys import publish_rows

EVERYTHING = ["adapter", "adapter_gguf", "merged", "gguf", "vllm", "llama_server", "lm_studio", "transformers"]
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
    job.write_status(Status(State.SUCCEEDED))
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
    context = start(workspace, {"job": training.id, "to": EVERYTHING, "check_tokens": 12, "task": "exact_match"})
    yield context, export_job.run(context)


def test_every_file_is_there_and_nothing_else(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, figures = shared
    kinds = ("F16", "Q8_0", "Q4_K_M")
    made = {f"Toy-facts-{kind}.gguf" for kind in kinds} | {f"Modelfile-{kind}" for kind in kinds}
    made |= {"adapter", "Toy-facts-adapter.gguf", "merged", "parity.json", "README.md", "MODEL_CARD.md"}
    made |= {"for-vllm", "for-llama-server", "for-lm-studio", "for-transformers"}
    reports = {"report.html", "report.md", "report.json", "scores.parquet"}
    assert {path.name for path in context.artifacts} == made | reports
    job_files = {"spec.json", "status.json", "resolved.json", "events.jsonl"}
    assert {path.name for path in context.path.iterdir()} - job_files == made | {"evaluation"}
    assert figures["size_bytes"].keys() == {f"Toy-facts-{kind}.gguf" for kind in kinds}


def test_each_file_is_proven_to_behave_like_the_trained_model(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, figures = shared
    report = json.loads((context.path / "parity.json").read_text())
    assert report["ollama"] == "not verified in Ollama: no server was asked"
    merged, *files = report["files"]
    assert [file["file"] for file in files] == list(figures["size_bytes"])
    for file in files:
        assert file["rendering"]["sentence"].startswith("same prompt tokens on 2 of 2 held-out, ")
        assert file["rendering"]["passed"] is True
    exact = files[0]["answers"]
    assert (files[0]["label"], exact["same_answers"], exact["stopped"], exact["wrong_stop"]) == ("F16", 2, 2, 0)
    assert (merged["file"], merged["answers"]) == ("merged", None)


def test_probabilities_are_compared_for_the_merged_model_and_every_file(
    shared: tuple[JobContext, dict[str, Any]],
) -> None:
    context, _ = shared
    files = json.loads((context.path / "parity.json").read_text())["files"]
    found = {file["label"]: file["behaviour"] for file in files}
    for exact in ("merged", "F16"):
        assert found[exact]["cost"] == pytest.approx(0.0, abs=0.002)
        assert found[exact]["divergence"] < 1e-4
        assert found[exact]["agreement"] == 1.0
    assert found["F16"]["divergence"] < found["Q8_0"]["divergence"] < found["Q4_K_M"]["divergence"]
    assert found["Q4_K_M"]["cost_low"] <= found["Q4_K_M"]["cost"] <= found["Q4_K_M"]["cost_high"]


def test_the_tasks_own_score_comes_with_its_verdict(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, figures = shared
    files = json.loads((context.path / "parity.json").read_text())["files"]
    exact = next(file for file in files if file["label"] == "F16")["task"]
    assert (exact["task"], exact["score"], exact["reference_score"]) == ("exact_match", 1.0, 1.0)
    assert exact["outcome"] == "too few items"
    assert exact["sentence"].startswith("too few items for a verdict: only 2")
    assert figures["verified"] is True
    assert figures["message"] == "3 GGUF files, checked against the trained model"


def test_the_adapter_as_gguf_changes_its_base_in_llama_cpp(
    shared: tuple[JobContext, dict[str, Any]], wrong_model: Path, tmp_path: Path
) -> None:
    context, _ = shared
    base = tmp_path / "base.gguf"
    convert(wrong_model, base, GgufMetadata("base", "", {}, None))
    question, right = next(iter(FACTS.items()))
    answers = []
    for adapter in (None, context.path / "Toy-facts-adapter.gguf"):
        with running(base, 256, adapter=adapter) as llama:
            answers.append(llama.complete(llama.render([{"role": "user", "content": question}]), 12).text)
    assert answers[0] != right
    assert answers[1] == right


def test_folders_for_other_programs_hold_the_weights_without_taking_room(
    shared: tuple[JobContext, dict[str, Any]],
) -> None:
    context, _ = shared
    best = json.loads((context.path / "parity.json").read_text())["recommendation"]["file"]
    linked = context.path / "for-llama-server" / best
    assert linked.stat().st_ino == (context.path / best).stat().st_ino
    assert f"llama-server -m {best} --jinja -c 512" in (context.path / "for-llama-server" / "README.md").read_text()
    assert f"lms import --copy {best}" in (context.path / "for-lm-studio" / "README.md").read_text()
    assert (
        "vllm serve ./model --served-model-name toy-facts --max-model-len 512"
        in (context.path / "for-vllm" / "README.md").read_text()
    )
    assert (context.path / "for-vllm" / "model" / "model.safetensors").is_file()


def test_the_folder_for_transformers_answers_with_transformers_alone(
    shared: tuple[JobContext, dict[str, Any]],
) -> None:
    context, _ = shared
    folder = context.path / "for-transformers"
    question, right = next(iter(FACTS.items()))
    done = subprocess.run([sys.executable, "chat.py", question], cwd=folder, capture_output=True, text=True)
    assert done.stdout.strip() == right, done.stderr[-2000:]


def test_the_card_tells_data_settings_verdict_licences_and_use(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, _ = shared
    text = (context.path / "MODEL_CARD.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front["pipeline_tag"] == "text-generation"
    for part in (
        "2 rows for training, 2 held out",
        "Not evaluated yet: nothing is claimed.",
        "| Q4_K_M |",
        "ollama create toy-facts-",
        "Base model model: licence not stated",
    ):
        assert part in text
    assert str(context.workspace.root) not in text


def test_the_card_repeats_the_newest_evaluations_verdict(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path
) -> None:
    training = make_training(workspace, wrong_model, trained_adapter)
    spec = {"models": ["base", f"job:{training.id}"], "task": "exact_match"}
    path = workspace.new_job_path("evaluate")
    evaluation = JobDirectory.create(path, kind="evaluate", title="x", spec=spec, resource=None)
    verdict = {"candidate": "tuned", "reference": "base", "sentence": "better by 9 points (p < 0.001)"}
    evaluation.write_manifest({"figures": {"measures": [{"metric": "exact match", "verdicts": [verdict]}]}})
    context = start(workspace, {"job": training.id, "to": ["adapter"]})
    export_job.run(context)
    text = (context.path / "MODEL_CARD.md").read_text()
    assert "Task exact_match, measured as exact match:\n\n- tuned against base: better by 9 points (p < 0.001)" in text


def test_what_was_not_checked_is_said_with_its_reason(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path
) -> None:
    training = make_training(workspace, wrong_model, trained_adapter)
    context = start(workspace, {"job": training.id, "quantisations": ["q8_0"], "checks": ["rendering", "task"]})
    figures = export_job.run(context)
    reasons = figures["unverified"]
    assert reasons["task"].startswith("no task was chosen, and the evaluation of the model")
    assert reasons["answers"] == reasons["behaviour"] == "left out by the export's options"
    assert figures["verified"] is False
    assert figures["message"] == "1 GGUF file, checked except for answers and stopping, probabilities, the task's score"
    assert (
        "Unverified: answers and stopping (left out by the export's options);"
        in (context.path / "README.md").read_text()
    )
    report = json.loads((context.path / "parity.json").read_text())
    assert report["files"][-1]["table"]["Perplexity"] == "unverified"


def test_the_times_of_an_export_are_those_that_the_next_one_expects(
    shared: tuple[JobContext, dict[str, Any]],
) -> None:
    context, figures = shared
    measured = figures["stage_rates"]
    assert {"merge", "convert", "quantise", "answers", "behaviour", "rendering", "task"} <= measured.keys()
    context.directory.write_manifest({"figures": figures})
    assert rates(context.workspace, card=False)["quantise"] == measured["quantise"]
    (context.path / "manifest.json").unlink()
    assert rates(context.workspace, card=False)["quantise"] == GUESSES["quantise"]


def test_every_file_answers_what_was_learned(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, _ = shared
    for file in sorted(set(context.path.glob("*.gguf")) - set(context.path.glob("*-adapter.gguf"))):
        with running(file, 256) as llama:
            for question, answer in FACTS.items():
                completion = llama.complete(llama.render([{"role": "user", "content": question}]), 12)
                assert (completion.text, completion.ended) == (answer, True)


def test_the_readme_and_modelfiles_name_the_files_that_exist(shared: tuple[JobContext, dict[str, Any]]) -> None:
    context, _ = shared
    text = (context.path / "README.md").read_text()
    assert "ollama create toy-facts-q4-k-m -f Modelfile-Q4_K_M" in text
    assert "llama-server -m Toy-facts-Q4_K_M.gguf --jinja -c 512" in text
    assert "| Q4_K_M |" in text
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
    context = start(workspace, {"job": training.id, "quantisations": ["q8_0"], "checks": [], "name": "mine"})

    def stop(*_: object, **__: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr("export.make.convert", stop)
        export_job.run(context)
    assert sorted(path.name for path in context.path.iterdir() if path.suffix == ".gguf") == []
    merged = context.path / "work" / "merged" / "model.safetensors"
    written = merged.stat().st_mtime_ns

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
    assert figures["message"] == "1 GGUF file, unverified"
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

    def fill(_model: Path, output: Path, *_: object, **__: object) -> None:
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


def test_a_size_that_cannot_be_made_here_is_refused_before_any_work(
    workspace: Workspace, wrong_model: Path, trained_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.quantisations.find_tool", lambda _name: None)
    monkeypatch.setattr("export.quantisations.find_library", lambda: None)
    monkeypatch.setattr("export.plan.find_tool", lambda _name: None)
    training = make_training(workspace, wrong_model, trained_adapter)
    context = start(workspace, {"job": training.id, "quantisations": ["iq4_xs", "q8_0"], "importance_matrix": True})
    with pytest.raises(Missing, match=r"importance_matrix needs .*; iq4_xs needs llama\.cpp's program llama-quantize"):
        export_job.run(context)
    assert not (context.path / "work").exists()


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
