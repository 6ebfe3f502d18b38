"""Experiments are kept by several processes at once, changed with care, and forgotten when asked."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.experiments import Experiments, Outcome, arm_counts, arm_of, compare
from serving.tables import serving_database
from serving.writer import Writer
from tests.serving.experiments.people import BEGAN, HOUR, come, succeeding, two_arms

PROJECT = Path(__file__).resolve().parents[3]
MORE_B = [{"model": "A", "percentage": 30}, {"model": "B", "percentage": 70}]


@pytest.fixture
def experiments(workspace: Workspace) -> Experiments:
    return Experiments(workspace)


def test_what_was_started_is_found_as_it_was(experiments: Experiments, workspace: Workspace) -> None:
    started = experiments.start(two_arms())
    assert started.spec == two_arms() and started.running and started.revision == 1
    elsewhere = Experiments(workspace)
    assert elsewhere.find("greeting") == started
    assert elsewhere.list_all() == [started]


def test_an_unknown_experiment_is_missing_and_those_there_are_named(experiments: Experiments) -> None:
    with pytest.raises(Missing, match="None was started"):
        experiments.find("greting")
    assert not experiments.database.path.exists()
    experiments.start(two_arms())
    with pytest.raises(Missing, match="There are greeting"):
        experiments.assign("greting", "alice", None)


def test_users_without_an_id_are_kept_by_conversation_or_not_counted(experiments: Experiments) -> None:
    experiments.start(two_arms())
    arms = {experiments.assign("greeting", None, f"talk-{number}").arm for number in range(50)}
    assert arms == {"A", "B"}
    assert {experiments.assign("greeting", None, "talk-1").arm for _ in range(9)} == {
        experiments.assign("greeting", None, "talk-1").arm
    }
    nobody = experiments.assign("greeting", None, None)
    assert (nobody.arm, nobody.counted) == ("A", False)
    experiments.expose(nobody, "r1")
    assert arm_counts(experiments, "greeting") == {"A": {"users": 0, "answers": 0}, "B": {"users": 0, "answers": 0}}


def test_conversations_can_be_what_is_shared_out(experiments: Experiments) -> None:
    experiments.start(two_arms(unit="conversation"))
    arms = {experiments.assign("greeting", "alice", f"talk-{number}").arm for number in range(50)}
    assert arms == {"A", "B"}
    assert not experiments.assign("greeting", "alice", None).counted


def test_changed_percentages_move_only_those_who_have_to(experiments: Experiments) -> None:
    experiments.start(two_arms())
    users = [f"user-{number}" for number in range(5000)]
    before = [experiments.assign("greeting", user, None).arm for user in users]
    changed = experiments.start(two_arms(arms=MORE_B, salt="another"))
    assert (changed.revision, changed.spec.salt) == (2, "s")
    after = [experiments.assign("greeting", user, None).arm for user in users]
    moves = {(one, two) for one, two in zip(before, after, strict=True) if one != two}
    assert moves == {("A", "B")}
    assert abs(after.count("B") / len(users) - 0.7) < 0.03


def test_of_a_running_experiment_nothing_else_can_change(experiments: Experiments) -> None:
    experiments.start(two_arms())
    with pytest.raises(BadInput, match="Nothing in it changed"):
        experiments.start(two_arms())
    with pytest.raises(BadInput, match="with other settings"):
        experiments.start(two_arms(outcome="rating"))
    experiments.stop("greeting", "enough")
    with pytest.raises(BadInput, match="was stopped"):
        experiments.start(two_arms(arms=MORE_B))
    assert experiments.find("greeting").revision == 1


def test_a_stopped_arm_s_users_get_control_and_count_no_more(experiments: Experiments) -> None:
    spec = two_arms()
    experiments.start(spec)
    user = next(user for user in map(str, range(99)) if arm_of(spec, user) == "B")
    assert experiments.assign("greeting", user, None).model == "B"
    stopped = experiments.stop("greeting", "it fails", "B")
    assert stopped.stopped_arms == {"B": "it fails"} and stopped.running
    now = experiments.assign("greeting", user, None)
    assert (now.arm, now.model, now.counted) == ("A", "A", False)
    # Once is enough, and control can't be stopped.
    assert len(experiments.stop("greeting", "again", "B").stops) == 1
    with pytest.raises(BadInput, match="Arms that can be: B"):
        experiments.stop("greeting", "no", "A")
    ended = experiments.stop("greeting", "enough")
    assert not ended.running and not experiments.assign("greeting", "anybody", None).counted


def test_another_process_s_stop_is_noticed_within_a_second(experiments: Experiments, workspace: Workspace) -> None:
    experiments.start(two_arms())
    assert any(experiments.assign("greeting", str(user), None).arm == "B" for user in range(20))
    Experiments(workspace).stop("greeting", "enough")
    # As if a second had passed.
    experiments._remembered.clear()
    assert not any(experiments.assign("greeting", str(user), None).counted for user in range(20))


def test_a_database_that_breaks_keeps_nobody_from_being_answered(experiments: Experiments) -> None:
    experiments.start(two_arms())
    before = [experiments.assign("greeting", str(user), None) for user in range(20)]
    experiments.database.path.write_bytes(b"no database at all" * 100)
    experiments._remembered["greeting"] = replace(experiments._remembered["greeting"], read=-1e9)
    assert [experiments.assign("greeting", str(user), None) for user in range(20)] == before


@pytest.mark.parametrize(
    "outcome",
    [Outcome(rating=6), Outcome(rating=0), Outcome(success=2), Outcome(seconds=-1), Outcome(tokens=-5),
     Outcome(seconds=float("nan"))],
)  # fmt: skip
def test_a_figure_that_cannot_be_one_is_refused(experiments: Experiments, outcome: Outcome) -> None:
    experiments.start(two_arms())
    with pytest.raises(BadInput):
        experiments.record("r1", outcome)


def test_outcomes_are_for_requests_that_an_arm_answered(experiments: Experiments) -> None:
    with pytest.raises(Missing, match="No experiment knows"):
        experiments.require_exposed("r1")
    experiments.start(two_arms())
    experiments.expose(experiments.assign("greeting", "alice", None), "r1")
    experiments.require_exposed("r1")


def test_users_are_known_by_salted_hashes_alone(experiments: Experiments, workspace: Workspace) -> None:
    experiments.start(two_arms())
    experiments.expose(experiments.assign("greeting", "alice@example.org", "talk-with-alice"), "r1")
    experiments.expose(experiments.assign("greeting", "half \ud83d", None), "r2")
    assert b"alice" not in b"".join(path.read_bytes() for path in workspace.root.iterdir())


def test_deleting_a_user_leaves_no_trace(experiments: Experiments) -> None:
    experiments.start(two_arms())
    for user in ("alice", "bob"):
        for number in range(3):
            request = f"SECRET-{user}-{number}"
            experiments.expose(experiments.assign("greeting", user, f"talk-{user}"), request, BEGAN)
            experiments.record(request, Outcome(error=False, success=1.0, rating=5), BEGAN)
    path = experiments.database.path
    with closing(sqlite3.connect(path)) as other:
        hashed = other.execute("SELECT user, unit FROM exposures WHERE request = 'SECRET-alice-0'").fetchone()
        assert experiments.delete_user("alice") == 3
        kept = b"".join(each.read_bytes() for each in path.parent.glob("serving.sqlite*"))
        assert b"SECRET-alice" not in kept and b"SECRET-bob" in kept
        assert not any(word.encode() in kept for word in hashed)
        assert other.execute("SELECT count(*) FROM outcomes").fetchone() == (3,)
    assert experiments.delete_user("alice") == experiments.delete_user("nobody") == 0
    counts = arm_counts(experiments, "greeting")
    assert sum(each["users"] for each in counts.values()) == 1


def test_what_is_old_is_forgotten(experiments: Experiments) -> None:
    experiments.start(two_arms())
    come(experiments, range(4), succeeding(A=1, B=1))
    assert experiments.forget_before(BEGAN + 1.5) == 2
    assert sum(each["users"] for each in arm_counts(experiments, "greeting").values()) == 2


def test_deleting_in_an_empty_workspace_writes_nothing(experiments: Experiments) -> None:
    assert experiments.delete_user("alice") == experiments.forget_before(BEGAN) == 0
    assert not experiments.database.path.exists()


def test_with_a_writer_everything_is_there_after_a_flush(workspace: Workspace) -> None:
    with Writer(serving_database(workspace)) as writer:
        experiments = Experiments(workspace, writer)
        experiments.start(two_arms())
        come(experiments, range(10), succeeding(A=1, B=1))
        # A deletion first writes what still waits, so that nothing comes back after it.
        assert experiments.delete_user("user-3") == 1
        assert sum(each["users"] for each in arm_counts(experiments, "greeting").values()) == 9
        come(experiments, range(10, 20), succeeding(A=1, B=1))
    assert sum(each["answers"] for each in arm_counts(Experiments(workspace), "greeting").values()) == 19


SERVER = """
import pathlib, sys
from jobs.workspace import Workspace
from serving.experiments import Experiments
from tests.serving.experiments.people import come, succeeding, two_arms
experiments = Experiments(Workspace(pathlib.Path(sys.argv[1])))
first = int(sys.argv[2])
come(experiments, range(first, first + 25), succeeding(A=1, B=1))
print(" ".join(experiments.assign("greeting", f"user-{user}", None).arm for user in range(200)))
"""


def test_several_servers_share_users_out_alike_and_write_at_once(
    experiments: Experiments, workspace: Workspace
) -> None:
    experiments.start(two_arms())
    servers = [
        subprocess.Popen(
            [sys.executable, "-c", SERVER, str(workspace.root), str(25 * number)],
            cwd=PROJECT, stdout=subprocess.PIPE, text=True,
        )
        for number in range(3)
    ]  # fmt: skip
    said = [server.communicate(timeout=60)[0] for server in servers]
    assert [server.returncode for server in servers] == [0, 0, 0]
    here = " ".join(experiments.assign("greeting", f"user-{user}", None).arm for user in range(200))
    assert [each.strip() for each in said] == [here] * 3
    assert sum(each["answers"] for each in arm_counts(experiments, "greeting").values()) == 75
    assert compare(experiments, "greeting", BEGAN + 9 * HOUR)[0].users.keys() == {"A", "B"}
