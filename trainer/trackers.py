"""Where a run's curves go besides Hearth's own page: Trackio, TensorBoard, Weights & Biases.

To look at them:  TRACKIO_DIR=workspace/trackio trackio show --project hearth
                  tensorboard --logdir workspace/jobs
Trackio and TensorBoard write files and reach no network. W&B sends figures and spec to its server; where that can't be
reached, or nobody is logged in, it keeps them in the job's folder for `wandb sync`.
"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from jobs.errors import Missing
from jobs.workspace import Workspace

PROJECT = "hearth"
FLUSH_SECONDS = 5.0
MODULES = {"trackio": "trackio", "tensorboard": "tensorboard", "wandb": "wandb"}
PIP = {"trackio": "trackio>=0.43,<0.44", "tensorboard": "tensorboard>=2.20", "wandb": "wandb>=0.31"}

Figures = Mapping[str, float]
Say = Callable[[str], None]


class Tracker(Protocol):
    """One place for curves. `errors` are those that its library raises when it can't write."""

    name: str
    errors: tuple[type[Exception], ...]

    def rewind(self, step: int) -> None:
        """Forget what was written from `step` on: it is being done again."""

    def log(self, step: int, figures: Figures) -> None:
        """Write the figures of one step."""

    def close(self) -> None:
        """Write what is still held back."""


def require_trackers(names: Sequence[str]) -> None:
    """Raises Missing, with the command that installs them, when a tracker's package isn't there. Imports none."""
    missing = [name for name in names if importlib.util.find_spec(MODULES[name]) is None]
    if missing:
        packages = " ".join(f'"{PIP[name]}"' for name in missing)
        raise Missing(
            f"saving.trackers: {' and '.join(missing)} can't be used.",
            "It isn't installed." if len(missing) == 1 else "They aren't installed.",
            f"Install with `pip install {packages}`, or leave it out of the trackers.",
        )


class Trackers:
    """All trackers of one run. One that fails is left out from then on, and said so; training goes on."""

    def __init__(self, trackers: Sequence[Tracker], say: Say) -> None:
        self._trackers = list(trackers)
        self._say = say
        self._last: int | None = None
        self._names: set[str] = set()

    def log(self, step: int, figures: Figures) -> None:
        """Figures of a step. A step that was logged before (from a checkpoint on) replaces what was written then."""
        again = self._last is None or step < self._last or (step == self._last and not self._names.isdisjoint(figures))
        if again:
            self._each(lambda tracker: tracker.rewind(step))
        if again or step != self._last:
            self._names.clear()
        self._last = step
        self._names.update(figures)
        self._each(lambda tracker: tracker.log(step, figures))

    def close(self) -> None:
        self._each(lambda tracker: tracker.close())
        self._trackers.clear()

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                act(tracker)
            except tracker.errors as error:
                self._trackers.remove(tracker)
                self._say(f"{tracker.name} gets no more figures of this run, which goes on: {_in_a_line(error)}")


def open_trackers(
    names: Sequence[str], job_id: str, title: str, spec: Mapping[str, Any], folder: Path, say: Say = print
) -> Trackers:
    """Open what `names` asks for, or go on with what an earlier attempt of this job wrote there.

    `folder` is the job's, below a workspace's jobs/. Raises Missing when one isn't installed.
    """
    require_trackers(names)
    opened: list[Tracker] = []
    for name in dict.fromkeys(names):
        match name:
            case "trackio":
                opened.append(TrackioTracker(job_id, title, spec, Workspace.of_job(folder)))
            case "tensorboard":
                opened.append(TensorBoardTracker(spec, folder))
            case _:
                opened.append(WandbTracker(job_id, title, spec, folder, say))
    return Trackers(opened, say)


def trackio_folder(workspace: Workspace) -> Path:
    """Where all runs of a workspace are kept for Trackio."""
    return workspace.root / "trackio"


