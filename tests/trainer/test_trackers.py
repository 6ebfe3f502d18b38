"""Curves outside Hearth: written by the real trackers, read back with their own readers."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import Missing
from jobs.workspace import Workspace
from trainer.trackers import MODULES, Trackers, open_trackers, require_trackers

ROOT = Path(__file__).resolve().parents[2]
JOB = "20260301-120000-train-ab12"
SPEC: dict[str, Any] = {"data": "sums", "method": {"rank": 8}}

# A first attempt that is killed after step 5, and a second that goes on from step 3.
TWO_ATTEMPTS = """
    import json, sys, socket, time
    from pathlib import Path
    from trainer.trackers import open_trackers
    reached = []
    connect = socket.socket.connect
    socket.socket.connect = lambda self, address: (reached.append(address), connect(self, address))[1]
    names, folder, said = json.loads(sys.argv[1]), Path(sys.argv[2]), []
    spec = {"data": "sums", "method": {"rank": 8}}
    for first, last, offset in ((1, 5, 0.0), (4, 6, 100.0)):
        trackers = open_trackers(names, folder.name, "sums", spec, folder, said.append)
        for step in range(first, last + 1):
            trackers.log(step, {"loss": offset + step, "gpu_power_w": 40.0})
            if step == 6:
                trackers.log(step, {"eval_loss": 0.5})
        trackers.close()
        if "wandb" in names:
            time.sleep(1.1)  # W&B names its folders by the second; attempts of a real run are further apart
    listening = [each for each in __import__("psutil").Process().net_connections() if each.status == "LISTEN"]
    print(json.dumps({"reached": reached, "listening": len(listening), "said": said}))
"""


def two_attempts(names: list[str], folder: Path, **environment: str) -> dict[str, Any]:
    """Run both in a process of their own, as a worker would be; what it reached, opened and said."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TWO_ATTEMPTS), json.dumps(names), str(folder)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(folder), "HF_TOKEN": "hf_none_of_anybody", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


EXPECTED = [1.0, 2.0, 3.0, 104.0, 105.0, 106.0]


