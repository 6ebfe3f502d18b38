"""The panel that shows a job of one kind on every tab: state, progress, log, Stop and Resume, earlier jobs.

What it shows is read from the job's directory alone, so that a refresh or a restarted server loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from jobs import launcher
from jobs.directory import JobDirectory, Status
from jobs.silence import silent_minutes
from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft
from ui.job_view import artifacts, empty, file_links, job_html, job_label
from ui.page import SKIP, Page
from ui.words import without_visitors

LOG_CHARACTERS = 8000
LISTED_JOBS = 30
Result = Callable[[Workspace, JobDirectory, Status], Sequence[Any]]
# On a narrow screen the panel stands below the form: a job that begins comes into view.
COME_INTO_VIEW = """
const shown = () => element.querySelector('[data-job]')?.dataset;
let known = shown()?.job;
new MutationObserver(() => {
  const now = shown();
  const begins = now && now.job !== known && ['queued', 'running'].includes(now.state);
  known = now?.job;
  if (begins && innerWidth <= 700 && document.documentElement.classList.contains('hearth-filled'))
    element.scrollIntoView({ block: 'start', behavior: 'smooth' });
}).observe(element, { childList: true, subtree: true });
"""


@dataclass
class JobPanel:
    """The components of a panel. `choice` holds the id of the job that is shown; `key` names it in the tab's draft.

    `cursor` changes with the job's state, `moment` also with what it does right now.
    """

    kind: str
    tab: str
    key: str
    nothing: str
    choice: Any
    cursor: Any
    moment: Any
    view: Any
    stop: Any
    resume: Any
    log: Any
    details: Any
    files: Any
    error: Any

    @property
    def outputs(self) -> list[Any]:
        buttons = [self.stop, self.resume]
        return [self.choice, self.cursor, self.moment, self.view, *buttons, self.details, self.log, self.files]

    def shown_job(self, workspace: Workspace) -> JobDirectory | None:
        """The job chosen last, else the newest of this kind."""
        jobs = workspace.list_jobs(self.kind)
        chosen = read_draft(workspace, self.tab).get(self.key)
        return next((job for job in jobs if job.id == chosen), jobs[0] if jobs else None)

    def choose(self, workspace: Workspace, job_id: str) -> None:
        save_draft(workspace, self.tab, **{self.key: job_id})

    def show(self, workspace: Workspace, cursor: str = "") -> list[Any]:
        """Values of `outputs`; all skipped when nothing changed since `cursor` but what the job does right now."""
        jobs = workspace.list_jobs(self.kind)
        job = self.shown_job(workspace)
        now = _cursor(jobs, job, job.status() if job else None)
        if now == cursor:
            return [SKIP for _ in self.outputs]
        status = launcher.observe(job) if job else None
        if job is None or status is None:
            hidden = gr.update(visible=False)
            return [gr.update(choices=[], visible=False), now, "", empty(self.nothing), hidden, hidden, hidden, "", ""]
        choices = [(job_label(each), each.id) for each in jobs[:LISTED_JOBS]]
        return [
            gr.update(choices=choices, value=job.id, visible=len(jobs) > 1),
            now,
            _moment(job, status),
            job_html(job, status),
            _stop_button(job, status),
            gr.update(visible=status.state.resumable),
            gr.update(visible=True),
            without_visitors(job.log_tail(LOG_CHARACTERS)),
            file_links(job, artifacts(job)),
        ]

    def show_moment(self, workspace: Workspace, cursor: str = "", moment: str = "") -> list[Any]:
        """Values of `moment`, `view` and `log` while the job's state stays as `cursor` says."""
        job = self.shown_job(workspace)
        if job is None:
            return [SKIP, SKIP, SKIP]
        status = job.status()
        now = _moment(job, status)
        if now == moment or _cursor(workspace.list_jobs(self.kind), job, status) != cursor:
            return [SKIP, SKIP, SKIP]
        return [now, job_html(job, status), without_visitors(job.log_tail(LOG_CHARACTERS))]

    def says(self, words: str) -> list[Any]:
        """The panel's outputs while something is made ready for a job that isn't there yet."""
        return [gr.HTML(empty(words)) if output is self.view else SKIP for output in self.outputs]


def _stop_button(job: JobDirectory, status: Status) -> Any:
    stopping = job.stop_requested
    words = "Stopping: it saves first" if stopping else "Stop"
    return gr.update(value=words, visible=status.state.active, interactive=not stopping)


