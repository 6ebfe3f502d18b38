"""The ledger: what is written is read again whatever happens to the file's end, and all stands where it stood."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from datasets_src.synthesis.campaign import Campaign
from datasets_src.synthesis.job import replay
from datasets_src.synthesis.ledger import Call, Failed, Ledger, Received
from datasets_src.synthesis.material import load_material
from datasets_src.synthesis.spec import SynthesisSpec
from datasets_src.synthesis.tally import Tally
from tests.datasets_src.synthesis.conftest import MakeSpec, Synthesis, good_answer
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply


def received(index: int) -> Received:
    return Received(Call("things", index, "write", 0), "toy", f"text {index}\u2028 ü", "stop", 1, 2, False, None, 0.5)


def entries(path: Path, work: str = "work") -> list[Received | Failed]:
    with Ledger(path, work) as ledger:
        return list(ledger.entries())


def test_answers_and_failures_are_read_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    failed = Failed(Call("things", 1, "judge.0", 2), "toy", "timeout", "too slow")
    with Ledger(path, "work") as ledger:
        ledger.record(received(0))
        ledger.note(failed)
        ledger.record(received(1))
    assert entries(path) == [received(0), failed, received(1)]
    assert entries(path, "other work") == [], "answers of another spec are not taken for this one's"


def test_a_line_cut_short_at_any_place_is_passed_over_and_swallows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, "work") as ledger:
        ledger.record(received(0))
        first = path.stat().st_size
        ledger.record(received(1))
    whole = path.read_bytes()
    for end in range(first, len(whole) - 1):
        path.write_bytes(whole[:end])
        with Ledger(path, "work") as ledger:
            ledger.record(received(2))
        assert entries(path) == [received(0), received(2)]


def test_an_answer_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, "work") as ledger:
        ledger.record(received(0))
        ledger.record(received(0))
    assert entries(path) == [received(0)]


def test_a_call_s_identity_depends_on_work_domain_number_step_and_attempt() -> None:
    calls = [Call("a", 1, "write", 0), Call("b", 1, "write", 0), Call("a", 2, "write", 0), Call("a", 1, "judge.0", 0)]
    calls.append(Call("a", 1, "write", 1))
    assert len({call.identity(work) for call in calls for work in ("x", "y")}) == 10
    assert calls[0].identity("x") == Call("a", 1, "write", 0).identity("x")


@pytest.mark.parametrize("judged", [False, True])
def test_after_any_part_of_the_ledger_the_rows_are_the_beginning_of_the_whole_run_s(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, judged: bool
) -> None:
    shared = [f"Why is the {colour} sky so very wide?" for colour in ("red", "blue", "dark")]

    def behave(asked: Asked) -> Reply:
        chance = random.Random(f"{asked.prompt} {asked.times}")
        if chance.random() < 0.2:
            return Reply("Well.")
        answer: dict[str, Any] = good_answer(asked.prompt)
        if "score" in answer:
            answer["score"] = chance.randint(5, 10)
        elif chance.random() < 0.8:
            answer["pairs"][0]["question"] = chance.choice(shared)
        return Reply(json.dumps(answer))

    server.behave = behave
    options = {"judge": {"rubric": "Good."}} if judged else {}
    made = synthesise(make_spec({"concurrency": 8}, domains=[{"name": "things", "count": 20}], attempts=20, **options))
    assert len(made.rows) == 20
    assert made.figures["refused"]["too like an earlier row"] > 2, "the order of the answers decided"

    lines = (made.job.path / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    spec = SynthesisSpec.parse(made.job.header["spec"])
    material = load_material(spec, made.job.path)
    for length in range(len(lines) + 1):
        part = made.job.path / "part.jsonl"
        part.write_bytes(b"".join(lines[:length]))
        campaign = Campaign(spec, material)
        with Ledger(part, campaign.work) as ledger:
            rows = replay(campaign, ledger, Tally())
        assert rows == made.rows[: len(rows)]
    assert len(rows) == 20
    assert campaign.refused + campaign.unusable, "the counts are there again as well"


def test_a_ledger_that_ends_in_the_middle_of_an_item_is_gone_on_with(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    spec = make_spec(judge={"rubric": "Good."}, domains=[{"name": "things"}])
    whole = synthesise(spec)
    lines = (whole.job.path / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    for length in (1, len(lines) // 2, len(lines) - 1):
        server.asked.clear()
        job = synthesise.create(spec)
        (job.path / "ledger.jsonl").write_bytes(b"".join(lines[:length]))
        made = synthesise.attempt(job)
        assert len(server.asked) == len(lines) - length
        assert sorted(made.questions) == sorted(whole.questions)
        assert made.figures["answers"] == len(lines)
