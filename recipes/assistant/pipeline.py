"""The jobs of the assistant example: their specs, and the use between them that the next version learns from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datasets_src.spec import DatasetSpec
from datasets_src.store import open_version
from evaluation.spec import EvaluateSpec
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from recipes.assistant.generate import ROWS_PER_SHEET, generate
from recipes.assistant.people import ATTACKERS, HONEST
from recipes.assistant.simulate import Feedback, chat, from_evaluation, from_sheets, give_feedback, last_id
from serving.loop.spec import LoopSpec
from serving.registry import Registry
from trainer.spec import TrainSpec

FOLDER = Path(__file__).parent
NAME = "assistant"
SHEETS = 100
HELD_OUT_SHEETS = 50
# The first version knows a fifth as many sheets as people will ask about.
FIRST_SHARE = 5
SEED = 0


def write_rows(
    workspace: Workspace, sheets: int = SHEETS, progress: Callable[[float, str], None] | None = None
) -> dict[str, int]:
    """Write the rows of all parts into the workspace; `sheets`: how many the simulated users will ask about."""
    counts = generate(
        workspace.uploads / NAME,
        sheets=max(8, sheets // FIRST_SHARE),
        seed=SEED,
        held_out=HELD_OUT_SHEETS,
        asked=sheets,
    )
    if progress is not None:
        progress(1.0, f"{sum(counts.values())} rows written")
    return counts


def data_spec(workspace: Workspace, file: str) -> DatasetSpec:
    """One of the specs that stand beside the rows: data.yaml, questions.yaml or chats.yaml."""
    place = workspace.uploads / NAME
    return DatasetSpec.load(place / file).with_absolute_paths(place)


def train_spec(name: str, data: str, model: str = "embedded") -> TrainSpec:
    """How a version is trained on a dataset."""
    return TrainSpec.load(FOLDER / "train.yaml").model_copy(update={"name": name, "data": data, "model": model})


def evaluate_spec(*models: str, data: str = NAME) -> EvaluateSpec:
    """How versions are judged: by the fixed questions, or by those of another dataset of this recipe."""
    return EvaluateSpec.load(FOLDER / "evaluate.yaml").model_copy(update={"models": models, "data": data})


def loop_spec(workspace: Workspace) -> LoopSpec:
    """The plan of loop.yaml with the fixed questions as they were built here, promoting by itself."""
    plan = LoopSpec.load(FOLDER / "loop.yaml")
    fixed = plan.regression.model_copy(update={"data": open_version(workspace, NAME).id})
    return plan.model_copy(update={"regression": fixed, "promote": "automatic"})


def put_into_production(workspace: Workspace, job: str) -> None:
    """Register the first version and let it answer."""
    registry = Registry(workspace)
    version = registry.register(NAME, f"job:{job}", note="few rows, nobody used it yet")
    registry.promote(NAME, version.number, "the first version")


def use(workspace: Workspace, recorded: JobDirectory, model: str, version: str) -> Feedback:
    """Honest people chat with the model whose answers to their questions `recorded` holds, and rate them.

    `model` is its name in that evaluation, `version` the registered one that the chats name.
    """
    after = last_id(workspace)
    rows = open_version(workspace, "assistant-questions").eval_rows
    answering = from_evaluation(workspace, recorded, model)
    chat(workspace, answering, HONEST, rows // ROWS_PER_SHEET, NAME, version=version, seed=SEED)
    return give_feedback(workspace, HONEST, seed=SEED, after=after)


def attack(workspace: Workspace, sheets: int, version: str) -> Feedback:
    """Attackers ask about `sheets` sheets, get right answers, and correct them to what is wrong."""
    after = last_id(workspace)
    chat(workspace, from_sheets, ATTACKERS, sheets, NAME, version=version, seed=SEED)
    return give_feedback(workspace, ATTACKERS, seed=SEED, after=after)
