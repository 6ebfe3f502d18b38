"""The one folder that holds everything a person made, and where in it things lie."""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path

from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing


def cache_folder() -> Path:
    """Where things that can be made again are kept: converted models, and the leases that workspaces share."""
    chosen = os.environ.get("HEARTH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hearth"


class Workspace:
    """Datasets, jobs, uploads and drafts of one person."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).resolve()

    def __repr__(self) -> str:
        return f"Workspace({str(self.root)!r})"

    @classmethod
    def default(cls) -> Workspace:
        """`HEARTH_WORKSPACE`, else `workspace` in the current folder."""
        return cls(Path(os.environ.get("HEARTH_WORKSPACE") or "workspace"))

    @classmethod
    def of_job(cls, job: Path) -> Workspace:
        return cls(job.parent.parent)

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def drafts(self) -> Path:
        return self.root / "drafts"

    @property
    def cache(self) -> Path:
        """Tokenised rows and the like: can be deleted at any time."""
        return self.root / "cache"

    def new_job_path(self, kind: str) -> Path:
        """A fresh place for a job; its name sorts by time and says what it is."""
        word = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")
        while True:
            path = self.jobs / f"{time.strftime('%Y%m%d-%H%M%S')}-{word}-{secrets.token_hex(2)}"
            if not path.exists():
                return path

    def job(self, job_id: str) -> JobDirectory:
        """The job of that id, or the one whose id alone begins or ends so. Raises Missing or BadInput."""
        ids = [job.id for job in self.list_jobs()]
        if job_id in ids:
            return JobDirectory(self.jobs / job_id)
        found = [known for known in ids if job_id and (known.startswith(job_id) or known.endswith(job_id))]
        if len(found) == 1:
            return JobDirectory(self.jobs / found[0])
        if found:
            raise BadInput(f"'{job_id}' fits {len(found)} jobs.", ", ".join(found[:5]), "Give more of the id.")
        raise Missing(
            f"There is no job '{job_id}' in {self.root}.",
            f"It holds {len(ids)} jobs." if ids else "No job was started there yet.",
            "`python cli.py jobs list` shows the ids; --workspace chooses another folder.",
        )

    def list_jobs(self, kind: str | None = None) -> list[JobDirectory]:
        """All jobs, or those of one kind, newest first."""
        return [job for job, its_kind in _list_again(self.jobs) if kind in (None, its_kind)]


Listed = list[tuple[JobDirectory, str]]
_LISTED: dict[Path, tuple[int, Listed]] = {}
KEPT_LISTS = 100
CLOCK_SECONDS = 2.0


def _list_again(folder: Path) -> Listed:
    """The jobs in a folder with their kinds, newest first, listed anew only when one came or went.

    Open pages ask for it several times a second. A list is not kept while a job is being made, nor of a folder changed
    so recently that its time might not tell of another change.
    """
    try:
        changed = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return []
    known = _LISTED.get(folder)
    if known is not None and known[0] == changed:
        return known[1]
    paths = sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True)
    jobs = [JobDirectory(path) for path in paths if (path / "spec.json").is_file()]
    jobs.sort(key=lambda job: job.header["created"], reverse=True)
    listed = [(job, str(job.header["kind"])) for job in jobs]
    if len(jobs) == len(paths) and time.time() - changed / 1e9 > CLOCK_SECONDS:
        if len(_LISTED) >= KEPT_LISTS:
            _LISTED.clear()
        _LISTED[folder] = (changed, listed)
    return listed
