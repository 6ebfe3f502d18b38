"""Rounds of plans: whether one is due, beginning it, what became of them, and a person's approval or refusal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from filelock import FileLock

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput
from jobs.files import read_json, write_json
from jobs.workspace import Workspace
from models.hardware import probe
from serving.loop.chats import Chosen, choose, require_chats
from serving.loop.plan import require_runnable
from serving.loop.spec import HOUR, LoopSpec
from serving.loop.state import read_state
from serving.registry import Registry
from serving.registry.records import LONGEST_TEXT, check_text

ANSWER = "answer.json"
Answer = Literal["approved", "rejected"]


@dataclass(frozen=True)
class Due:
    """Whether a round of a plan is due, and why or why not."""

    due: bool
    sentence: str


@dataclass(frozen=True)
class Begun:
    """What `begin` did: the round's job, None where none was begun; and that in words."""

    job: JobDirectory | None
    sentence: str


@dataclass(frozen=True)
class Round:
    """One round as it stands. `outcome`: promoted, waiting, worse, unproven, approved or rejected; None before."""

    job: str
    plan: str
    model: str
    created: float
    state: State
    outcome: str | None
    sentence: str
    version: str | None


def rounds(workspace: Workspace, plan: str | None = None) -> list[Round]:
    """All rounds, or those of a plan, newest first."""
    found = [_round(job) for job in workspace.list_jobs("loop")]
    return [each for each in found if plan is None or each.plan == plan]


def due(workspace: Workspace, spec: LoopSpec) -> Due:
    """Whether a round should begin now. Raises BadInput for a damaged database of chats."""
    return _due(workspace, spec, choose(workspace, spec))


def _due(workspace: Workspace, spec: LoopSpec, chosen: Chosen) -> Due:
    if not chosen.new:
        return Due(False, "There is no newly rated chat that fits.")
    wanted, hours = spec.when.min_new, spec.when.every_hours
    if wanted is not None and chosen.new >= wanted:
        return Due(True, f"{chosen.new} new rated chats; {wanted} are enough.")
    if hours is not None:
        last = max((each.created for each in rounds(workspace, spec.name)), default=0.0)
        left = last + hours * HOUR - time.time()
        if left <= 0:
            return Due(True, f"The last round is {hours:g} hours or more ago, and {chosen.new} rated chats are new.")
        if wanted is None:
            return Due(False, f"The next round is due in {left / HOUR:.1f} hours.")
    return Due(False, f"{chosen.new} of {wanted} new rated chats are there.")


def begin(workspace: Workspace, spec: LoopSpec, *, force: bool = False) -> Begun:
    """Begin a round if one is due (or `force`). One that was stopped, killed or failed is gone on with instead; beside
    one that runs or waits for approval none is begun, since it may still change what is in production.

    Raises Missing or BadInput, with nothing started, for a plan that couldn't be carried out.
    """
    workspace.root.mkdir(parents=True, exist_ok=True)
    with FileLock(workspace.root / f".loop-{spec.name}.lock"):
        open_round = next((job for job in _jobs(workspace, spec.name) if job.manifest is None), None)
        if open_round is not None:
            return _go_on(open_round)
        waiting = next((each for each in rounds(workspace, spec.name) if each.outcome == "waiting"), None)
        if waiting is not None:
            return Begun(None, f"Round {waiting.job} waits for approval: approve or reject it, then others follow.")
        require_runnable(spec, workspace)
        chosen = choose(workspace, spec)
        found = _due(workspace, spec, chosen)
        if not found.due and not force:
            return Begun(None, f"No round of {spec.name} is due. {found.sentence}")
        require_chats(spec, chosen)
        job = launcher.start(
            workspace,
            "loop",
            spec.model_dump(mode="json"),
            title=f"{spec.name}: round",
            resource=probe(workspace.root).resource,
        )
        return Begun(job, f"Round {job.id} of {spec.name} begins. {found.sentence}")


def approve(workspace: Workspace, job_id: str, note: str = "") -> Round:
    """Promote what a waiting round made. Raises BadInput where it doesn't wait, or production changed since."""
    job, found = _waiting(workspace, job_id)
    registry = Registry(workspace)
    known = read_state(job.path)
    assert known.version is not None and known.reference is not None
    now = registry.resolve(found.model).number
    if now not in (known.version, known.reference.number):
        raise BadInput(
            f"Round {job.id} can't be approved.",
            f"It was compared with {known.reference.label}, and {found.model}@{now} is in production now.",
            f"Run another round, or promote {found.version} yourself (`python cli.py registry promote`).",
        )
    if now != known.version:
        reason = check_text(f"Approved by hand. {note}", "note")
        registry.promote(found.model, known.version, f"{reason} {found.sentence}"[:LONGEST_TEXT])
    return _answer(job, "approved", note)


def reject(workspace: Workspace, job_id: str, reason: str) -> Round:
    """Retire what a waiting round made. Raises BadInput where it doesn't wait, or no reason is given."""
    job, found = _waiting(workspace, job_id)
    known = read_state(job.path)
    assert known.version is not None
    registry = Registry(workspace)
    if registry.get(found.model, known.version).stage == "candidate":
        registry.retire(found.model, known.version, reason)
    return _answer(job, "rejected", reason)


def _jobs(workspace: Workspace, plan: str) -> list[JobDirectory]:
    return [job for job in workspace.list_jobs("loop") if job.header["spec"].get("name") == plan]


def _go_on(job: JobDirectory) -> Begun:
    state = launcher.observe(job).state
    if state.resumable:
        launcher.resume(job)
        return Begun(
            job, f"Round {job.id} was {state} and goes on. Deleted (`jobs delete`), it would make way for a new one."
        )
    return Begun(None, f"Round {job.id} is {state}; a plan has one round at a time.")


def _round(job: JobDirectory) -> Round:
    header, status = job.header, job.status()
    figures: dict[str, Any] = (job.manifest or {}).get("figures", {})
    answer: dict[str, Any] = read_json(job.path / ANSWER) or {}
    return Round(
        job=job.id,
        plan=str(header["spec"].get("name", "")),
        model=str(header["spec"].get("model", "")),
        created=float(header["created"]),
        state=status.state,
        outcome=answer.get("answer") or figures.get("outcome"),
        sentence=str(figures.get("sentence") or status.error or status.message),
        version=figures.get("version"),
    )


def _waiting(workspace: Workspace, job_id: str) -> tuple[JobDirectory, Round]:
    job = workspace.job(job_id)
    if job.header["kind"] != "loop":
        raise BadInput(
            f"{job.id} is no round.",
            f"Its kind is {job.header['kind']}.",
            "`python cli.py loop list` shows the rounds.",
        )
    found = _round(job)
    if found.outcome != "waiting":
        raise BadInput(
            f"Round {job.id} doesn't wait for approval.",
            f"It is {found.outcome or found.state}: {found.sentence}",
            "`python cli.py registry promote` promotes any version by hand.",
        )
    return job, found


def _answer(job: JobDirectory, answer: Answer, note: str) -> Round:
    write_json(job.path / ANSWER, {"answer": answer, "note": check_text(note, "note"), "time": time.time()})
    return _round(job)
