"""The detached process that runs one job: `python -m jobs.worker <job directory>`.

It holds `alive.lock` for as long as it lives, waits for its turn, runs the kind's function, and writes the manifest
last. The exit status is that of the command line: 0 done, 1 failed, 2 bad input, 130 stopped.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jobs.context import RESERVE, JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing, Stopped, UserError, disk_full
from jobs.files import sha256
from jobs.kinds import KINDS
from jobs.lease import Lease

LOCK_SECONDS = 10
RESERVE_BYTES = 64 * 1024


def main(path: Path) -> int:
    """Run the job in `path`. Returns the exit status."""
    directory = JobDirectory(path.resolve())
    lock = FileLock(directory.lock_path)
    try:
        # A reader that asks whether we live holds the lock for an instant, so a first refusal means little.
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        print(f"{directory.id} is already running.", file=sys.stderr)
        return 2
    with lock:
        return _run(directory)


def _run(directory: JobDirectory) -> int:
    previous = directory.status() if (directory.path / "status.json").exists() else None
    # A resumed job that was stopped or killed while it waited has begun all the same.
    begun = previous is not None and (previous.started is not None or previous.attempt > 1)
    attempt = previous.attempt + 1 if previous and begun else 1
    status = Status(State.QUEUED, message="Starting", attempt=attempt, pid=os.getpid(), updated=time.time())
    directory.write_status(status)
    header = directory.header

    def waiting(message: str) -> None:
        print(message, flush=True)
        directory.write_status(replace(status, message=message, updated=time.time()))

    resource = header["resource"]
    lease = Lease(resource) if resource else None
    try:
        with lease.held(directory, header["title"], waiting) if lease else nullcontext():
            context = JobContext(directory, attempt, started=time.time())
            if lease:
                context.resource_wanted = lambda: _wanted_by(lease)
            return _run_kind(context, _find_function(header["kind"]))
    except Stopped:
        directory.write_status(replace(status, state=State.STOPPED, message="Stopped before it began"))
        return 130


def _wanted_by(lease: Lease) -> str | None:
    queue = lease.queue()
    return queue[0].describe() if queue else None


def _find_function(kind: str) -> Callable[[JobContext], dict[str, Any]]:
    module, _, name = KINDS[kind].target.partition(":")
    function: Callable[[JobContext], dict[str, Any]] = getattr(importlib.import_module(module), name)
    return function


def _run_kind(context: JobContext, function: Callable[[JobContext], dict[str, Any]]) -> int:
    """Run the function and write how it ended."""
    running = replace(context.status, message="Starting", progress=0.0, pid=os.getpid())
    try:
        context.write_status(running)
        figures = _work(context, function)
    except Stopped as stopped:
        message = str(stopped) or "Stopped. What was done so far is saved; resume continues from it."
        return _end(context, State.STOPPED, message, 130)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        _fail(context, error)
        return 2 if isinstance(error, BadInput | Missing) else 1
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, the person is told where to look
        traceback.print_exc()
        full = disk_full(error, str(context.path))
        return _fail(context, full) if full else _internal(context, error)
    return _end(context, State.SUCCEEDED, figures.get("message") or "Done", 0)


def _work(context: JobContext, function: Callable[[JobContext], dict[str, Any]]) -> dict[str, Any]:
    """The function's figures, the manifest written. On a full disk the reserve is free again when this raises."""
    reserve = context.path / RESERVE
    try:
        reserve.write_bytes(os.urandom(RESERVE_BYTES))
        figures = function(context)
        _write_manifest(context, figures)
        return figures
    finally:
        reserve.unlink(missing_ok=True)


def _end(context: JobContext, state: State, message: str, exit_status: int) -> int:
    progress = 1.0 if state is State.SUCCEEDED else context.status.progress
    context.write_status(replace(context.status, state=state, message=message, progress=progress, eta_seconds=None))
    return exit_status


def _fail(context: JobContext, error: UserError) -> int:
    context.write_status(
        replace(
            context.status,
            state=State.FAILED,
            message=error.what,
            error_kind=error.kind,
            error=f"{error.what} {error.why}",
            hint=error.fix,
            eta_seconds=None,
        )
    )
    return 1


def _internal(context: JobContext, error: BaseException) -> int:
    context.write_status(
        replace(
            context.status,
            state=State.FAILED,
            message=f"Internal error in job {context.directory.id}",
            error_kind="internal",
            error=f"{type(error).__name__}: {error}",
            hint="The whole traceback is at the end of the log. Resume tries again from what was saved.",
            eta_seconds=None,
        )
    )
    return 1


def _write_manifest(context: JobContext, figures: dict[str, Any]) -> None:
    files = [file for artifact in context.artifacts for file in _files_of(artifact)]
    context.directory.write_manifest(
        {
            "finished": time.time(),
            "seconds": round(time.time() - (context.status.started or time.time()), 2),
            "attempts": context.attempt,
            "figures": figures,
            "artifacts": {
                str(file.relative_to(context.path)): {"sha256": sha256(file), "bytes": file.stat().st_size}
                for file in sorted(set(files))
            },
        }
    )


def _files_of(artifact: Path) -> list[Path]:
    return [path for path in artifact.rglob("*") if path.is_file()] if artifact.is_dir() else [artifact]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
