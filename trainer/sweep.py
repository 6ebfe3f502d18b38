"""Sweeps: many training runs that differ in a few options, queued as jobs and read as one table.

workspace/sweeps/<id>.json   the spec, and of each run its title, what it changes and its job's id once that is started
"""

from __future__ import annotations

import difflib
import itertools
import math
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from datasets_src.store import open_version
from jobs import launcher
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.files import read_json, write_json
from jobs.spec import Spec, option
from jobs.workspace import Workspace
from models.reference import require_usable
from trainer.spec import TrainSpec

SCHEMA_VERSION = 1
MOST_RUNS = 200
SHORT = {"learning_rate": "lr"}


class SweepSpec(Spec):
    """What all runs have in common, and what differs."""

    name: str = option(
        label="Name", help="How the sweep is called in lists.", depth="essential", min_length=1, max_length=80
    )
    base: dict[str, Any] = option(
        dict, label="All runs", help="Options of training that all runs have, as in a training spec.", depth="essential"
    )
    grid: dict[str, list[Any]] = option(
        dict,
        label="Every combination",
        help="Values to try for each option, by its dotted name, such as method.rank: [8, 16].",
        depth="essential",
    )
    runs: list[dict[str, Any]] = option(
        list,
        label="Single runs",
        help="Runs one by one, each with the options it changes by their dotted names. With a grid as well, each of "
        "them is run with every combination.",
    )


@dataclass(frozen=True)
class SweepRun:
    """One run: what it changes by dotted option, the whole spec, and how it is called."""

    values: dict[str, Any]
    spec: TrainSpec
    title: str


def expand(spec: SweepSpec) -> list[SweepRun]:
    """All runs in order, the last option of the grid changing fastest. Raises BadInput that lists every problem."""
    runs: list[SweepRun] = []
    found: dict[str, list[str]] = {}
    changes = _changes(spec)
    for values in changes:
        try:
            parsed = TrainSpec.parse(_with(spec.base, values))
        except BadInput as error:
            for line in error.what.splitlines()[1:]:
                found.setdefault(line.removeprefix("  - "), []).append(_title(values))
        else:
            exact = {path: value_at(parsed, path) for path in values}
            runs.append(SweepRun(exact, parsed, _title(exact)))
    in_runs = [line if len(of) == len(changes) else f"{line} [{of[0]}]" for line, of in found.items()]
    problems = [*_problems_of_choice(spec), *in_runs, *_repeated(runs)]
    if problems:
        raise BadInput(
            f"The sweep {spec.name} has {'1 problem' if len(problems) == 1 else f'{len(problems)} problems'}:\n"
            + "\n".join(f"  - {line}" for line in problems),
            "Not every run of it could be started.",
            "Mend the lines above; nothing was started or written.",
        )
    return runs


def value_at(spec: TrainSpec, path: str) -> Any:
    """The value of a dotted option, as plain data."""
    value: Any = spec.model_dump(mode="json")
    for part in path.split("."):
        value = value[part]
    return value


def _problems_of_choice(spec: SweepSpec) -> Iterator[str]:
    """What is wrong with what differs: unknown options, nothing to try, too many runs."""
    named = [*spec.grid, *(path for run in spec.runs for path in run)]
    known = option_names()
    for path in dict.fromkeys(named):
        if path not in known:
            near = [each for each in known if each.endswith(f".{path}")]
            near = near or difflib.get_close_matches(path, known, n=1)
            yield f"{path}: unknown option ({f'did you mean {near[0]}?' if near else 'docs/options.md lists all'})"
    for path, values in spec.grid.items():
        if not values:
            yield f"{path}: has no values to try"
        if any(path in run for run in spec.runs):
            yield f"{path}: stands in the grid and in single runs, which would say different things"
    if not named:
        yield "grid, runs: one of them has to say what differs"
    if _count(spec) > MOST_RUNS:
        yield f"{_count(spec):,} runs come of it; at most {MOST_RUNS} are allowed"


def _count(spec: SweepSpec) -> int:
    return math.prod([len(values) for values in spec.grid.values() if values]) * max(1, len(spec.runs))


@cache
def option_names() -> tuple[str, ...]:
    """Dotted names of all options of a training run."""
    return tuple(_names_in(TrainSpec, ""))


