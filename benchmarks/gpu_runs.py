"""One run of the GPU benchmark: Hearth's as a train job, the plain script as a process; speed, memory, did it fit."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import chain, count, islice, pairwise
from pathlib import Path
from typing import Any

import psutil

from benchmarks.gpu_meter import Meter
from benchmarks.gpu_models import FILLED, PAIRS, shape_named, write_model
from benchmarks.gpu_plan import Result, Setting
from datasets_src.store import open_version
from datasets_src.tokens import fit_length, tokenised_rows
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.errors import UserError
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from models.hardware import Hardware, probe
from models.precision import choose_precision
from trainer.attempt import memory_was_full
from trainer.memory.estimate import estimate
from trainer.memory.fit import fits
from trainer.memory.limits import free_for_run, run_limit
from trainer.memory.setting import setting_for
from trainer.memory.shape import read_shape
from trainer.plan import choose_optimiser
from trainer.sampler import EpochSampler
from trainer.spec import TrainSpec

PLAIN_SCRIPT = Path(__file__).with_name("gpu_plain.py")
OPTIMISER, RATE = "adamw_8bit", 1e-5
# Kernels are compiled and chosen in the first steps.
SKIPPED_STEPS = 4
WAIT_SECONDS = 0.2
LEAVING_SECONDS = 30.0


class OutOfTime(Exception):
    """The run did not end before it had to."""


@dataclass(frozen=True)
class Bench:
    """What all runs share: `folder` holds models, workspace and scratch files; `four_bit`: QLoRA's weights are too."""

    folder: Path
    steps: int
    four_bit: bool

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder / "workspace")

    def model(self, setting: Setting) -> Path:
        """The folder of the setting's model, written if it isn't there; other models go if room is lacking."""
        four_bit = self.four_bit and setting.adapter == "qlora"
        folder = self.folder / "models" / (setting.model.replace(" ", "-") + ("-4bit" if four_bit else ""))
        folder.parent.mkdir(parents=True, exist_ok=True)
        shape = shape_named(setting.model)
        try:
            return write_model(shape, folder, four_bit=four_bit)
        except UserError:
            others = [path for path in folder.parent.iterdir() if path != folder]
            if not others:
                raise
            for path in others:
                shutil.rmtree(path)
            return write_model(shape, folder, four_bit=four_bit)


def run(bench: Bench, setting: Setting, until: float) -> Result:
    """Run the setting; what kept it from being measured is told in the result.

    Raises OutOfTime when it is not done at `until` (of time.monotonic); nothing of it runs on then.
    """
    started = time.monotonic()
    try:
        model, hardware = bench.model(setting), probe(bench.folder)
        measure = _run_plain if setting.contestant == "plain" else _run_hearth
        result = measure(bench, setting, model, hardware, until)
    except UserError as error:
        result = Result(setting, 0.0, problem=f"{error.what} {error.why}")
    return replace(result, seconds=round(time.monotonic() - started, 1))


def train_values(setting: Setting, model: Path, steps: int) -> dict[str, Any]:
    """The train job of a setting, as the page would write its spec."""
    return {
        "model": str(model),
        "data": PAIRS if setting.objective == "dpo" else FILLED,
        "backend": setting.contestant,
        "max_length": setting.length,
        "method": {"objective": setting.objective, "adapter": setting.adapter},
        "optimisation": {
            "batch_size": setting.batch_size,
            "max_steps": steps,
            # There are rows for two of the largest batches: they are gone through as often as the steps need.
            "epochs": steps,
            "learning_rate": RATE,
            "warmup_ratio": 0.0,
            "optimiser": OPTIMISER,
            "gradient_checkpointing": True,
        },
        "saving": {"checkpoint_every": 10_000, "evaluate_rows": 0, "samples": 0},
        "safety": {"recover": False, "memory_limit_gb": setting.cap_gb},
    }


