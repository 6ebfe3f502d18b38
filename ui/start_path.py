"""The way from a wish to a model in Ollama, in six steps whose state follows from what lies in the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from datasets_src.store import DatasetVersion, list_versions
from jobs.directory import JobDirectory, State, Status
from jobs.workspace import Workspace
from trainer.memory.reach import EMBEDDED
from ui import training_form
from ui.choices import is_snake
from ui.drafts import read_draft
from ui.start_goals import TAB, Goal, chosen_goal
from ui.words import count, duration

Stand = Literal["done", "next", "running", "failed", "later"]
Key = Literal["goal", "rows", "model", "train", "judge", "use"]
TITLES: dict[Key, str] = {
    "goal": "Choose what it should learn",
    "rows": "Bring rows",
    "model": "Pick a model",
    "train": "Train",
    "judge": "See whether it got better",
    "use": "Use it in Ollama",
}
BUTTONS: dict[Key, str] = {
    "goal": "",
    "rows": "Open Datasets",
    "model": "Open Models",
    "train": "Open Training",
    "judge": "Open Evaluation",
    "use": "Open Export",
}
WAITING: dict[Key, str] = {
    "goal": "Everything after this is prepared for it.",
    "rows": "A model learns from rows: what it is given, and what it should say.",
    "model": "What the training starts from.",
    "train": "Check the memory shown there, then press “Train”. You can close the page meanwhile.",
    "judge": "Press “Evaluate”: the trained model and the one it came from answer questions that training never saw.",
    "use": "Make a file of it, put it into Ollama, and chat with it there.",
}
MAKING_ROWS = ("data.build", "data.synthesise")


@dataclass(frozen=True)
class Step:
    """One step: how it stands, and in `says` what came of it or what to do. `job` is the one that runs or failed."""

    key: Key
    stand: Stand
    says: str
    job: JobDirectory | None = None

    @property
    def title(self) -> str:
        return TITLES[self.key]


@dataclass(frozen=True)
class Made:
    """What a path has come to: the newest of each, None where there is none."""

    goal: Goal | None
    version: DatasetVersion | None
    making: JobDirectory | None
    model: str | None
    training: JobDirectory | None
    judging: JobDirectory | None
    export: JobDirectory | None
    ollama: JobDirectory | None


def path(workspace: Workspace) -> list[Step]:
    """The six steps. The first that isn't done is the next one, and says whether it runs or failed."""
    made = look(workspace)
    steps: list[Step] = []
    for key, outcome in _outcomes(made).items():
        job = _job_of(key, made)
        if outcome is not None:
            steps.append(Step(key, "done", outcome))
        elif any(step.stand != "done" for step in steps):
            steps.append(Step(key, "later", WAITING[key]))
        else:
            steps.append(_now(key, made, job))
    return steps


def next_step(steps: Sequence[Step]) -> Step | None:
    """The one to do; None when all are done."""
    return next((step for step in steps if step.stand in ("next", "running", "failed")), None)


def look(workspace: Workspace) -> Made:
    """What was made since this path was begun; each thing only if it was made from what came before it."""
    since = float(read_draft(workspace, TAB).get("since", 0.0))
    version = next((each for each in list_versions(workspace) if each.built >= since), None)
    makings = [job for job in _since(workspace, MAKING_ROWS, since) if not _well(job)]
    training = next(iter(_since(workspace, ("train",), max(since, version.built if version else 0.0))), None)
    trained = _created(training) if training else None
    after = max(since, trained) if trained is not None else None
    judging, export, ollama = (
        None if after is None else next(iter(_since(workspace, (kind,), after)), None)
        for kind in ("evaluate", "export", "ollama")
    )
    return Made(
        goal=chosen_goal(workspace),
        version=version,
        making=next((job for job in makings if version is None or _created(job) > version.built), None),
        model=_model(workspace, version, next(iter(_since(workspace, ("train",), since)), None)),
        training=training,
        judging=judging,
        export=export,
        ollama=ollama,
    )


def _since(workspace: Workspace, kinds: Sequence[str], moment: float) -> list[JobDirectory]:
    """The jobs of those kinds that were started from then on, newest first."""
    return [job for job in workspace.list_jobs() if job.header["kind"] in kinds and _created(job) >= moment]


def _created(job: JobDirectory) -> float:
    return float(job.header["created"])


def _model(workspace: Workspace, version: DatasetVersion | None, training: JobDirectory | None) -> str | None:
    """The model that the newest training named, or that was entered; Snake brings its own."""
    if training is not None:
        return str(training.header["spec"]["model"])
    entered = read_draft(workspace, training_form.TAB).get("form", {}).get("model")
    if entered:
        return str(entered)
    return str(training_form.snake_values()["model"]) if is_snake(version) else None


def _outcomes(made: Made) -> dict[Key, str | None]:
    """What came of each step, None where it isn't done."""
    rows = made.version
    goal = made.goal.title if made.goal else "Rows are here already." if rows else None
    verdicts = _figures(made.judging).get("verdicts") or [None]
    put = _figures(made.ollama).get("model")
    return {
        "goal": goal,
        "rows": _counted(rows) if rows else None,
        "model": _named(made.model) if made.model else None,
        "train": str(made.training.header["title"]) if made.training and _well(made.training) else None,
        "judge": _capital(verdicts[0]) if verdicts[0] else None,
        "use": f"ollama run {put}" if put else None,
    }


def model_name(model: str) -> str:
    """As people call it."""
    return "SmolLM2-135M" if model == EMBEDDED else model.rpartition("/")[2]


def _named(model: str) -> str:
    return f"{model_name(model)}, which comes along" if model == EMBEDDED else model_name(model)


def _counted(rows: DatasetVersion) -> str:
    return f"{rows.name}: {count(rows.train_rows, 'row')} to train on, {rows.eval_rows:,} to judge by"


def _figures(job: JobDirectory | None) -> dict[str, Any]:
    """What a job that ended well came to."""
    manifest = job.manifest if job is not None and _well(job) else None
    return dict(manifest["figures"]) if manifest else {}


def _well(job: JobDirectory) -> bool:
    return job.status().state is State.SUCCEEDED


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _job_of(key: Key, made: Made) -> JobDirectory | None:
    use = made.ollama or made.export
    return {"rows": made.making, "train": made.training, "judge": made.judging, "use": use}.get(key)


def _now(key: Key, made: Made, job: JobDirectory | None) -> Step:
    """The step to do: what to do there, or what its job is doing."""
    if key == "rows" and made.goal is not None and job is None:
        return Step(key, "next", made.goal.rows)
    if job is None:
        return Step(key, "next", WAITING[key])
    status = job.status()
    if status.state.active:
        left = f", about {duration(status.eta_seconds)} left" if status.eta_seconds is not None else ""
        return Step(key, "running", f"{job.header['title']} is under way{left}. You can close the page meanwhile.", job)
    if status.state is State.SUCCEEDED:  # an export that isn't in Ollama yet
        return Step(key, "next", f"The files of {job.header['title']} are made. Now put one into Ollama.", job)
    return Step(key, "failed", f"{_how_it_ended(job.header['title'], status)} Open it to see what to do.", job)


def _how_it_ended(title: str, status: Status) -> str:
    if status.state is State.STOPPED:
        return f"{title} was stopped."
    why = (status.error or "").partition("\n")[0]
    if why:
        return f"{title} failed: {why}"
    return f"{title} was ended from outside." if status.state is State.LOST else f"{title} failed."
