"""An export's stages: what is told of them, how one is skipped, and that measured times become the next guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.stages import GUESSES, SkippedError, Stage, Stages, rates, request_skip, told_seconds
from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.errors import Stopped
from jobs.workspace import Workspace

PLAN = (
    Stage("merge", "merge", "Merging", 2e9, 10.0),
    Stage("rendering", "rendering", "Comparing prompts", 1e9, 10.0),
    Stage("answers", "answers", "Comparing answers", 1e9, 20.0),
)


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    workspace = Workspace(tmp_path / "workspace")
    path = workspace.new_job_path("export")
    return JobContext(JobDirectory.create(path, kind="export", title="x", spec={}, resource=None), 1, 0.0)


def test_progress_follows_the_expected_times(context: JobContext) -> None:
    stages = Stages(context, PLAN)
    with stages.stage("merge"):
        assert context.status.message == "Merging (about 10 s)"
        stages.done(0.5, "half")
        assert (context.status.progress, context.status.message) == (0.125, "Merging: half")
    with stages.stage("rendering"):
        assert context.status.progress == 0.25
        assert context.status.eta_seconds == 30.0
    assert stages.measured.keys() == {"merge", "rendering"}


def test_what_an_earlier_attempt_did_tells_nothing_of_the_time(context: JobContext) -> None:
    stages = Stages(context, PLAN)
    with stages.stage("merge", begun_before=True):
        pass
    assert stages.measured == {}
    assert context.status.progress == 0.0
    with stages.stage("rendering"):
        assert context.status.progress == 0.25


def test_a_check_is_skipped_on_request_and_the_next_one_runs(context: JobContext) -> None:
    stages = Stages(context, PLAN)
    with pytest.raises(SkippedError), stages.stage("rendering"):
        request_skip(context.directory)
        stages.done(0.1)
    with stages.stage("answers"):
        stages.done(0.5)
    assert stages.measured.keys() == {"answers"}


def test_what_makes_the_files_cannot_be_skipped_and_an_old_request_counts_for_no_later_check(
    context: JobContext,
) -> None:
    stages = Stages(context, PLAN)
    with stages.stage("merge"):
        request_skip(context.directory)
        stages.done(0.5)
    with stages.stage("rendering"):
        stages.done(0.5)


def test_a_stop_ends_any_stage(context: JobContext) -> None:
    stages = Stages(context, PLAN)
    context.directory.request_stop()
    with pytest.raises(Stopped), stages.stage("merge"):
        pass


def test_the_newest_finished_export_gives_the_rates(context: JobContext) -> None:
    assert rates(context.workspace, card=False) == GUESSES
    assert rates(context.workspace, card=True)["answers"] < GUESSES["answers"]
    context.directory.write_manifest({"figures": {"stage_rates": {"answers": 123.0, "gone": 1.0}}})
    found = rates(context.workspace, card=True)
    assert (found["answers"], found["merge"]) == (123.0, GUESSES["merge"])
    assert "gone" not in found


@pytest.mark.parametrize(("seconds", "told"), [(0.2, "1 s"), (42.4, "42 s"), (300, "5 min"), (9000, "2.5 h")])
def test_times_are_told_roughly(seconds: float, told: str) -> None:
    assert told_seconds(seconds) == told