def _run_hearth(bench: Bench, setting: Setting, model: Path, hardware: Hardware, until: float) -> Result:
    values = train_values(setting, model, bench.steps)
    spec = TrainSpec.parse(values)
    estimated = estimate(read_shape(model), spec, setting_for(spec, hardware))
    said = fits(estimated, free_for_run(hardware, setting.cap_gb))
    with Meter(hardware.gpus[0].index if hardware.gpus else None) as meter:
        job = launcher.start(bench.workspace, "train", values, title=setting.describe(), resource=hardware.resource)
        try:
            _wait(job, meter, until)
            status, rates = job.status(), [event["tokens_per_second"] for event in job.metrics() if "loss" in event]
            _wait_until_gone(status.pid)
        finally:
            launcher.end_process_group(job)
            _wait_until_gone(job.status().pid)
            log = job.log_tail()
            shutil.rmtree(job.path, ignore_errors=True)
    result = Result(setting, 0.0, None, meter.peak, meter.measured_by, estimated.total, said)
    if status.state is State.SUCCEEDED:
        return replace(result, did_fit=True, tokens_per_second=usual_rate(rates))
    problem = status.error or f"{status.state}: {log.strip().splitlines()[-1:]}"
    full = status.error_kind == "out_of_room" and problem.startswith("Memory is full")
    return replace(result, did_fit=False if full else None, problem=problem.splitlines()[0])


def _wait(job: JobDirectory, meter: Meter, until: float) -> None:
    """Until the job is done, whose worker's process the meter follows."""
    while launcher.observe(job).state.active:
        pid = job.status().pid
        if pid is not None:
            meter.watch(pid)
            # Not before: a worker that hasn't said its process yet can't be ended.
            if time.monotonic() > until:
                raise OutOfTime
        time.sleep(WAIT_SECONDS)


def _wait_until_gone(pid: int | None) -> None:
    """A job is done before its process has ended: what that still holds of the card must not be there when the next
    run's memory is measured."""
    ends = time.monotonic() + LEAVING_SECONDS
    while pid is not None and psutil.pid_exists(pid) and time.monotonic() < ends:
        time.sleep(WAIT_SECONDS)


def usual_rate(rates: list[float]) -> float:
    """The median of the steps' tokens per second, the first of them left out."""
    return round(statistics.median(rates[min(SKIPPED_STEPS, len(rates) // 3) :]), 1)


def _run_plain(bench: Bench, setting: Setting, model: Path, hardware: Hardware, until: float) -> Result:
    folder = bench.folder / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in _plain_rows(bench, setting, model)))
    settings = {
        "model": str(model), "rows": str(folder / "rows.jsonl"), "adapter": setting.adapter, "steps": bench.steps,
        "batch_size": setting.batch_size, "learning_rate": RATE, "rank": 16, "alpha": 32,
        "optimiser": choose_optimiser(OPTIMISER, on_gpu=bool(hardware.gpus))[0],
        "precision": choose_precision("auto", hardware).value,
        "memory_fraction": run_limit(hardware.gpus[0], setting.cap_gb).fraction if hardware.gpus else 1.0,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    # -P: the folder of the script, which has a datasets.py, must not come before the library of that name.
    command = [sys.executable, "-P", str(PLAIN_SCRIPT), str(folder / "settings.json")]
    with Meter(hardware.gpus[0].index if hardware.gpus else None) as meter, (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        meter.watch(process.pid)
        try:
            process.wait(until - time.monotonic())
        except subprocess.TimeoutExpired as error:
            raise OutOfTime from error
        finally:
            process.kill()
            process.wait()
    result = Result(setting, 0.0, None, meter.peak, meter.measured_by)
    if process.returncode == 0:
        times = json.loads((folder / "result.json").read_text())["times"]
        tokens = setting.batch_size * setting.length
        rates = [tokens / (after - before) for before, after in pairwise(times)]
        return replace(result, did_fit=True, tokens_per_second=usual_rate(rates))
    said = (folder / "log.txt").read_text(errors="replace").strip().splitlines()[-1:]
    problem = said[0] if said else f"ended with {process.returncode}"
    return replace(result, did_fit=False if memory_was_full(RuntimeError(problem)) else None, problem=problem)


def _plain_rows(bench: Bench, setting: Setting, model: Path) -> list[dict[str, Any]]:
    """The rows of all steps as tokens with labels, in the order in which Hearth trains them."""
    version = open_version(bench.workspace, FILLED)
    rows = fit_length(tokenised_rows(version, "train", ChatTokenizer.load(model), bench.workspace), setting.length).rows
    sampler = EpochSampler([len(row.input_ids) for row in rows], setting.batch_size, 0, by_length=False)
    order = chain.from_iterable(sampler.order(epoch) for epoch in count())
    taken = [rows[place] for place in islice(order, setting.batch_size * bench.steps)]
    return [{"input_ids": row.input_ids, "labels": row.labels} for row in taken]
