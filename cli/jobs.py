"""Commands about jobs: list, show, logs, stop, resume; tags and notes; the queue; the bin."""

from __future__ import annotations

import json
from typing import Annotated

import typer
import yaml

from cli.shared import DetachOption, JsonOption, WorkspaceOption, console, open_workspace, report, show
from jobs import bin as job_bin
from jobs import launcher
from jobs.annotations import annotate, annotations_of, search, split_tags
from jobs.directory import JobDirectory
from jobs.errors import BadInput
from jobs.follow import follow
from jobs.kinds import KINDS
from jobs.lease import Lease
from jobs.silence import silence_words
from jobs.workspace import Workspace

jobs_app = typer.Typer(no_args_is_help=True, help="See, stop and resume what runs or ran.")


@jobs_app.command("list")
def jobs_list(
    text: Annotated[
        str, typer.Option("--search", help="Words that occur in id, title, state, tags, note, model or dataset.")
    ] = "",
    kind: Annotated[str | None, typer.Option(help="One kind only, such as train, evaluate or export.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """All jobs, or those that are searched for, newest first."""
    if kind is not None and kind not in KINDS:
        raise BadInput(f"'{kind}' is no kind of job.", f"There are {', '.join(KINDS)}.", "Choose one of these.")
    place = open_workspace(workspace)
    rows = [_row(job) for job in search(place.list_jobs(kind), text)]
    none = "No job fits." if place.list_jobs() else "No job was started here yet. Try: python cli.py demo"
    widths = {name: max((len(str(row[name])) for row in rows), default=0) for name in ("job", "state", "kind")}
    show(rows, as_json, "\n".join(_line(row, widths) for row in rows) or none)


def _row(job: JobDirectory) -> dict[str, object]:
    status, said = launcher.observe(job), annotations_of(job)
    kind = job.header["kind"]
    return {
        "job": job.id,
        "kind": KINDS[kind].label if kind in KINDS else kind,
        "title": job.header["title"],
        "state": status.state,
        "message": " · ".join(filter(None, [status.message, silence_words(job, status)])),
        "tags": list(said.tags),
        "note": said.note,
    }


def _line(row: dict[str, object], widths: dict[str, int]) -> str:
    """A job in one line, whose first columns are as wide as the widest of their entries."""
    tags = "".join(f" #{tag}" for tag in list(row["tags"]))  # type: ignore[call-overload]
    note = f" · {str(row['note']).splitlines()[0]}" if row["note"] else ""
    columns = "  ".join(f"{row[name]!s:<{width}}" for name, width in widths.items())
    return f"{columns}  {row['title']}{tags} · {row['message']}{note}"


@jobs_app.command("show")
def jobs_show(job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """One job: its spec, the values it resolved, its state and figures."""
    job = open_workspace(workspace).job(job_id)
    known = {
        "job": job.id, **job.header, "status": launcher.observe(job).__dict__,
        "resolved": job.resolved, "changes": job.changes, "manifest": job.manifest,
    }  # fmt: skip
    plain = json.loads(json.dumps(known, default=str))
    show(known, as_json, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


@jobs_app.command("logs")
def jobs_logs(job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """The end of what a job's worker printed."""
    log = open_workspace(workspace).job(job_id).log_tail()
    show({"job": job_id, "log": log}, as_json, log)


@jobs_app.command("stop")
def jobs_stop(job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Stop a job: it finishes its step and saves; after a minute it is ended."""
    job = open_workspace(workspace).job(job_id)
    state = launcher.stop(job, wait_seconds=60)
    show({"job": job.id, "state": state}, as_json, f"{job.id}: {state}")


@jobs_app.command("resume")
def jobs_resume(
    job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Go on with a stopped, failed or lost job from what it saved."""
    job = open_workspace(workspace).job(job_id)
    launcher.resume(job)
    if not detach:
        follow(job, console)
    report(job, as_json)


@jobs_app.command("note")
def jobs_note(
    job_id: str,
    text: Annotated[str, typer.Argument(help="The new note; an empty one takes it away.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a note to a job, in place of the one that was there."""
    job = open_workspace(workspace).job(job_id)
    said = annotate(job, note=text)
    show({"job": job.id, "note": said.note}, as_json, f"{job.id}: {said.note or 'no note'}")


@jobs_app.command("tag")
def jobs_tag(
    job_id: str,
    tags: Annotated[str, typer.Argument(help="Tags with commas between them; '' takes all away.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a job tags, in place of those that it had."""
    job = open_workspace(workspace).job(job_id)
    said = annotate(job, tags=split_tags(tags))
    show({"job": job.id, "tags": list(said.tags)}, as_json, f"{job.id}: {', '.join(said.tags) or 'no tags'}")


@jobs_app.command("delete")
def jobs_delete(job_ids: list[str], workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Move jobs to the bin. They come back with `jobs restore` until the bin is emptied."""
    place = open_workspace(workspace)
    jobs = [place.job(job_id) for job_id in job_ids]
    active = [job for job in jobs if launcher.observe(job).state.active]
    if active:
        raise BadInput(
            f"{', '.join(job.id for job in active)} can't be deleted: still waiting or running.",
            "A worker writes there.",
            "Stop it first: python cli.py jobs stop ID. Nothing was deleted.",
        )
    rows = []
    for job in jobs:
        builds = [other.id for other in job_bin.dependants(place, job)]
        if builds:
            console.print(f"{', '.join(builds)} build on {job.id}; they miss it until it is restored.")
        job_bin.delete(place, job)
        rows.append({"job": job.id, "dependants": builds})
    show(rows, as_json, "\n".join(f"{row['job']}: in the bin" for row in rows))


@jobs_app.command("restore")
def jobs_restore(job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Bring a job back from the bin."""
    job = job_bin.restore(open_workspace(workspace), job_id)
    show({"job": job.id, "path": str(job.path)}, as_json, f"{job.id}: back")


@jobs_app.command("bin")
def jobs_in_bin(
    empty: Annotated[bool, typer.Option("--empty", help="Delete for good what is in it.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the bin holds; with --empty, delete it for good."""
    place = open_workspace(workspace)
    held = job_bin.in_bin(place)
    rows = [{"job": each.job.id, "title": each.job.header["title"], "bytes": each.size_bytes} for each in held]
    total = sum(each.size_bytes for each in held)
    if empty:
        job_bin.empty(place)
        known = {"deleted": rows, "freed_bytes": total}
        show(known, as_json, f"{len(rows)} jobs deleted for good, {total / 1e9:.2f} GB came free.")
        return
    lines = [f"{row['job']}  {row['bytes'] / 1e9:8.2f} GB  {row['title']}" for row in rows]
    last = f"{total / 1e9:.2f} GB come free with --empty." if rows else "The bin is empty."
    show({"jobs": rows, "bytes": total}, as_json, "\n".join([*lines, last]))


@jobs_app.command("queue")
def jobs_queue(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """What runs on this machine's GPU (or on the machine) and what waits for it, of all workspaces."""
    lease = _lease(open_workspace(workspace))
    holder, waiting = lease.holder(), lease.queue()
    known = {
        "resource": lease.resource,
        "running": holder.describe() if holder else None,
        "waiting": [{"position": place, "job": each.directory.id, "title": each.title, "path": each.path}
                    for place, each in enumerate(waiting, start=1)],
    }  # fmt: skip
    lines = [f"{place}. {each.describe()}" for place, each in enumerate(waiting, start=1)]
    runs = f"Running on {lease.resource}: {holder.describe()}" if holder else f"Nothing runs on {lease.resource}."
    show(known, as_json, "\n".join([runs, *(lines or ["Nothing waits."])]))


@jobs_app.command("move")
def jobs_move(
    job_id: str,
    position: Annotated[int, typer.Argument(min=1, help="1 runs next.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a waiting job to a place in the queue."""
    place = open_workspace(workspace)
    lease = _lease(place)
    lease.move(place.job(job_id).path, position - 1)
    order = [each.directory.id for each in lease.queue()]
    show({"waiting": order}, as_json, "\n".join(f"{place}. {each}" for place, each in enumerate(order, start=1)))


def _lease(workspace: Workspace) -> Lease:
    from models.hardware import probe

    return Lease(probe(workspace.root).resource)
