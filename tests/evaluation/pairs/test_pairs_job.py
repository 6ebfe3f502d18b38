"""The pairs job: real candidates scored by a task, by fake judges or by votes become datasets that DPO and KTO read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datasets_src.interactions import Interaction, Interactions, Vote
from datasets_src.store import DatasetVersion, open_version
from datasets_src.tokens import marked_rows, tokenised_pairs
from evaluation.pairs import job
from evaluation.pairs.spec import PairsSpec
from jobs.context import JobContext
from jobs.errors import BadInput, Missing, Stopped
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from tests import toys
from tests.evaluation.conftest import conversation
from tests.evaluation.judge.fake_judges import answer, biased, coin, good, judge_at, scoring, vote_on
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

MakeContext = Callable[..., JobContext]

# Right is an answer of which the first letter comes in the first half of the alphabet.
EARLY_LETTER = '''
"""A task that random answers are sometimes right about."""
from evaluation.tasks import items_from_conversations
NAME, DESCRIPTION, METRIC = "early letter", "A toy.", "early"
def items(rows, all_rows):
    return items_from_conversations(rows)
def score(answer, item):
    letters = [letter for letter in answer.lower() if letter.isalpha()]
    return {"early": float(bool(letters) and letters[0] < "n")}
'''


@pytest.fixture
def prompts(workspace: Workspace) -> str:
    """A dataset of 24 prompts to train on and 6 held out, two to a group."""
    train = [conversation(number) for number in range(24)]
    held_out = [conversation(number) for number in range(24, 30)]
    return toys.publish_rows(workspace, "balls", train, held_out).id


@pytest.fixture
def by_task(prompts: str, lively_model: Path, tmp_path: Path) -> dict[str, Any]:
    """A spec whose candidates the tiny model writes and the task above scores."""
    task = tmp_path / "early_letter.py"
    task.write_text(EARLY_LETTER, encoding="utf-8")
    return {
        "name": "letters",
        "scored_by": "task",
        "task": str(task),
        "data": prompts,
        "model": str(lively_model),
        "candidates": 4,
        "max_new_tokens": 4,
        "keep_cut": True,
        "temperature": 1.0,
        "precision": "fp32",
        "batch_size": 8,
        "eval_fraction": 0.25,
    }


@pytest.fixture
def server() -> Iterator[FakeChatServer]:
    with FakeChatServer() as running:
        yield running


def all_rows(version: DatasetVersion) -> list[dict[str, Any]]:
    return version.train() + version.eval()


def test_candidates_that_a_task_scores_become_pairs_that_dpo_reads(
    context_of: MakeContext, workspace: Workspace, by_task: dict[str, Any], lively_model: Path
) -> None:
    context = context_of("pairs", **by_task)
    figures = job.run(context)
    assert (figures["prompts"], figures["candidates"]) == (24, 96)
    assert figures["pairs"] + sum(figures["dropped"].values()) == 24
    assert figures["pairs"] >= 5 and figures["ties_dropped"] >= 1
    version = open_version(workspace, figures["dataset"])
    rows = all_rows(version)
    assert version.kind == "preference" and len(rows) == figures["pairs"]
    for row in rows:
        chosen, rejected = (row[side][0]["content"] for side in ("chosen", "rejected"))
        letters = [next(letter for letter in text.lower() + "z" if letter.isalpha()) for text in (chosen, rejected)]
        assert letters[0] < "n" <= letters[1]
        told = row["extra"]["pair"]
        assert told["by"] == "task" and told["model"] == str(lively_model) and told["metric"] == "early"
        assert (told["chosen"]["score"], told["rejected"]["score"]) == (1.0, 0.0)
        assert told["chosen"]["sample"] != told["rejected"]["sample"] and told["chosen"]["seed"] == 0
        assert row["extra"]["parent"] == f"{by_task['data']}: {told['item']}"
    groups = [{row["group"] for row in part} for part in (version.train(), version.eval())]
    assert groups[0] and groups[1] and not groups[0] & groups[1]
    asked = {row["prompt"][0]["content"] for row in rows}
    assert not asked & {row["messages"][0]["content"] for row in open_version(workspace, by_task["data"]).eval()}
    tokenizer = ChatTokenizer.load(lively_model)
    pairs = tokenised_pairs(version, "train", tokenizer, workspace)
    assert len(pairs) == version.train_rows
    assert all(pair.chosen.trained_tokens and pair.rejected.trained_tokens for pair in pairs)


def test_marked_answers_for_kto_come_from_every_candidate_of_a_task_that_knows_right_and_wrong(
    context_of: MakeContext, workspace: Workspace, by_task: dict[str, Any], lively_model: Path
) -> None:
    figures = job.run(context_of("pairs", **by_task, singles=True))
    version = open_version(workspace, figures["marked_dataset"])
    assert version.name == "letters-marked" and version.kind == "unpaired"
    rows = all_rows(version)
    assert figures["marked"] == len(rows) > 2 * figures["pairs"], "prompts without a pair teach too"
    assert {row["label"] for row in rows} == {True, False}
    marked = marked_rows(version, "train", ChatTokenizer.load(lively_model), workspace)
    assert len(marked) == version.train_rows and {row.good for row in marked} == {True, False}


@pytest.mark.slow
def test_a_job_killed_in_the_middle_ends_with_the_very_same_pairs(
    context_of: MakeContext, by_task: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_task |= {"max_prompts": 14}
    whole = job.run(context_of("pairs", **by_task))
    context = context_of("pairs", **{**by_task, "name": "letters-again"})
    file = context.path / "candidates.jsonl"

    def killed_after_three_batches() -> bool:
        return file.exists() and len(file.read_bytes().splitlines()) >= 24

    monkeypatch.setattr(context, "should_stop", killed_after_three_batches)
    with pytest.raises(Stopped):
        job.run(context)
    kept = file.read_bytes()
    file.write_bytes(kept[:-30])  # the last line is cut short, as a kill leaves it
    again = job.run(JobContext(context.directory, attempt=2, started=0.0))
    assert [each["dataset"].split("@")[0] for each in (whole, again)] == ["letters", "letters-again"]
    assert again["dataset"].split("@")[1] == whole["dataset"].split("@")[1], "the same rows in the same parts"
    assert file.read_bytes().startswith(kept[:-30]), "what was there was not written again"
    uploads = context.workspace.uploads
    first, second = (uploads / name / "pairs.jsonl" for name in ("letters", "letters-again"))
    assert first.read_bytes() == second.read_bytes()


def test_a_fake_judge_s_preferences_become_pairs_and_its_flips_and_ties_do_not(
    context_of: MakeContext, workspace: Workspace, prompts: str, server: FakeChatServer
) -> None:
    vote_on(workspace)

    def behave(asked: Asked) -> Reply:
        """The model that answers gives answers of quality 0 to 2; about ball 3 the judge turns with the order."""
        if asked.body["model"] == "writer":
            number = int(asked.prompt.split("ball ")[1].rstrip("?"))
            return Reply(answer(number, asked.times if number % 4 else 1) + "!" * asked.times)
        return biased(asked) if "what is the colour of ball 3?" in asked.prompt else good(asked)

    server.behave = behave
    spec = {
        "name": "judged",
        "scored_by": "judge",
        "data": prompts,
        "model": f"{server.address}/v1#writer",
        "judge": judge_at(server),
        "candidates": 3,
    }
    context = context_of("pairs", **spec)
    figures = job.run(context)
    assert figures["prompts"] == 24
    # Every fourth ball's answers are equally good, and about ball 3 the judge turned.
    assert (figures["pairs"], figures["ties_dropped"], figures["flips_dropped"]) == (17, 6, 1)
    for row in all_rows(open_version(workspace, figures["dataset"])):
        assert "(quality 2)" in row["chosen"][0]["content"] and "(quality 0)" in row["rejected"][0]["content"]
        told = row["extra"]["pair"]
        assert told["by"] == "judge" and told["checked"] and told["judge"].endswith("#judge")
        assert (told["chosen"]["score"], told["rejected"]["score"]) == (2.0, -2.0)
    trust = json.loads((context.path / "judge.json").read_text())["trust"]
    assert trust["agreement"]["kappa"] == pytest.approx(1.0)


def test_a_rubric_s_scores_make_pairs_too_and_the_smallest_gap_counts(
    context_of: MakeContext, workspace: Workspace, prompts: str, server: FakeChatServer
) -> None:
    vote_on(workspace)

    def behave(asked: Asked) -> Reply:
        if asked.body["model"] == "writer":
            return Reply(answer(asked.times % 3, 2 + 4 * (asked.times % 3)))
        return scoring(asked)

    server.behave = behave
    spec = {
        "name": "scored",
        "scored_by": "judge",
        "data": prompts,
        "model": f"{server.address}/v1#writer",
        "judge": judge_at(server, mode="rubric"),
        "candidates": 3,
        "max_prompts": 6,
        "singles": True,
    }
    figures = job.run(context_of("pairs", **spec))
    assert (figures["pairs"], figures["marked"]) == (6, 12)
    told = open_version(workspace, figures["dataset"]).train()[0]["extra"]["pair"]
    assert (told["chosen"]["score"], told["rejected"]["score"], told["mode"]) == (5.0, 1.0, "rubric")
    with pytest.raises(BadInput, match="no pair") as caught:
        job.run(context_of("pairs", **spec, min_gap=4.0))
    assert "6 ties" in caught.value.why


@pytest.mark.parametrize("behave", [biased, coin], ids=["biased", "coin"])
def test_a_judge_that_fails_the_votes_labels_nothing(
    context_of: MakeContext,
    workspace: Workspace,
    prompts: str,
    server: FakeChatServer,
    behave: Callable[[Asked], Reply],
) -> None:
    vote_on(workspace)
    server.behave = lambda asked: Reply(f"Red {asked.times}.") if asked.body["model"] == "writer" else behave(asked)
    spec = {
        "name": "judged",
        "scored_by": "judge",
        "data": prompts,
        "model": f"{server.address}/v1#writer",
        "judge": judge_at(server),
        "max_prompts": 3,
    }
    with pytest.raises(BadInput, match=r"labels of the judge .* are refused"):
        job.run(context_of("pairs", **spec))
    assert not (workspace.datasets / "judged").exists()


def test_votes_and_corrections_become_pairs_and_the_majority_counts(
    context_of: MakeContext, workspace: Workspace, lively_model: Path
) -> None:
    store = Interactions(workspace)

    def vote(number: int, preferred: str, a: str = "Red.", b: str = "Blue.") -> None:
        prompt = [{"role": "user", "content": f"What is the colour of ball {number}?"}]
        store.vote(Vote(prompt, a, b, preferred, "one", "two", sampling={"seed": 4}))  # type: ignore[arg-type]

    for number in range(8):
        vote(number, "ab"[number % 2])
    vote(0, "b"), vote(0, "a"), vote(1, "a")  # ball 0: two to one for a; ball 1: one against one
    vote(20, "tie"), vote(21, "bad", "Cold.", "Warm.")
    asked = [{"role": "user", "content": "And of ball 30?"}]
    edited = store.record(Interaction(prompt=asked, answer="Round.", model="one"))
    store.correct(edited, "Green.")
    store.record(Interaction(prompt=asked, answer="Nice.", model="one", rating=5))

    figures = job.run(context_of("pairs", name="voted", scored_by="votes", singles=True, eval_fraction=0.25))
    assert figures["pairs"] == 8 and figures["ties_dropped"] == 2 and figures["dropped"]["contradicting votes"] == 1
    version = open_version(workspace, figures["dataset"])
    by_prompt = {row["prompt"][0]["content"]: row for row in all_rows(version)}
    assert len(by_prompt) == 8
    first = by_prompt["What is the colour of ball 0?"]
    assert (first["chosen"][0]["content"], first["rejected"][0]["content"]) == ("Red.", "Blue.")
    told = first["extra"]["pair"]
    assert told["by"] == "votes" and (told["model_a"], told["sampling"]) == ("one", {"seed": 4})
    correction = by_prompt["And of ball 30?"]
    assert (correction["chosen"][0]["content"], correction["extra"]["pair"]["by"]) == ("Green.", "edits")

    marked = all_rows(open_version(workspace, figures["marked_dataset"]))
    labels = {(row["completion"][0]["content"], row["label"]) for row in marked}
    assert {("Cold.", False), ("Warm.", False), ("Green.", True), ("Round.", False), ("Nice.", True)} <= labels
    pairs = tokenised_pairs(version, "train", ChatTokenizer.load(lively_model), workspace)
    assert len(pairs) == version.train_rows


def test_where_there_is_no_pair_the_reasons_are_told(
    context_of: MakeContext, workspace: Workspace, by_task: dict[str, Any]
) -> None:
    with pytest.raises(Missing, match="no votes and no corrections yet"):
        job.run(context_of("pairs", name="voted", scored_by="votes"))
    vote_on(workspace, 1)
    store = Interactions(workspace)
    store.delete_user("nobody")
    with pytest.raises(BadInput, match="no pair to learn from") as caught:
        job.run(context_of("pairs", name="voted", scored_by="votes", where={"model": "three"}))
    assert "nothing found" in caught.value.why
    with pytest.raises(BadInput, match="no pair") as caught:
        job.run(context_of("pairs", **{**by_task, "min_gap": 1.0, "max_prompts": 4}))
    assert "ties" in caught.value.why
    with pytest.raises(BadInput, match="no pair") as caught:
        job.run(context_of("pairs", **{**by_task, "keep_cut": False, "max_new_tokens": 1, "max_prompts": 4}))
    assert "16 answers cut short at 1 tokens" in caught.value.why


def test_a_spec_names_what_each_way_of_scoring_needs() -> None:
    with pytest.raises(BadInput, match="`judge` needs model, judge"):
        PairsSpec.parse({"name": "x", "scored_by": "judge", "data": "balls"})
    with pytest.raises(BadInput, match="`votes` has no use for data"):
        PairsSpec.parse({"name": "x", "scored_by": "votes", "data": "balls"})
    with pytest.raises(BadInput, match="temperature"):
        PairsSpec.parse({"name": "x", "scored_by": "votes", "temperature": 0})
    with pytest.raises(BadInput, match="1 to 57"):
        PairsSpec.parse({"name": "x" * 60, "scored_by": "votes"})