def _names_in(spec: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in spec.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names_in(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _changes(spec: SweepSpec) -> list[dict[str, Any]]:
    """What each run changes, as far as that can be read: unknown options and empty lists are told of apart."""
    if _count(spec) > MOST_RUNS:
        return []
    known = option_names()
    grid = {path: values for path, values in spec.grid.items() if path in known and values}
    singles = [{path: value for path, value in run.items() if path in known} for run in spec.runs]
    return [
        {**run, **dict(zip(grid, combination, strict=True))}
        for run in singles or [{}]
        for combination in itertools.product(*grid.values())
    ]


def _with(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with dotted options put over it. What is no group where one should be is left for the spec to refuse."""
    merged = dict(base)
    for path, value in values.items():
        name, _, rest = path.partition(".")
        inner = merged.get(name, {})
        merged[name] = (_with(inner, {rest: value}) if isinstance(inner, dict) else inner) if rest else value
    return merged


def _title(values: Mapping[str, Any]) -> str:
    """Such as `lr 0.001 · rank 8`; the whole dotted name where the last part alone says too little."""
    last = [path.rpartition(".")[2] for path in values]
    parts = []
    for path, value in values.items():
        name = path.rpartition(".")[2]
        name = path if last.count(name) > 1 else SHORT.get(name, name)
        parts.append(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}")
    return " · ".join(parts)


def _repeated(runs: list[SweepRun]) -> Iterator[str]:
    first: dict[str, str] = {}
    for run in runs:
        same = first.setdefault(run.spec.model_dump_json(), run.title)
        if same is not run.title:
            yield f"{run.title}: is there twice" + ("" if same == run.title else f" (it is the same as {same})")


# On disk


@dataclass(frozen=True)
class StartedRun:
    """A run of a sweep on disk; `job` is its id, None until it was started."""

    title: str
    values: dict[str, Any]
    job: str | None


@dataclass(frozen=True)
class Sweep:
    """A sweep that was begun. `created` in seconds since 1970."""

    id: str
    name: str
    created: float
    spec: dict[str, Any]
    runs: tuple[StartedRun, ...]

    @property
    def unstarted(self) -> int:
        return sum(run.job is None for run in self.runs)


def start(workspace: Workspace, spec: SweepSpec, resource: str) -> Sweep:
    """Queue a train job for each run. `resource` as for `launcher.start`.

    Raises BadInput or Missing, with nothing written, for what can't be run; OutOfRoom when the machine takes no more
    jobs half-way: the sweep then says which were started, and `go_on` starts the rest.
    """
    runs = expand(spec)
    _require_there(workspace, runs)
    sweep = Sweep(
        id=f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}",
        name=spec.name,
        created=time.time(),
        spec=spec.model_dump(mode="json"),
        runs=tuple(StartedRun(run.title, run.values, None) for run in runs),
    )
    _write(workspace, sweep)
    return _start_rest(workspace, sweep, runs, resource)


def go_on(workspace: Workspace, sweep: Sweep, resource: str) -> Sweep:
    """Start the runs that were not started, and resume those that were stopped, failed or lost."""
    for run in sweep.runs:
        job = job_of(workspace, run)
        if job is not None and job.status().state.resumable:
            launcher.resume(job)
    if not sweep.unstarted:
        return sweep
    return _start_rest(workspace, sweep, expand(SweepSpec.parse(sweep.spec)), resource)


def _require_there(workspace: Workspace, runs: list[SweepRun]) -> None:
    """Models and datasets of all runs. Raises Missing or BadInput for the first that isn't there."""
    for model in dict.fromkeys(run.spec.model for run in runs):
        require_usable(model, workspace)
    for data in dict.fromkeys(name for run in runs for name in (run.spec.data, *run.spec.saving.evaluate_on)):
        open_version(workspace, data)


def _start_rest(workspace: Workspace, sweep: Sweep, runs: list[SweepRun], resource: str) -> Sweep:
    for place, run in enumerate(runs):
        if sweep.runs[place].job is not None:
            continue
        try:
            spec = run.spec.model_dump(mode="json")
            job = launcher.start(workspace, "train", spec, title=f"{sweep.name}: {run.title}", resource=resource)
            started = replace(sweep.runs[place], job=job.id)
            sweep = replace(sweep, runs=(*sweep.runs[:place], started, *sweep.runs[place + 1 :]))
            _write(workspace, sweep)
        except OSError as error:
            raise OutOfRoom(
                f"Only {len(runs) - sweep.unstarted} of the {len(runs)} runs of sweep {sweep.id} were started.",
                f"This machine takes no more: {error.strerror or error}.",
                f"The others start with: python cli.py sweep resume {sweep.id}",
            ) from error
    return sweep


def _folder(workspace: Workspace) -> Path:
    return workspace.root / "sweeps"


def _write(workspace: Workspace, sweep: Sweep) -> None:
    values = {**sweep.__dict__, "runs": [run.__dict__ for run in sweep.runs]}
    write_json(_folder(workspace) / f"{sweep.id}.json", {"schema_version": SCHEMA_VERSION, **values})


def list_sweeps(workspace: Workspace) -> list[Sweep]:
    """All sweeps of the workspace, newest first."""
    sweeps = [_read(path) for path in _folder(workspace).glob("*.json")]
    return sorted(sweeps, key=lambda sweep: sweep.created, reverse=True)


def open_sweep(workspace: Workspace, sweep_id: str) -> Sweep:
    """The sweep of that id, or whose id begins or ends so. Raises Missing or BadInput."""
    paths = {path.stem: path for path in _folder(workspace).glob("*.json")}
    found = [known for known in paths if sweep_id and (known.startswith(sweep_id) or known.endswith(sweep_id))]
    if len(found) > 1 and sweep_id not in found:
        raise BadInput(f"'{sweep_id}' fits {len(found)} sweeps.", ", ".join(sorted(found)[:5]), "Give more of the id.")
    if not found:
        raise Missing(
            f"There is no sweep '{sweep_id}' in {workspace.root}.",
            f"It holds {len(paths)} sweeps." if paths else "None was started there yet.",
            "`python cli.py sweep list` shows the ids; `python cli.py sweep start SPEC.yaml` starts one.",
        )
    return _read(paths[sweep_id if sweep_id in found else found[0]])


def _read(path: Path) -> Sweep:
    values = {name: value for name, value in dict(read_json(path) or {}).items() if name != "schema_version"}
    return Sweep(**{**values, "runs": tuple(StartedRun(**run) for run in values["runs"])})


def job_of(workspace: Workspace, run: StartedRun) -> JobDirectory | None:
    """The run's job; None when it was not started, or was deleted since."""
    path = workspace.jobs / run.job if run.job else None
    return JobDirectory(path) if path is not None and (path / "spec.json").is_file() else None
