"""The synthesis job against a fake teacher: rows of every mode, counts, filters, limits and the end of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from datasets_src.synthesis import drive
from datasets_src.synthesis.teacher_spec import TeacherSpec
from datasets_src.synthesis.teachers import list_models
from jobs.errors import BadInput, Missing, Stopped
from tests.datasets_src.synthesis.conftest import MakeSpec, Synthesis, good_answer, rows_of, well_behaved
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

PROMPTS = [{"prompt": f"What is {n} times {n}?"} for n in range(5)]
TASKS = [{"instruction": f"Name thing {n}.", "output": f"It is number {n}."} for n in range(5)]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_pairs_from_documents_are_rows_that_name_tag_teacher_and_source(
    synthesise: Synthesis, make_spec: MakeSpec
) -> None:
    made = synthesise(make_spec(system_prompt="Be brief."))
    assert made.figures["rows"] == len(made.rows) == 6
    for row in made.rows:
        assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
        assert row["messages"][0]["content"] == "Be brief."
        assert (row["tag"], row["teacher"], row["score"]) == ("things", "toy", None)
        assert row["parent"].startswith("documents.jsonl:")
    assert len({row["messages"][1]["content"] for row in made.rows}) == 6
    assert made.figures["path"] == str(made.job.path / "rows.jsonl")
    assert made.figures["domains"] == {"things": {"rows": 6, "wanted": 6}}
    assert made.figures["summary"][0] == "6 of 6 rows made (things 6 of 6)."


def test_tokens_and_cost_are_counted(synthesise: Synthesis, make_spec: MakeSpec) -> None:
    figures = synthesise(make_spec()).figures
    assert (figures["answers"], figures["requests"]) == (3, 3)
    assert (figures["tokens_in"], figures["tokens_out"]) == (33, 21)
    assert figures["cost"] == pytest.approx((33 * 1.0 + 21 * 2.0) / 1e6)
    assert figures["teachers"]["toy"]["answers"] == 3


@pytest.mark.parametrize(
    ("mode", "source", "options"),
    [
        ("self_instruct", TASKS, {}),
        ("self_instruct", None, {}),
        ("rewrite", TASKS, {}),
        ("answers", PROMPTS, {}),
        ("chain_of_thought", PROMPTS, {}),
        ("chain_of_thought", TASKS, {"reasoning_style": "think_tags"}),
        ("multi_turn", None, {"turns": 2}),
        ("multi_turn", PROMPTS, {"turns": 2}),
    ],
)
def test_every_mode_makes_its_rows(
    synthesise: Synthesis,
    make_spec: MakeSpec,
    tmp_path: Path,
    mode: str,
    source: list[dict[str, Any]] | None,
    options: dict[str, Any],
) -> None:
    path = write(tmp_path / "source.jsonl", source) if source else None
    domains = [{"name": "sums", "count": 4, "description": "Sums and products."}]
    made = synthesise(make_spec(mode=mode, input=path, domains=domains, **options))
    assert len(made.rows) == 4
    prompts = {next(iter(row.values())) for row in source or []}
    for row in made.rows:
        messages = row["messages"]
        assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2)
        assert len(messages) == (4 if mode == "multi_turn" else 2)
        given = mode in ("answers", "chain_of_thought") or (mode == "multi_turn" and source is not None)
        assert (messages[0]["content"] in prompts) == given
        assert (row["parent"] is None) == (source is None or mode == "self_instruct")
    if mode == "chain_of_thought":
        marks = ("<think>\nFirst", "</think>\n\nw") if options else ("First", "\n\nAnswer: w")
        assert all(mark in row["messages"][1]["content"] for row in made.rows for mark in marks)


def test_a_teacher_sees_instructions_domain_and_schema(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    domains = [{"name": "things", "count": 2, "description": "Odd things."}]
    synthesise(make_spec(instructions="Write in Welsh.", domains=domains))
    body = server.asked[0].body
    assert "Write in Welsh." in server.asked[0].prompt
    assert "Odd things." in server.asked[0].prompt
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["pairs"]["maxItems"] == 2
    assert (body["temperature"], body["max_tokens"]) == (0.8, 1024)
    synthesise(make_spec({"structured": False}, domains=domains))
    assert "response_format" not in server.asked[-1].body


def test_instructions_reach_the_teacher_of_plain_answers_and_not_the_rows(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, tmp_path: Path
) -> None:
    rows = [{"prompt": "Why?", "system": "Be kind."}]
    spec = make_spec(
        mode="answers", input=write(tmp_path / "p.jsonl", rows), domains=[{"name": "x"}], instructions="Be brief."
    )
    (row,) = synthesise(spec).rows
    assert server.asked[0].body["messages"][0] == {"role": "system", "content": "Be kind.\n\nBe brief."}
    assert row["messages"][0] == {"role": "system", "content": "Be kind."}


def test_ollama_is_asked_in_its_own_way(synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer) -> None:
    made = synthesise(make_spec({"model": "ollama:llama3.2:3b", "price_in": None, "price_out": None}))
    assert len(made.rows) == 6
    assert made.figures["cost"] == 0
    body = server.asked[0].body
    assert server.asked[0].path == "/api/chat"
    assert (body["model"], body["options"]["num_ctx"]) == ("llama3.2:3b", 4096)
    assert body["format"]["required"] == ["pairs"]


def test_teachers_get_their_shares_and_one_of_share_zero_writes_nothing(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    teachers = [
        {"model": f"openai:{name}", "base_url": server.address, "weight": weight}
        for name, weight in (("large", 3), ("small", 1), ("judge", 0))
    ]
    made = synthesise(make_spec(teachers=teachers, domains=[{"name": "things", "count": 40}], attempts=1))
    written = [row["teacher"] for row in made.rows]
    assert set(written) == {"large", "small"}
    assert 28 <= written.count("large") <= 32
    assert made.figures["cost"] is None, "nobody knows what it cost"


def test_each_domain_gets_its_own_count_from_the_rows_tagged_for_it(
    synthesise: Synthesis, make_spec: MakeSpec, tmp_path: Path
) -> None:
    rows = [{"text": f"Text {n}.", "tag": "law" if n < 3 else "art" if n < 5 else "other"} for n in range(6)]
    spec = make_spec(
        input=write(tmp_path / "tagged.jsonl", rows),
        domains=[{"name": "law", "count": 4, "description": "Law."}, {"name": "art", "description": "Art."}],
        pairs_per_document=1,
    )
    made = synthesise(spec)
    by_tag = {tag: {row["parent"] for row in made.rows if row["tag"] == tag} for tag in ("law", "art")}
    assert made.figures["domains"]["law"] == {"rows": 4, "wanted": 4}
    assert by_tag["law"] <= {f"tagged.jsonl:{n}" for n in (1, 2, 3, 6)}, "the sixth belongs to no domain, so to all"
    assert by_tag["art"] == {f"tagged.jsonl:{n}" for n in (4, 5, 6)}, "without a count, every row once"


@pytest.mark.parametrize(
    ("second", "reason"), [("Why is the sky blue?", "an exact repetition"), ("Why is the big sky blue?", "too like")]
)
def test_repeated_rows_are_refused_and_made_up_for(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, second: str, reason: str
) -> None:
    repeated = iter(["Why is the sky blue?", second])

    def behave(asked: Asked) -> Reply:
        question = next(repeated, None)
        pairs = [{"question": question, "answer": "It is."}] if question else good_answer(asked.prompt)["pairs"]
        return Reply(json.dumps({"pairs": pairs[:1]}))

    server.behave = behave
    made = synthesise(make_spec({"concurrency": 1}))
    assert len(made.rows) == 6
    assert made.questions.count("Why is the sky blue?") == 1
    ((told, count),) = made.figures["refused"].items()
    assert told.startswith(reason)
    assert count == 1
    assert made.figures["answers"] == 7


def test_a_teacher_that_repeats_itself_for_ever_runs_out_of_attempts(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda _: Reply(json.dumps({"pairs": [{"question": "Why?", "answer": "So."}]}))
    made = synthesise(make_spec(attempts=2))
    assert len(made.rows) == 1
    assert made.figures["answers"] == 6, "6 rows need 3 requests, and twice that is allowed"
    assert made.figures["refused"] == {"an exact repetition": 5}
    assert any("1 of 6 rows" in warning for warning in made.figures["warnings"])


def test_a_rewritten_row_has_to_differ_from_its_source(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, tmp_path: Path
) -> None:
    server.behave = lambda _: Reply(json.dumps({"instruction": "Name  thing 0.", "answer": "No."}))
    with pytest.raises(BadInput, match="the same as its source"):
        synthesise(
            make_spec(mode="rewrite", input=write(tmp_path / "t.jsonl", TASKS[:1]), domains=[{"name": "things"}])
        )


def test_a_new_task_has_to_differ_from_the_examples_shown(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, tmp_path: Path
) -> None:
    copied = iter([{"instruction": "Name thing 3.", "answer": "Copied."}])
    server.behave = lambda asked: Reply(json.dumps(next(copied, None) or good_answer(asked.prompt)))
    made = synthesise(make_spec({"concurrency": 1}, mode="self_instruct", input=write(tmp_path / "t.jsonl", TASKS)))
    assert len(made.rows) == 6
    assert made.figures["refused"] == {"too like an example that was shown": 1}


def test_a_judge_scores_every_row_and_weak_ones_are_refused_and_made_up_for(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    scores = iter([3, 9, 6, 7])

    def behave(asked: Asked) -> Reply:
        if asked.body["model"] == "strict":
            return Reply(json.dumps({"reason": "Because.", "score": next(scores, 10)}))
        return well_behaved(asked)

    server.behave = behave
    teachers = [
        {"model": "openai:toy", "base_url": server.address},
        {"model": "openai:strict", "base_url": server.address, "weight": 0},
    ]
    judge = {"rubric": "The answer is right.", "min_score": 7, "teacher": "strict"}
    made = synthesise(make_spec(teachers=teachers, judge=judge))
    assert len(made.rows) == 6
    assert {row["teacher"] for row in made.rows} == {"toy"}
    assert sorted(row["score"] for row in made.rows) == [7, 9, 10, 10, 10, 10]
    assert made.figures["refused"]["a score below 7"] == 2
    judged = [asked.prompt for asked in server.asked if asked.body["model"] == "strict"]
    assert "The answer is right." in judged[0]
    assert made.figures["teachers"]["strict"]["answers"] == len(judged) >= 8


def test_a_row_whose_judge_only_talks_is_refused(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda asked: Reply("Lovely!") if '"score"' in asked.prompt else well_behaved(asked)
    with pytest.raises(BadInput) as caught:
        synthesise(make_spec(judge={"rubric": "Good."}, domains=[{"name": "things", "count": 2}], retries=1))
    assert "prose" in caught.value.why


def test_no_call_is_made_that_could_pass_the_limit_of_cost(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    priced = {"price_in": 0.0, "price_out": 1000.0, "max_tokens": 100}
    made = synthesise(make_spec(priced, max_cost=0.12, domains=[{"name": "things", "count": 24}]))
    # An answer may cost 0.1 and does cost 0.007: the third could still be afforded, the fourth might not.
    assert made.figures["answers"] == len(server.asked) == 3
    assert made.figures["cost"] == pytest.approx(0.021)
    assert made.figures["warnings"] == ["It ended at the limit of cost, 0.12."]
    assert len(made.rows) == 6


def test_an_endpoint_that_counts_no_tokens_has_them_estimated(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda asked: Reply(well_behaved(asked).text, tokens=None)
    figures = synthesise(make_spec()).figures
    assert figures["teachers"]["toy"]["answers_without_token_counts"] == 3
    assert figures["tokens_in"] > 200
    assert figures["cost"] > 0


def test_input_rows_of_no_use_are_counted_with_the_reason(
    synthesise: Synthesis, make_spec: MakeSpec, tmp_path: Path
) -> None:
    rows = [{"text": "Something."}, {"text": " "}, {"title": "No text"}]
    made = synthesise(make_spec(input=write(tmp_path / "d.jsonl", rows), domains=[{"name": "things"}]))
    assert len(made.rows) == 2
    assert made.figures["input_left_out"] == {"no text in a column named text": 2}


def test_progress_and_metrics_tell_rows_by_domain(synthesise: Synthesis, make_spec: MakeSpec) -> None:
    made = synthesise(make_spec())
    assert made.status.message.startswith("Rows things 6/6; 3 answers")
    assert made.status.progress == 1.0
    assert made.job.metrics()[-1]["rows"] == made.job.metrics()[-1]["rows_things"] == 6
    assert made.job.metrics()[-1]["step"] == 3


def test_a_stop_keeps_what_came_and_a_resumed_job_asks_only_for_the_rest(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    job = synthesise.create(make_spec({"concurrency": 1}, domains=[{"name": "things"}]))

    def behave(asked: Asked) -> Reply:
        if len(server.asked) == 4:
            job.request_stop()
        return well_behaved(asked)

    server.behave = behave
    with pytest.raises(Stopped):
        synthesise.attempt(job)
    kept = rows_of(job)
    assert len(kept) == 2 * len(server.asked), "what was under way was waited for and kept"
    assert 4 <= len(server.asked) < 12
    job.clear_stop()
    made = synthesise.attempt(job, number=2)
    assert made.rows[: len(kept)] == kept
    assert len(made.rows) == 24
    assert set(server.prompts().values()) == {1}
    assert made.figures["answers"] == 12


def test_an_endpoint_that_hangs_does_not_keep_a_stop_waiting(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "GRACE_SECONDS", 0.1)
    job = synthesise.create(make_spec(domains=[{"name": "things"}]))

    def behave(asked: Asked) -> Reply:
        if len(server.asked) <= 2:
            return well_behaved(asked)
        job.request_stop()
        return Reply(fault="hang")

    server.behave = behave
    started = time.monotonic()
    with pytest.raises(Stopped):
        synthesise.attempt(job)
    assert time.monotonic() - started < 10, "far less than the time that an answer may take"
    assert len(rows_of(job)) == 4


def test_a_resumed_job_refuses_an_input_that_has_changed(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, documents: Path
) -> None:
    server.behave = lambda _: Reply(status=401)
    job = synthesise.create(make_spec())
    with pytest.raises(Missing, match="401"):
        synthesise.attempt(job)
    write(documents, [{"text": "Something else."}])
    with pytest.raises(BadInput, match="has changed since the job began"):
        synthesise.attempt(job, number=2)


def test_the_form_can_list_an_endpoint_s_models(server: FakeChatServer) -> None:
    assert list_models(TeacherSpec.parse({"model": "ollama:any", "base_url": server.address})) == [
        "t1:latest",
        "t3:latest",
    ]
    with pytest.raises(Missing, match="doesn't tell which models"):
        list_models(TeacherSpec.parse({"model": "ollama:any", "base_url": "http://127.0.0.1:1"}))