def lay_out(tab: str, kind: str, nothing: str, *, name: str = "") -> JobPanel:
    """Draw the panel here; log and files are drawn by `lay_out_details`, below what came of the job.

    `nothing`: what to do while there is no job yet; `name` tells several of a tab apart.
    """
    place = f"{tab}-{name}" if name else tab
    with gr.Column(elem_classes="hearth-panel"):
        choice = gr.Dropdown([], label="Earlier runs", allow_custom_value=True, visible=False, interactive=True)
        view = gr.HTML(empty(nothing), elem_id=f"{place}-job", js_on_load=COME_INTO_VIEW)
        error = gr.HTML(visible=False)
        with gr.Row(elem_classes="hearth-buttons"):
            stop = gr.Button("Stop", size="sm", variant="secondary", visible=False)
            resume = gr.Button("Resume", size="sm", variant="secondary", visible=False)
    cursor, moment = gr.Textbox(visible=False), gr.Textbox(visible=False)
    key = f"shown_{name}" if name else "shown"
    return JobPanel(kind, tab, key, nothing, choice, cursor, moment, view, stop, resume, None, None, None, error)


def lay_out_details(panel: JobPanel) -> None:
    """Draw the job's log and files here, once there is a job."""
    with gr.Column(visible=False) as panel.details:
        with gr.Accordion("Log", open=False):
            panel.log = gr.Textbox(
                lines=10, max_lines=16, show_label=False, autoscroll=True, elem_classes="hearth-code"
            )
        with gr.Accordion("Files", open=False):
            panel.files = gr.HTML("")


def wire(page: Page, panel: JobPanel, result: Result, outputs: Sequence[Any]) -> None:
    """Keep the panel up to date, and with it `outputs`: what `result` makes of the job whenever its state changed, or
    what it decided, changed on the way or wrote into its folder.
    """

    def poll(workspace: Workspace, cursor: str) -> list[Any]:
        shown = panel.show(workspace, cursor or "")
        if shown[1] is SKIP:
            return [*shown, *[SKIP for _ in outputs]]
        job = panel.shown_job(workspace)
        if job is None:
            return [*shown, *[SKIP for _ in outputs]]
        return [*shown, *result(workspace, job, job.status())]

    def choose(workspace: Workspace, job_id: str) -> list[Any]:
        panel.choose(workspace, workspace.job(job_id).id)
        return poll(workspace, "")

    def stop(workspace: Workspace) -> list[Any]:
        job = panel.shown_job(workspace)
        if job is not None:
            launcher.stop(job)
        return poll(workspace, "")

    def resume(workspace: Workspace) -> list[Any]:
        job = panel.shown_job(workspace)
        if job is not None:
            launcher.resume(job)
        return poll(workspace, "")

    everything = [*panel.outputs, *outputs]
    page.poll(panel.tab, poll, [panel.cursor], everything)
    page.poll(panel.tab, panel.show_moment, [panel.cursor, panel.moment], [panel.moment, panel.view, panel.log])
    page.load(lambda workspace: poll(workspace, ""), everything)
    page.on(panel.choice.input, choose, [panel.choice], everything, panel.error)
    page.on(panel.stop.click, stop, [], everything, panel.error)
    page.on(panel.resume.click, resume, [], everything, panel.error)


def start(panel: JobPanel, workspace: Workspace, spec: dict[str, Any], title: str) -> list[Any]:
    """Start a job and show it: values of the panel's outputs."""
    from models.hardware import probe

    job = launcher.start(workspace, panel.kind, spec, title=title, resource=probe(workspace.root).resource)
    panel.choose(workspace, job.id)
    return panel.show(workspace)


def _cursor(jobs: list[JobDirectory], job: JobDirectory | None, status: Status | None) -> str:
    """Changes whenever the jobs there are, or the shown one's state, files or decisions change; cheap to make."""
    if job is None or status is None:
        return "nothing"
    active = [each.id for each in jobs[:LISTED_JOBS] if each.id != job.id and each.status().state.active]
    shown = (job.id, status.state, status.attempt, status.error, job.stop_requested, job.results_stamp, len(jobs))
    return "|".join(str(part) for part in (*shown, *active))


def _moment(job: JobDirectory, status: Status) -> str:
    """Changes whenever the job says anything: progress, message, log; and while it is silent."""
    log = job.log_path.stat().st_size if job.log_path.exists() else 0
    return f"{job.id}|{status.state}|{status.updated}|{status.message}|{log}|{silent_minutes(job, status)}"
