"""Commands about jobs: list, show, logs, stop, resume."""

from __future__ import annotations

import json

import typer
import yaml

from cli.shared import DetachOption, JsonOption, WorkspaceOption, console, open_workspace, report, show
from jobs import launcher
from jobs.follow import follow
from jobs.kinds import KINDS

jobs_app = typer.Typer(no_args_is_help=True, help="See, stop and resume what runs or ran.")


@jobs_app.command("list")
def jobs_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """All jobs, newest first."""
    rows = []
    for job in open_workspace(workspace).list_jobs():
        status = launcher.observe(job)
        kind = KINDS[job.header["kind"]].label
        rows.append(
            {
                "job": job.id,
                "kind": kind,
                "title": job.header["title"],
                "state": status.state,
                "message": status.message,
            }
        )
    lines = [f"{row['job']}  {row['state']:<10} {row['kind']}: {row['title']} · {row['message']}" for row in rows]
    show(rows, as_json, "\n".join(lines) or "No job was started here yet. Try: python cli.py demo")


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
