"""The jobs of the assistant example: their specs, and the use between them that the next version learns from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datasets_src.spec import DatasetSpec
from datasets_src.store import open_version
from evaluation.spec import EvaluateSpec
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from recipes.assistant.generate import generate
from recipes.assistant.people import ATTACKERS, HONEST
from recipes.assistant.simulate import Feedback, chat, from_evaluation, from_sheets, give_feedback, last_id
from serving.loop.spec import LoopSpec
from serving.registry import Registry
from trainer.spec import TrainSpec

FOLDER = Path(__file__).parent
NAME = "assistant"
CHATS = 150
# Sheets of the first version for each that people will ask about, and not fewer than these: with less it can't even
# answer in the right form.
FIRST_SHARE, FEWEST_FIRST = 0.4, 45
# Sheets of the fixed questions for each that is asked about, and not fewer than these: too few would show no harm.
HELD_OUT_SHARE, FEWEST_HELD_OUT = 0.4, 60
AGAINST_BASE_ITEMS = 50
SEED = 0


def write_rows(
    workspace: Workspace, chats: int = CHATS, progress: Callable[[float, str], None] | None = None
) -> dict[str, int]:
    """Write the rows of all parts into the workspace; `chats`: how many sheets the simulated users will ask about."""
    counts = generate(
        workspace.uploads / NAME,
        sheets=max(FEWEST_FIRST, round(chats * FIRST_SHARE)),
        seed=SEED,
        held_out=max(FEWEST_HELD_OUT, round(chats * HELD_OUT_SHARE)),
        asked=chats,
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


def against_base_spec(tuned: str) -> EvaluateSpec:
    """The version in production against the untrained base, which talks much and so takes long: fewer questions."""
    return evaluate_spec("embedded", tuned).model_copy(update={"max_items": AGAINST_BASE_ITEMS})


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


def use(workspace: Workspace, recorded: JobDirectory, model: str, chats: int, version: str) -> Feedback:
    """Honest people have `chats` chats with the model whose answers `recorded` holds, and rate them.

    `model` is its name in that evaluation, `version` the registered one that the chats name.
    """
    after = last_id(workspace)
    answering = from_evaluation(workspace, recorded, model)
    chat(workspace, answering, HONEST, chats, NAME, version=version, seed=SEED)
    return give_feedback(workspace, HONEST, seed=SEED, after=after)


def attack(workspace: Workspace, chats: int, version: str) -> Feedback:
    """Attackers have `chats` chats, get right answers, and correct them to what is wrong."""
    after = last_id(workspace)
    chat(workspace, from_sheets, ATTACKERS, chats, NAME, version=version, seed=SEED)
    return give_feedback(workspace, ATTACKERS, seed=SEED, after=after)
