"""A base model without a chat template trains on conversations, and its result carries the template along."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from export.merge import copy_model_files
from jobs.workspace import Workspace
from models.base_template import is_base_template
from models.chat_template import ChatTokenizer
from models.reference import resolve
from tests.trainer.conftest import Train, finish


@pytest.mark.slow
def test_training_evaluation_and_export_write_conversations_alike(
    train: Train, dataset: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base, ignore=shutil.ignore_patterns("chat_template.jinja"))
    job = train(model=str(base), optimisation={"max_steps": 2, "batch_size": 4}, saving={"evaluate_rows": 0})
    finish(job)
    said = (job.resolved or {})["chat_template"]
    assert said == {"value": "Hearth's own", "origin": "the model has none; it is saved with the result"}
    result = resolve(f"job:{job.id}", dataset)
    assert result.adapter is not None
    merged = tmp_path / "merged"
    merged.mkdir()
    copy_model_files(result.folder, result.adapter, merged)
    templates = [ChatTokenizer.load(folder).template for folder in (base, result.adapter, merged)]
    assert len(set(templates)) == 1
    assert is_base_template(templates[0])
    assert (merged / "chat_template.jinja").is_file()
