"""An endpoint that misbehaves on command: everything it can do is retried, counted by kind, and survived."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from jobs.errors import BadInput, Missing
from models.endpoints.client import FailureKind
from tests.datasets_src.synthesis.conftest import MakeSpec, Synthesis, good_answer, rows_of, well_behaved
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

CUT = '{"pairs": [{"question": "Who?", "answer": "The one wh'


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Reply(fault="hang"), FailureKind.TIMEOUT),
        (Reply(status=429, headers={"Retry-After": "0.01"}), FailureKind.RATE_LIMIT),
        (Reply(status=500), FailureKind.SERVER),
        (Reply(status=502), FailureKind.SERVER),
        (Reply(fault="error_inside"), FailureKind.SERVER),
        (Reply(fault="half"), FailureKind.BROKEN_OFF),
        (Reply(fault="html"), FailureKind.NOT_THE_API),
        (Reply(""), FailureKind.EMPTY),
        (Reply("I would rather talk about it."), FailureKind.PROSE),
        (Reply('{"questions": []}'), FailureKind.WRONG_SHAPE),
        (Reply('{"pairs": []}'), FailureKind.WRONG_SHAPE),
        (Reply('{"pairs": [{"question": "", "answer": "b"}]}'), FailureKind.WRONG_SHAPE),
        (Reply(CUT), FailureKind.CUT_SHORT),
        (Reply(CUT, finish_reason="length"), FailureKind.CUT_SHORT),
    ],
    ids=lambda value: str(value) if isinstance(value, FailureKind) else value.fault or f"{value.status} {value.text}",
)
def test_a_fault_of_any_kind_is_retried_and_counted(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, fault: Reply, kind: FailureKind, stream: bool
) -> None:
    faults = iter([fault])
    server.behave = lambda asked: next(faults, None) or well_behaved(asked)
    seconds = 0.2 if fault.fault == "hang" else 30
    made = synthesise(make_spec({"stream": stream, "concurrency": 1}, request_timeout=seconds))
    # On a busy machine a good answer may take longer than the short time that a hanging one is given.
    assert made.figures["retries"] == {kind: made.figures["retries"][kind]}
    assert made.figures["retries"][kind] == 1 or fault.fault == "hang"
    assert len(made.rows) == 6
    assert made.figures["requests"] == len(server.asked)
    assert made.figures["given_up"] == {}


def test_answers_in_fences_and_between_prose_cost_no_retry(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda asked: Reply(f"Sure!\n```json\n{json.dumps(good_answer(asked.prompt))}\n```\nEnjoy.")
    made = synthesise(make_spec())
    assert len(made.rows) == 6
    assert made.figures["retries"] == {}


def test_placeholders_without_a_word_become_no_rows(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    empty = [{"question": "...", "answer": "Yes"}, {"question": "What is it?", "answer": "…"}]
    faults = iter([Reply(json.dumps({"pairs": empty}))])
    server.behave = lambda asked: next(faults, None) or well_behaved(asked)
    made = synthesise(make_spec())
    assert len(made.rows) == 6
    assert made.figures["refused"]["a question or an answer without a word"] == 2


def test_a_storm_of_faults_ends_with_all_rows_and_every_fault_counted(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    storm = [
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply("No."),
        Reply(status=500),
        Reply(fault="half"),
    ]
    asked_about: Counter[str] = Counter()

    def behave(asked: Asked) -> Reply:
        (document,) = re.findall(r"thing number (\d+)", asked.prompt)
        asked_about[document] += 1
        return storm[asked_about[document] - 1] if asked_about[document] <= len(storm) else well_behaved(asked)

    server.behave = behave
    made = synthesise(make_spec(retries=4, domains=[{"name": "things"}], pairs_per_document=1))
    assert len(made.rows) == 12
    assert made.figures["retries"] == dict.fromkeys(
        (FailureKind.RATE_LIMIT, FailureKind.PROSE, FailureKind.SERVER, FailureKind.BROKEN_OFF), 12
    )
    assert made.figures["requests"] == 12 * 5
    assert made.figures["answers"] == 24, "prose is an answer, and paid for"


def test_one_hopeless_document_is_given_up_and_reported_and_the_job_goes_on(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda asked: Reply(status=500) if "number 3." in asked.prompt else well_behaved(asked)
    made = synthesise(make_spec(retries=2, domains=[{"name": "things"}]))
    assert len(made.rows) == 22
    assert Counter(asked.prompt for asked in server.asked).most_common(1)[0][1] == 3
    assert made.figures["given_up"] == {FailureKind.SERVER: 1}
    assert made.figures["retries"] == {FailureKind.SERVER: 3}
    assert made.figures["warnings"] == ["Requests given up after all tries: 1 for server error."]


def test_faults_of_different_kinds_share_the_same_few_tries(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda _: Reply(status=500) if len(server.asked) % 2 else Reply("No.")
    with pytest.raises(BadInput):
        synthesise(make_spec({"concurrency": 1}, retries=3, attempts=1, domains=[{"name": "things", "count": 2}]))
    assert len(server.asked) == 4


def test_a_request_called_wrong_is_given_up_at_once(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda asked: Reply(status=400) if "number 3." in asked.prompt else well_behaved(asked)
    made = synthesise(make_spec(domains=[{"name": "things"}]))
    assert made.figures["given_up"] == {FailureKind.REFUSED: 1}
    assert len(server.asked) == 12


def test_when_everything_fails_the_job_stops_and_says_by_what(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda _: Reply(status=503)
    with pytest.raises(Missing, match=r"server error: .* answered 503") as caught:
        synthesise(make_spec(retries=1, domains=[{"name": "things", "count": 1000}]))
    assert "Resume" in caught.value.fix
    assert 20 <= len(server.asked) <= 36, "ten given up in a row, and at most eight begun beside them"


def test_a_teacher_that_never_gives_json_stops_the_job(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    server.behave = lambda _: Reply("Let us talk.")
    with pytest.raises(BadInput, match="Let us talk"):
        synthesise(make_spec(retries=1, domains=[{"name": "things", "count": 1000}]))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_no_right_or_no_model_ends_the_job_at_once_and_a_resumed_one_goes_on(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer, status: int
) -> None:
    job = synthesise.create(make_spec({"concurrency": 1}, domains=[{"name": "things"}]))
    server.behave = lambda asked: well_behaved(asked) if len(server.asked) < 4 else Reply(status=status)
    with pytest.raises(Missing, match=str(status)):
        synthesise.attempt(job)
    assert len(server.asked) == 4
    assert len(rows_of(job)) == 6
    server.behave = well_behaved
    assert len(synthesise.attempt(job, number=2).rows) == 24
    assert len(server.asked) == 13


def test_what_an_outage_made_the_job_give_up_is_asked_again_when_it_is_resumed(
    synthesise: Synthesis, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    job = synthesise.create(make_spec({"concurrency": 1}, retries=0, domains=[{"name": "things"}]))
    server.behave = lambda asked: well_behaved(asked) if len(server.asked) < 3 else Reply(status=500)
    with pytest.raises(Missing):
        synthesise.attempt(job)
    server.behave = well_behaved
    made = synthesise.attempt(job, number=2)
    assert len(made.rows) == 24
    assert set(server.answered.values()) == {1}
