"""What a version knows of where it came from, what evaluations say of it, and whether its files are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs import bin as job_bin
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.files import write_text
from jobs.workspace import Workspace
from serving.registry import Registry
from tests.serving.registry.conftest import MakeJob, finished


def evaluated(workspace: Workspace, *refs: str, mean: float = 0.8) -> JobDirectory:
    """A finished evaluation of models, the first of which is the reference."""
    job = JobDirectory.create(
        workspace.new_job_path("evaluate"), kind="evaluate", title="chats", spec={"models": refs}, resource=None
    )
    job.write_resolved({"data": {"value": "chats@abc"}})
    names = [f"model {place}" for place in range(len(refs))]
    standings: list[dict[str, Any]] = [
        {"name": name, "kind": "model", "metric": "right", "mean": mean, "low": 0.7, "high": 0.9} for name in names
    ]
    verdicts = [
        {"reference": names[0], "candidate": name, "outcome": "better", "sentence": "better by 12.3 points"}
        for name in names[1:]
    ]
    measure = {
        "metric": "right",
        "main": True,
        "unit": "points",
        "standings": [*standings, {"name": "ceiling", "kind": "reference", "mean": 1.0, "low": None, "high": None}],
        "verdicts": verdicts,
    }
    models = [{"name": name, "ref": ref} for name, ref in zip(names, refs, strict=True)]
    return finished(job, {"task": {"name": "facts"}, "models": models, "measures": [measure]})


def test_a_job_gives_base_data_spec_method_and_licence(registry: Registry, trained: MakeJob, base: Path) -> None:
    job = trained("support", seed=7)
    version = registry.register("bot", f"job:{job.id[-4:]}", data_licence="cc-by-4.0")
    assert version.ref == f"job:{job.id}"
    lineage = version.lineage
    assert (lineage.base, lineage.data, lineage.job, lineage.method) == (str(base), "chats@abc", job.id, "sft, lora")
    assert lineage.parent is None
    assert "seed: 7" in (lineage.spec or "")
    assert (version.licences.base, version.licences.data) == ("apache-2.0", "cc-by-4.0")


def test_a_training_that_went_on_from_another_names_its_parent(registry: Registry, trained: MakeJob) -> None:
    first = trained("first")
    second = trained("second", model=f"job:{first.id}")
    assert registry.register("bot", f"job:{second.id}").lineage.parent == f"job:{first.id}"


def test_what_can_not_be_served_is_refused(registry: Registry, trained: MakeJob, workspace: Workspace) -> None:
    unfinished = trained()
    (unfinished.path / "manifest.json").unlink()
    with pytest.raises(Missing, match="isn't finished"):
        registry.register("bot", f"job:{unfinished.id}")
    with pytest.raises(BadInput, match="is no training job"):
        registry.register("bot", f"job:{evaluated(workspace, 'embedded').id}")
    for ref, why in (("job:nothing", "no job"), ("adapter:/nowhere", "no adapter"), ("/no/file.gguf", "no file")):
        with pytest.raises(Missing, match=why):
            registry.register("bot", ref)
    assert registry.find() == []


def test_an_exported_file_knows_its_export_and_its_training(
    registry: Registry, trained: MakeJob, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = trained()
    export = JobDirectory.create(
        workspace.new_job_path("export"), kind="export", title="e", spec={"job": job.id}, resource=None
    )
    write_text(export.path / "bot-Q8_0.gguf", "GGUF …")
    finished(export, {})
    evaluated(workspace, "embedded", f"job:{job.id}")
    monkeypatch.chdir(export.path)
    version = registry.register("bot", "bot-Q8_0.gguf")
    assert version.ref == str(export.path / "bot-Q8_0.gguf")
    assert (version.lineage.export, version.lineage.job) == (export.id, job.id)
    assert [each.measured for each in version.evidence] == [f"job:{job.id}"]
    asked = JobDirectory.create(
        workspace.new_job_path("ollama"),
        kind="ollama",
        title="o",
        spec={"gguf": f"job:{export.id}/bot-Q8_0.gguf"},
        resource=None,
    )
    finished(asked, {"model": "bot:latest"})
    named = registry.register("bot", "ollama:bot:latest")
    assert (named.lineage.export, named.sha256) == (export.id, None)
    assert registry.check(named).state == "not checked"


def test_evaluations_that_named_the_model_are_its_evidence(
    registry: Registry, trained: MakeJob, workspace: Workspace
) -> None:
    job, other = trained("one"), trained("other")
    evaluated(workspace, "embedded", f"job:{other.id}")
    before = evaluated(workspace, "embedded", f"job:{job.id[:-1]}", mean=0.6)
    version = registry.register("bot", f"job:{job.id}")
    (found,) = version.evidence
    assert (found.job, found.mean, found.against, found.outcome) == (before.id, 0.6, "model 0", "better")
    assert (found.task, found.data, found.sentence) == ("facts", "chats@abc", "better by 12.3 points")

    since = evaluated(workspace, f"job:{job.id}", f"job:{other.id}")
    job_bin.delete(workspace, before)
    registry.refresh("bot", 1)
    kept = registry.get("bot", 1).evidence
    assert {each.job for each in kept} == {before.id, since.id}, "what a deleted evaluation said is kept"
    assert next(each for each in kept if each.job == since.id).against is None, "it was the reference there"


def test_changed_files_are_noticed_and_not_promoted(bot: Registry, tmp_path: Path) -> None:
    version = bot.get("bot", 1)
    assert bot.check(version).state == "unchanged"
    write_text(tmp_path / "adapter-1" / "README.md", "Other words change no answer.")
    assert bot.check(version).state == "unchanged"
    write_text(tmp_path / "adapter-1" / "adapter_model.safetensors", "other weights")
    assert bot.check(version).state == "changed"
    with pytest.raises(BadInput, match="no longer holds what was registered"):
        bot.promote("bot", 1, "best")
    assert bot.register("bot", f"adapter:{tmp_path / 'adapter-1'}").number == 4


def test_a_deleted_job_is_noticed_and_says_how_it_comes_back(
    registry: Registry, trained: MakeJob, workspace: Workspace
) -> None:
    first, second = trained("one"), trained("two")
    for job in (first, second):
        registry.register("bot", f"job:{job.id}")
    registry.promote("bot", 1, "first")
    registry.promote("bot", 2, "second")
    job_bin.delete(workspace, first)
    found = registry.check(registry.get("bot", 1))
    assert found.state == "gone"
    assert f"jobs restore {first.id}" in found.sentence
    with pytest.raises(Missing, match="lies in the bin"):
        registry.roll_back("bot", "bad")
    assert registry.resolve("bot").number == 2
    job_bin.restore(workspace, first.id)
    assert registry.roll_back("bot", "bad").number == 1


def test_a_local_model_that_moved_is_gone(registry: Registry, base: Path) -> None:
    version = registry.register("base", str(base))
    assert version.licences.base == "apache-2.0"
    base.rename(base.with_name("elsewhere"))
    assert registry.check(version).state == "gone"