@pytest.mark.slow
def test_trackio_keeps_one_run_in_the_workspace_and_reaches_nobody(workspace: Workspace) -> None:
    pytest.importorskip("trackio")
    found = two_attempts(["trackio"], workspace.jobs / JOB)
    assert found == {"reached": [], "listening": 0, "said": []}
    script = """
        import json, trackio
        from trackio.sqlite_storage import SQLiteStorage
        (run,) = trackio.Api().runs("hearth")
        logs = SQLiteStorage.get_logs("hearth", run.name, run_id=run.id)
        print(json.dumps({"name": run.name, "id": run.id, "config": run.config, "logs": logs}))
    """
    folder = workspace.root / "trackio"
    read = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "TRACKIO_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    run = json.loads(read.stdout.splitlines()[-1])
    assert run["id"] == JOB and run["name"] == "sums · ab12"
    assert run["config"] == SPEC
    assert [row["step"] for row in run["logs"] if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert [row["loss"] for row in run["logs"] if "loss" in row] == EXPECTED
    assert [row["eval_loss"] for row in run["logs"] if "eval_loss" in row] == [0.5]


@pytest.mark.slow
def test_tensorboard_reads_one_run_without_the_steps_that_were_done_again(workspace: Workspace) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = two_attempts(["tensorboard"], workspace.jobs / JOB)
    assert found == {"reached": [], "listening": 0, "said": []}
    accumulator = EventAccumulator(str(workspace.jobs / JOB / "tensorboard"))
    accumulator.Reload()
    losses = accumulator.Scalars("loss")
    assert [(each.step, each.value) for each in losses] == list(enumerate(EXPECTED, 1))
    assert [each.value for each in accumulator.Scalars("eval_loss")] == [0.5]
    (text,) = accumulator.Tensors("spec/text_summary")
    assert "rank: 8" in text.tensor_proto.string_val[0].decode()


@pytest.mark.slow
def test_wandb_without_a_login_stays_on_this_machine_and_says_so(workspace: Workspace) -> None:
    pytest.importorskip("wandb")
    found = two_attempts(["wandb"], workspace.jobs / JOB, WANDB_API_KEY="")
    assert len(found["said"]) == 2 and all("wandb sync" in line for line in found["said"]), "once for each attempt"
    runs = sorted((workspace.jobs / JOB / "wandb").glob(f"offline-run-*{JOB}/*.wandb"))
    assert runs, "kept in the job's folder, under the job's id"
    content = b"".join(path.read_bytes() for path in runs)
    assert b"gpu_power_w" in content and b"eval_loss" in content
    assert b"hf_none_of_anybody" not in content


def test_a_tracker_that_is_not_installed_is_said_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    require_trackers([])
    monkeypatch.setitem(MODULES, "wandb", "a_package_that_nobody_has")
    monkeypatch.setitem(MODULES, "trackio", "another_package_that_nobody_has")
    with pytest.raises(Missing) as caught:
        require_trackers(["wandb", "trackio"])
    assert "wandb and trackio" in caught.value.what
    assert 'pip install "wandb' in caught.value.fix and '"trackio' in caught.value.fix
    with pytest.raises(Missing):
        open_trackers(["wandb"], JOB, "sums", SPEC, Path("nowhere"))


class FakeTracker:
    """Remembers what it is told; fails from a given step on."""

    name = "Fake"
    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, fails_at: float = math.inf) -> None:
        self.fails_at = fails_at
        self.calls: list[str] = []

    def rewind(self, step: int) -> None:
        self.calls.append(f"rewind {step}")

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        if step >= self.fails_at:
            raise OSError(28, "No space left on device")
        self.calls.append(f"{step} {','.join(figures)}")

    def close(self) -> None:
        self.calls.append("close")


def test_a_tracker_that_fails_is_left_out_and_said_once() -> None:
    said: list[str] = []
    sound, broken = FakeTracker(), FakeTracker(fails_at=3)
    trackers = Trackers([broken, sound], said.append)
    for step in range(1, 6):
        trackers.log(step, {"loss": 1.0})
    trackers.close()
    assert broken.calls == ["rewind 1", "1 loss", "2 loss"]
    assert sound.calls == ["rewind 1", *(f"{step} loss" for step in range(1, 6)), "close"]
    (line,) = said
    assert "Fake" in line and "No space left" in line


def test_a_defect_is_not_taken_for_a_trackers_trouble() -> None:
    tracker = FakeTracker()
    tracker.errors = (ConnectionError,)
    tracker.fails_at = 1
    with pytest.raises(OSError, match="No space"):
        Trackers([tracker], print).log(1, {"loss": 1.0})


def test_steps_done_again_after_going_back_replace_the_earlier_ones() -> None:
    tracker = FakeTracker()
    trackers = Trackers([tracker], print)
    for step, name in ((1, "loss"), (2, "loss"), (2, "eval_loss"), (3, "loss"), (2, "loss"), (3, "loss"), (3, "loss")):
        trackers.log(step, {name: 1.0})
    assert [call for call in tracker.calls if call.startswith("rewind")] == ["rewind 1", "rewind 2", "rewind 3"]


@pytest.mark.slow
def test_a_spoilt_trackio_file_does_not_end_the_run(workspace: Workspace) -> None:
    pytest.importorskip("trackio")
    (workspace.root / "trackio").mkdir(parents=True)
    (workspace.root / "trackio" / "hearth.db").write_bytes(b"this is no database" * 100)
    found = two_attempts(["trackio", "tensorboard"], workspace.jobs / JOB)
    assert len(found["said"]) == 2 and all("Trackio gets no more figures" in line for line in found["said"])
    assert list((workspace.jobs / JOB / "tensorboard").iterdir()), "the other tracker goes on"
