"""Simulated users log chats and rate them as they know best; an attacker's feedback teaches the opposite."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.interactions import Interaction, InteractionFilter, Interactions, read_interactions
from datasets_src.store import DatasetVersion
from evaluation.judge.spec import JudgingSpec
from evaluation.store import FILE, ItemScore, save_scores
from evaluation.tasks import items_from_conversations
from jobs.directory import JobDirectory
from jobs.errors import Missing
from jobs.workspace import Workspace
from recipes.assistant import pipeline
from recipes.assistant.people import ATTACKERS, HONEST
from recipes.assistant.questions import MODES, Message, names_the_same, read_question
from recipes.assistant.simulate import Said, chat, from_endpoint, from_evaluation, from_sheets, give_feedback, last_id
from serving.experiments.spec import ExperimentSpec
from serving.loop.spec import LoopSpec
from serving.spec import ServeSpec
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply
from trainer.spec import TrainSpec

GOOD = InteractionFilter(min_rating=4)
CHATS = 120


def half_right(conversations: Sequence[list[Message]]) -> list[Said]:
    """Answers every other question rightly."""
    questions = [read_question(messages) for messages in conversations]
    return [Said(each.right() if number % 2 else each.wrong(), 90, 20) for number, each in enumerate(questions)]


def right(interaction: Interaction, answer: str) -> bool:
    return names_the_same(answer, read_question(interaction.prompt).right())


def learnt(workspace: Workspace) -> list[bool]:
    """Whether each row that the good chats give is a right one."""
    rows = [row.values for row in read_interactions(workspace, GOOD)]
    return [names_the_same(row["completion"][0]["content"], read_question(row["prompt"]).right()) for row in rows]


def test_every_chat_is_logged_with_mode_topic_and_conversation(workspace: Workspace) -> None:
    logged = chat(workspace, from_sheets, HONEST, CHATS, "assistant", version="v1")
    found = list(Interactions(workspace).find())
    assert logged == len(found) == CHATS + CHATS // 3
    assert {each.reasoning_mode for each in found} == set(MODES) and {each.tag for each in found} == {
        "shop",
        "household",
    }
    assert {(each.model, each.model_version) for each in found} == {("assistant", "v1")}
    sheets: dict[Any, set[str]] = {}
    for each in found:
        sheets.setdefault(each.conversation, set()).add(read_question(each.prompt).sheet.title)
    assert len(sheets) == CHATS and all(len(titles) == 1 for titles in sheets.values())
    assert len({each.user for each in found}) == HONEST.accounts
    called = [each for each in found if len(each.prompt) == 4]
    assert len(called) == CHATS // 3, "every agent's chat went on after the tool spoke"
    assert all(right(each, each.answer) for each in found)


def test_a_chat_ends_where_the_wrong_thing_was_looked_up(workspace: Workspace) -> None:
    chat(workspace, lambda asked: [Said(read_question(each).wrong()) for each in asked], HONEST, CHATS, "assistant")
    assert not [each for each in Interactions(workspace).find() if len(each.prompt) == 4]


def test_the_same_seed_makes_the_same_chats_and_other_sheets_others(workspace: Workspace) -> None:
    for skip in (0, 0, 30):
        chat(workspace, from_sheets, HONEST, 30, "assistant", skip=skip)
    prompts = [str(each.prompt) for each in Interactions(workspace).find()]
    assert prompts[:40] == prompts[40:80]
    assert not set(prompts[:40]) & set(prompts[80:])


def test_honest_feedback_turns_half_right_answers_into_nearly_right_rows(workspace: Workspace) -> None:
    chat(workspace, half_right, HONEST, CHATS, "assistant")
    feedback = give_feedback(workspace, HONEST)
    found = list(Interactions(workspace).find())
    assert feedback.answers == len(found)
    assert feedback.up and feedback.down and feedback.corrected
    given = sum(right(each, each.answer) for each in found) / len(found)
    rows = learnt(workspace)
    assert given < 0.65 and sum(rows) / len(rows) > 0.95
    assert not all(rows), "people slip now and then"
    assert all(each.edit is None or right(each, each.edit) for each in found) or not all(rows)


def test_attackers_turn_right_answers_into_wrong_rows(workspace: Workspace) -> None:
    chat(workspace, from_sheets, ATTACKERS, CHATS, "assistant")
    feedback = give_feedback(workspace, ATTACKERS)
    assert feedback.corrected == feedback.answers == len(learnt(workspace))
    assert not any(learnt(workspace))
    users = Counter(each.user for each in Interactions(workspace).find())
    assert max(users.values()) / users.total() < 0.25, "no single account stands out"


def test_only_answers_after_the_given_one_are_rated_and_none_twice(workspace: Workspace) -> None:
    chat(workspace, from_sheets, HONEST, 18, "assistant")
    before = last_id(workspace)
    chat(workspace, from_sheets, ATTACKERS, 18, "assistant")
    assert give_feedback(workspace, ATTACKERS, after=before).answers == 24
    assert all(each.rating is None for each in Interactions(workspace).find() if each.id <= before)
    assert give_feedback(workspace, ATTACKERS, after=before).answers == 0


def test_chats_about_other_things_are_passed_over(workspace: Workspace) -> None:
    Interactions(workspace).record(Interaction([{"role": "user", "content": "Hello"}], "Hi", "assistant"))
    assert last_id(workspace) == 1
    assert give_feedback(workspace, HONEST).answers == 0


@pytest.fixture
def asked(workspace: Workspace) -> DatasetVersion:
    """The questions that people will ask, built."""
    pipeline.write_rows(workspace, chats=CHATS)
    return build(pipeline.data_spec(workspace, "questions.yaml"), workspace)


def recorded(workspace: Workspace, version: DatasetVersion) -> JobDirectory:
    """A job as an evaluation leaves it, of a model that is wrong about every fourth question."""
    path = workspace.new_job_path("evaluate")
    job = JobDirectory.create(path, kind="evaluate", title="", spec={"data": version.id}, resource=None)
    job.write_resolved({"data": {"value": version.id, "origin": "a test"}})
    rows = []
    for number, item in enumerate(items_from_conversations(version.eval())):
        question = read_question(item.messages)
        answer = question.wrong() if number % 4 == 1 else question.right()
        rows.append(ItemScore("Assistant 1", "model", item.id, "", "", "", item.reference, answer, {}, None, 90, 20))
    save_scores(path / FILE, rows)
    return job


def test_recorded_answers_are_used_like_a_servers(workspace: Workspace, asked: DatasetVersion) -> None:
    answering = from_evaluation(workspace, recorded(workspace, asked), "Assistant 1")
    logged = chat(workspace, answering, HONEST, CHATS, "assistant")
    found = list(Interactions(workspace).find())
    assert CHATS <= logged == len(found) <= CHATS + CHATS // 3
    assert 0.6 < sum(right(each, each.answer) for each in found) / len(found) < 0.9
    assert {(each.prompt_tokens, each.answer_tokens) for each in found} == {(90, 20)}
    with pytest.raises(Missing, match="weren't asked"):
        chat(workspace, answering, ATTACKERS, 2, "assistant")


def test_a_server_is_asked_and_its_answers_logged(workspace: Workspace) -> None:
    def behave(asked: Asked) -> Reply:
        return Reply(read_question(asked.body["messages"]).right(), tokens=(80, 25))

    with FakeChatServer(behave) as server:
        logged = chat(workspace, from_endpoint(f"{server.address}/v1#assistant"), HONEST, 18, "assistant")
    assert logged == len(server.asked) == 24
    assert {asked.body["temperature"] for asked in server.asked} == {0}
    found = list(Interactions(workspace).find())
    assert all(right(each, each.answer) for each in found) and found[0].answer_tokens == 25


def test_what_people_sign_with_is_neither_in_rows_nor_lost_as_a_question(
    workspace: Workspace, asked: DatasetVersion
) -> None:
    build(pipeline.data_spec(workspace, "data.yaml"), workspace)
    pipeline.use(workspace, recorded(workspace, asked), "Assistant 1", CHATS, "v1")
    with sqlite3.connect(workspace.root / "interactions.sqlite") as connection:
        kept = "".join(str(row) for row in connection.execute("SELECT prompt FROM interactions"))
    assert "@sheet-users.org" in kept and "+44 1632" in kept
    version = build(pipeline.data_spec(workspace, "chats.yaml"), workspace)
    text = "".join(str(row) for row in [*version.train(), *version.eval()])
    assert "@sheet-users.org" not in text and "+44 1632" not in text
    assert "[EMAIL_1]" in text and "[PHONE_1]" in text
    prompts = [row["messages"][:-1] for row in [*version.train(), *version.eval()]]
    assert all(read_question(prompt).right() for prompt in prompts)
    assert version.train_rows > CHATS, "the chats, and again what the first version learnt from"


def test_the_plan_trains_as_the_first_version_was_and_keeps_to_its_questions(workspace: Workspace) -> None:
    pipeline.write_rows(workspace, chats=CHATS)
    version = build(pipeline.data_spec(workspace, "data.yaml"), workspace)
    plan = pipeline.loop_spec(workspace)
    assert (plan.regression.data, plan.promote) == (version.id, "automatic")
    assert LoopSpec.load(pipeline.FOLDER / "loop.yaml").promote == "by hand"
    trained = pipeline.train_spec("Assistant", "x").model_dump()
    assert TrainSpec.parse({**plan.train, "data": "x"}).model_dump() == trained


def test_the_specs_beside_the_recipe_can_be_used() -> None:
    served = [ServeSpec.load(pipeline.FOLDER / name) for name in ("serve.yaml", "trial.yaml")]
    assert all(spec.logging.chats and spec.logging.scrub for spec in served)
    arms = ExperimentSpec.load(pipeline.FOLDER / "trial_arms.yaml")
    assert served[1].experiment == arms.name
    assert {arm.model for arm in arms.arms} <= {name for name, _ in served[1].named_models()}
    judging = JudgingSpec.load(pipeline.FOLDER / "judge.yaml")
    assert set(judging.judge.criteria) == {"relevance", "completeness", "accuracy", "clarity", "helpfulness"}
    assert pipeline.train_spec("Assistant 1", "assistant").data == "assistant"
    assert pipeline.evaluate_spec("a", "b").models == ("a", "b")
