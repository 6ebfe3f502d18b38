"""The arena on the Evaluation tab: how the models stand by people's votes, and the way from votes to a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from datasets_src.interactions.records import InteractionFilter, Vote
from datasets_src.interactions.store import Interactions
from evaluation.pairs.spec import PairsSpec
from jobs import launcher
from jobs.directory import State
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.hardware import probe
from trainer.spec import TrainSpec
from ui import picks
from ui.arena_view import arena_html
from ui.chat_models import short_name
from ui.choices import trained_options
from ui.drafts import save_draft
from ui.job_view import empty
from ui.page import SKIP, Page

TAB = "evaluation"
DATASET = "votes"
CONFIDENCE = 0.95
WAIT_SECONDS = 0.3
NOTHING = (
    "No votes yet. In the part “Chat and vote”, choose two models, switch on “Blind”, ask, and vote; here they are "
    "rated by all votes."
)
Take = Callable[[Workspace, dict[str, Any]], None]


def lay_out(page: Page, learn: Take) -> None:
    """Draw the panel here and wire it. `learn` enters a training's spec into the Training tab's form."""
    shown = gr.HTML(empty(NOTHING), elem_id="arena")
    with gr.Row(elem_classes="hearth-buttons"):
        train = gr.Button("Learn from these votes", visible=False, size="sm", variant="primary", elem_id="learn")
    said, error, cursor = gr.HTML(""), gr.HTML(visible=False), gr.Textbox(visible=False)
    outputs = [shown, train, cursor]

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return show(workspace, known or "")

    def begin(workspace: Workspace) -> Iterator[list[Any]]:
        for words in build_pairs(workspace):
            yield [words, SKIP, SKIP]
        learn(workspace, training_spec(workspace))
        save_draft(workspace, "page", tab="training")
        yield ["The Training tab is filled in.", gr.Tabs(selected="training"), "training"]

    page.load(poll, outputs)
    page.poll(TAB, poll, [cursor], outputs)
    opening = page.stream([train.click], begin, [], [said, page.tabs, page.opened], error)
    page.openings.append(opening)


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """The standing, the button and the cursor; skipped when no vote was given since `known`."""
    store = Interactions(workspace)
    corrected = store.count(InteractionFilter(only_edited=True))
    now = f"{store.count_votes()} {corrected}"
    if now == known:
        return [SKIP, SKIP, SKIP]
    votes = list(store.find_votes())
    if not votes:
        return [empty(NOTHING), gr.Button(visible=corrected > 0), now]
    return [arena_html(rated(workspace, votes)), gr.Button(visible=True), now]


def rated(workspace: Workspace, votes: list[Vote]) -> dict[str, Any]:
    """The standing as JSON, its models under the names that people know."""
    from evaluation.arena.standing import standing

    named = [
        replace(vote, model_a=short_name(workspace, vote.model_a), model_b=short_name(workspace, vote.model_b))
        for vote in votes
    ]
    return standing(named, confidence=CONFIDENCE, seed=0).as_json()


def build_pairs(workspace: Workspace) -> Iterator[str]:
    """Build the dataset of all votes and corrections, saying what is done. Raises BadInput where that fails."""
    spec = PairsSpec.parse({"name": DATASET, "scored_by": "votes", "singles": False})
    job = launcher.start(
        workspace, "pairs", spec.model_dump(mode="json"), title="Pairs of your votes", resource=probe().resource
    )
    while (status := launcher.observe(job)).state.active:
        yield f"Building the pairs: {status.message or 'starting'} …"
        time.sleep(WAIT_SECONDS)
    if status.state is not State.SUCCEEDED:
        raise BadInput(
            status.error or "The pairs could not be built.",
            f"The job {job.id} ended as {status.state}.",
            status.hint or "See its log on this tab.",
        )


def training_spec(workspace: Workspace) -> dict[str, Any]:
    """DPO on these pairs, of the trained model that was voted on most, as it was trained before. Raises Missing."""
    voted = [model for vote in Interactions(workspace).find_votes() for model in _trained(vote)]
    known = {f"job:{job}" for _, job in trained_options(workspace)}
    usable = [model for model in voted if model in known]
    if not usable and not trained_options(workspace):
        raise Missing("There is no trained model yet.", "DPO goes on from one.", "Train one on the Training tab.")
    model = max(usable, key=usable.count) if usable else f"job:{trained_options(workspace)[0][1]}"
    before = TrainSpec.parse(workspace.job(model.removeprefix("job:")).header["spec"])
    spec = {
        "model": model,
        "data": DATASET,
        "max_length": before.max_length,
        "method": {"objective": "dpo"},
        "optimisation": {"batch_size": min(8, before.optimisation.batch_size), "epochs": 1.0},
    }
    picks.forget(workspace, "training", "data")
    return TrainSpec.parse(spec).model_dump(mode="json")


def _trained(vote: Vote) -> list[str]:
    return [model for model in (vote.model_a, vote.model_b) if model.startswith("job:")]