class TrackioTracker:
    """Rows in the SQLite file that Trackio's dashboard reads, the job's id as the run's.

    Written through Trackio's storage rather than `trackio.init`: that one asks the Hub for the user's name, starts
    threads that watch the machine, and begins a second curve over the first when a run is resumed.
    """

    name = "Trackio"
    # sqlite3's own when the file can't be written or is spoilt; OSError when its lock can't be had or the disk is full.
    errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, job_id: str, title: str, spec: Mapping[str, Any], workspace: Workspace) -> None:
        os.environ["TRACKIO_DIR"] = str(trackio_folder(workspace))  # read once, when trackio is imported
        from trackio.sqlite_storage import SQLiteStorage

        self._storage = SQLiteStorage
        self._id, self._title, self._spec = job_id, f"{title} · {job_id[-4:]}", dict(spec)
        self._held: list[tuple[int, dict[str, float], str]] = []
        self._flushed = time.monotonic()

    def rewind(self, step: int) -> None:
        self._flush()
        path = self._storage.get_project_db_path(PROJECT)
        if path.is_file():
            connection = sqlite3.connect(path, timeout=10)
            with connection:
                connection.execute("DELETE FROM metrics WHERE run_id = ? AND step >= ?", (self._id, step))
            connection.close()

    def log(self, step: int, figures: Figures) -> None:
        self._held.append((step, dict(figures), time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._held:
            steps, figures, times = (list(column) for column in zip(*self._held, strict=True))
            self._storage.bulk_log(
                PROJECT, self._title, figures, steps=steps, timestamps=times, config=self._spec, run_id=self._id
            )
        self._held.clear()
        self._flushed = time.monotonic()


class TensorBoardTracker:
    """Event files in the job's folder. A resumed run adds a file that takes back the steps it does again."""

    name = "TensorBoard"
    # Event files are written by a thread, whose OSError (a full disk) comes up at the next call.
    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, spec: Mapping[str, Any], folder: Path) -> None:
        self._folder = folder / "tensorboard"
        self._spec = spec
        self._writer: Any = None

    def rewind(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        first = not self._folder.is_dir()
        self.close()
        self._writer = SummaryWriter(str(self._folder), purge_step=None if first else step, flush_secs=10)
        if first:
            text = yaml.safe_dump(dict(self._spec), sort_keys=False, allow_unicode=True)
            self._writer.add_text("spec", "\n".join(f"    {line}" for line in text.splitlines()))

    def log(self, step: int, figures: Figures) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class WandbTracker:
    """Weights & Biases: figures and spec alone, without code, console, machine or user."""

    name = "W&B"

    def __init__(self, job_id: str, title: str, spec: Mapping[str, Any], folder: Path, say: Say) -> None:
        import wandb
        from wandb.sdk.lib.service.service_token import WandbServiceConnectionError
        from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

        # The library's own, and what its background process raises through it when it was ended or lost its pipe.
        self.errors: tuple[type[Exception], ...] = (
            wandb.Error,
            WandbServiceConnectionError,
            MailboxClosedError,
            HandleAbandonedError,
            OSError,
        )
        settings = wandb.Settings(
            console="off",
            silent=True,
            save_code=False,
            disable_git=True,
            x_disable_meta=True,
            x_disable_stats=True,
            init_timeout=30,
        )
        options: dict[str, Any] = {
            "project": os.environ.get("WANDB_PROJECT") or PROJECT,
            "id": job_id,
            "name": title,
            "config": dict(spec),
            "dir": str(folder),
            "resume": "allow",
            "settings": settings,
        }
        try:
            self._run = wandb.init(**options)
        except wandb.Error as error:
            say(
                f"W&B can't be reached or nobody is logged in ({_in_a_line(error)}): its curves are kept in "
                f"{folder / 'wandb'}; send them later with `wandb sync`."
            )
            self._run = wandb.init(**options, mode="offline")
        # W&B's own step only goes forward, so that steps done again would be lost; over ours both passes are drawn.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def rewind(self, step: int) -> None:
        """W&B takes nothing back: see `define_metric` above."""

    def log(self, step: int, figures: Figures) -> None:
        self._run.log({**figures, "step": step})

    def close(self) -> None:
        self._run.finish()


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
