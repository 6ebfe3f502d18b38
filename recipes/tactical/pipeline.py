"""The specs of the tactical example, ready to be started: the adviser for all domains, and a specialist for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasets_src.rows import Part
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion
from evaluation.spec import EvaluateSpec
from jobs.files import write_text
from jobs.workspace import Workspace
from recipes.tactical.generate import ROWS, generate
from recipes.tactical.state import Domain
from trainer.spec import TrainSpec

FOLDER = Path(__file__).parent
SEED = 0


def write_rows(
    workspace: Workspace, rows: int = ROWS, progress: Callable[[float, str], None] | None = None
) -> DatasetSpec:
    """Write the rows into the workspace; returns the DatasetSpec that mixes them."""
    generate(workspace.uploads / "tactical", rows=rows, seed=SEED, progress=progress)
    return data_spec(workspace)


def data_spec(workspace: Workspace) -> DatasetSpec:
    """The dataset of the rows that were written."""
    place = workspace.uploads / "tactical"
    return DatasetSpec.load(place / "data.yaml").with_absolute_paths(place)


def train_spec(model: str = "embedded") -> TrainSpec:
    """How the adviser for all domains is trained."""
    return TrainSpec.load(FOLDER / "train.yaml").model_copy(update={"model": model})


def evaluate_spec(models: Sequence[str]) -> EvaluateSpec:
    """How models are judged: texts such as embedded and job:<id>, the first one the reference."""
    return EvaluateSpec.load(FOLDER / "evaluate.yaml").model_copy(update={"models": tuple(models)})


def specialist_name(domain: Domain) -> str:
    """What a domain's specialist is called in lists and reports."""
    return f"{domain} specialist"


def specialist_spec(domain: Domain, model: str = "embedded") -> TrainSpec:
    """How a domain's specialist is trained."""
    update = {"model": model, "name": specialist_name(domain), "data": _specialist_data(domain)}
    return TrainSpec.load(FOLDER / "specialist.yaml").model_copy(update=update)


def specialist_data_spec(workspace: Workspace, domain: Domain) -> DatasetSpec:
    """The dataset of the rows that `write_specialist_rows` wrote."""
    parts: tuple[Part, ...] = ("train", "eval")
    sources = [{"path": str(_specialist_rows(workspace, domain, part)), "part": part} for part in parts]
    return DatasetSpec.parse({"name": _specialist_data(domain), "sources": sources, "near_duplicates": None})


def write_specialist_rows(workspace: Workspace, version: DatasetVersion, domain: Domain) -> None:
    """Write the rows of one domain of a built dataset, part by part, so that what is held out there stays so."""
    parts: dict[Part, list[dict[str, Any]]] = {"train": version.train(), "eval": version.eval()}
    for part, rows in parts.items():
        own = [_as_source(row) for row in rows if row.get("tag") == domain]
        write_text(_specialist_rows(workspace, domain, part), "".join(json.dumps(row) + "\n" for row in own))


def _as_source(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a built dataset as a row to build from: its further columns beside its messages again."""
    own = {name: row[name] for name in ("messages", "tag", "group") if name in row}
    return {**own, **row.get("extra", {})}


def _specialist_data(domain: Domain) -> str:
    return f"tactical-{domain.lower()}"


def _specialist_rows(workspace: Workspace, domain: Domain, part: Part) -> Path:
    return workspace.uploads / "tactical" / f"specialist-{domain.lower()}-{part}.jsonl"
