"""Small datasets and real training runs of the tiny model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from tests.toys import write_rows

Train = Callable[..., JobDirectory]


def sums(count: int) -> list[dict[str, object]]:
    """Rows that ask for a sum."""
    pairs = [(first, second) for first in range(20) for second in range(20)][:count]
    return [
        {
            "messages": [
                {"role": "user", "content": f"What is {a} plus {b}? The number alone."},
                {"role": "assistant", "content": str(a + b)},
            ]
        }
        for a, b in pairs
    ]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the dataset `sums`: 40 rows, some of them held out."""
    folder = tmp_path_factory.mktemp("training")
    workspace = Workspace(folder / "workspace")
    source = write_rows(folder / "sums.jsonl", sums(40))
    build(DatasetSpec.parse({"name": "sums", "sources": [{"path": str(source)}], "eval_fraction": 0.2}), workspace)
    return workspace


@pytest.fixture
def train(dataset: Workspace, tiny_model: Path) -> Iterator[Train]:
    """Start a train job on the tiny model; what still runs at the end of the test is ended."""
    started: list[JobDirectory] = []

    def begin(**options: Any) -> JobDirectory:
        spec = {"model": str(tiny_model), "data": "sums", "backend": "peft", **options}
        started.append(launcher.start(dataset, "train", spec, title="sums", resource="cpu"))
        return started[-1]

    yield begin
    for job in started:
        launcher.end_process_group(job)


def wait_for(job: JobDirectory, condition: Callable[[JobDirectory], bool], seconds: float = 240.0) -> None:
    """Wait until `condition` holds; fail with the job's own words when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition(job):
        assert time.monotonic() < deadline, f"{job.status()}\n{job.log_tail()}"
        time.sleep(0.05)


def finish(job: JobDirectory) -> dict[str, Any]:
    """Wait for the end; return the manifest's figures."""
    wait_for(job, lambda job: not job.status().state.active)
    assert job.status().state is State.SUCCEEDED, job.log_tail()
    assert job.manifest is not None
    return dict(job.manifest["figures"])
