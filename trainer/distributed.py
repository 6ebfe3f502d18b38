"""One run on several GPUs or hosts: the same spec under `accelerate launch`.

    accelerate launch --num_processes 2 -m trainer.distributed SPEC.yaml --workspace DIR
    accelerate launch --num_processes 2 -m trainer.distributed --resume JOB --workspace DIR

`batch_size` and `gradient_accumulation` of the spec are those of all processes together: a step is made from the same
rows however many there are. The first process owns the job (status, events, checkpoints, result); the page and
`python cli.py jobs` show and stop it like any other. A stop is carried out by all at the same step. When one process
fails, all end, with the reason in the job's status; resume goes on from the last checkpoint.

Every weight on every GPU (DDP) is accelerate's default. For models that don't fit one GPU, FSDP shares the weights:

    python -m trainer.distributed SPEC.yaml --workspace DIR --write-fsdp fsdp.yaml
    accelerate launch --config_file fsdp.yaml --num_processes 4 -m trainer.distributed SPEC.yaml --workspace DIR

Several hosts need the workspace under the same path (a shared disk). On each of them, with its own rank:

    accelerate launch --num_machines 2 --machine_rank 0 --main_process_ip 10.0.0.1 --main_process_port 29500 \\
        --num_processes 8 -m trainer.distributed SPEC.yaml --workspace DIR

`num_processes` counts those of all hosts. Without a GPU, add `--multi_gpu` all the same: accelerate's `--cpu` starts
several processes only by way of MPI, and what they compute on is found here.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from jobs import worker
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Stopped, UserError
from jobs.workspace import Workspace
from models.hardware import probe
from models.quiet import quiet_libraries
from trainer import together
from trainer.spec import TrainSpec

TROUBLE = "hearth/trouble"
LOOK_SECONDS = 1.0
# Longer than the machine may be busy with other jobs: the others wait while the first waits for its turn.
WAIT = datetime.timedelta(days=2)


class Follower(JobContext):
    """The context of every process but the first: it takes what the first decided, and writes nothing but its log."""

    def __init__(self, directory: JobDirectory, attempt: int, resolved: dict[str, Any]) -> None:
        super().__init__(directory, attempt, started=time.time())
        self._resolved = resolved

    def progress(self, fraction: float | None, message: str, eta_seconds: float | None = None) -> None:
        pass

    def write_status(self, status: Status) -> None:
        self._status = status

    def metric(self, step: int, **values: float) -> None:
        pass

    def event(self, kind: str, step: int, **values: Any) -> None:
        pass

    def log(self, message: str) -> None:
        print(message, flush=True)

    def resolve(self, name: str, value: Any, origin: str) -> Any:  # noqa: ARG002 - the first process notes it
        known = self.decided(name)
        return value if known is None else known

    def decided(self, name: str) -> Any | None:
        known = self._resolved.get(name)
        return None if known is None else known["value"]

    def change(self, what: str, why: str, **values: Any) -> None:
        pass

    def release_reserve(self) -> None:
        pass

    def should_stop(self) -> bool:
        return False


def main(arguments: Sequence[str]) -> int:
    """One of the processes. Returns its exit status; a run that was stopped ends well."""
    asked = _parser().parse_args(arguments)
    workspace = Workspace(asked.workspace) if asked.workspace else Workspace.default()
    quiet_libraries()
    if asked.write_fsdp:
        return _write_fsdp(asked, workspace)
    _connect()
    path = together.hand_on(_open(asked, workspace) if together.is_first() else None)
    status = 2
    if path is not None:
        status = _lead(JobDirectory(path)) if together.is_first() else _follow(JobDirectory(path))
    _disconnect()
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="accelerate launch -m trainer.distributed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("spec", nargs="?", type=Path, help="a TrainSpec as YAML")
    parser.add_argument("--resume", metavar="JOB", help="go on with a job of this kind")
    parser.add_argument("--workspace", type=Path, help="default: HEARTH_WORKSPACE, else ./workspace")
    parser.add_argument("--write-fsdp", type=Path, metavar="FILE", help="write accelerate's settings for FSDP and end")
    return parser


def _connect() -> None:
    """Connect the processes that accelerate started."""
    import torch
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available(), timeout=WAIT)
    # accelerate numbers the CPU by process ("cpu:0"), which torch doesn't take as a place to load a checkpoint to.
    torch.serialization.register_package(
        100, lambda _storage: None, lambda storage, place: storage if place.startswith("cpu:") else None
    )


def _disconnect() -> None:
    """Threads of torch's that still run when Python ends would abort the process."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _open(asked: argparse.Namespace, workspace: Workspace) -> Path | None:
    """The job's folder, made or found by the first process; None, said on stderr, when that can't be."""
    try:
        return open_job(asked.spec, asked.resume, workspace, together.processes()).path.resolve()
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        return None


def open_job(spec_path: Path | None, resumed: str | None, workspace: Workspace, count: int) -> JobDirectory:
    """A new job of the spec, or the one to go on with. Raises BadInput for what several processes can't do."""
    if (spec_path is None) == (resumed is None):
        raise BadInput("Give a spec or --resume.", "One of them says what is trained.", "See --help.")
    job = workspace.job(resumed) if resumed else None
    spec = TrainSpec.parse(job.header["spec"]) if job else TrainSpec.load(Path(str(spec_path)))
    began = (job.resolved or {}).get("backend") if job else None
    if spec.backend == "unsloth" or (began and began["value"] != "peft"):
        raise BadInput(
            "Unsloth trains with one process only.",
            f"The run is to have {count}." if count > 1 else "This command is for several.",
            "Choose backend: peft, or train with `python cli.py train`.",
        )
    require_shareable(spec, count)
    if job is None:
        values = {**spec.model_dump(mode="json"), "backend": "peft"}
        place = workspace.new_job_path("train")
        resource = probe(workspace.root).resource
        return JobDirectory.create(place, kind="train", title=spec.title, spec=values, resource=resource)
    if not job.status().state.resumable:
        raise BadInput(f"{job.id} can't be resumed.", f"It is {job.status().state}.", "Resume stopped or failed jobs.")
    job.clear_stop()
    return job


def require_shareable(spec: TrainSpec, count: int) -> None:
    """Raise BadInput when the rows of a step can't be shared by `count` processes."""
    batch, accumulation = spec.optimisation.batch_size, spec.optimisation.gradient_accumulation
    if batch % count and accumulation % count:
        raise together.not_shareable(batch, accumulation, count)


def _lead(job: JobDirectory) -> int:
    """The first process: the job's worker, whose output goes to the job's log."""
    print(f"Training {job.id} with {together.processes()} processes; log: {job.log_path}", flush=True)
    terminal = os.dup(1)
    with job.log_path.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(job, ended), daemon=True)
    watcher.start()
    status = worker.main(job.path)
    together.begin(None)  # where it ended before it began
    ended.set()
    watcher.join()
    said = job.status()
    os.write(terminal, f"{job.id}: {said.state}. {said.error or said.message}\n".encode())
    return 0 if status == 130 else status


def _watch(job: JobDirectory, ended: threading.Event) -> None:
    """When another process failed, say so in the job's status and end: this one may wait for it for ever."""
    while together.processes() > 1 and not ended.wait(LOOK_SECONDS):
        said = _store().check([TROUBLE]) and json.loads(_store().get(TROUBLE))
        if said:
            failed = {"error_kind": said["kind"], "error": said["error"], "hint": said["hint"], "eta_seconds": None}
            job.write_status(replace(job.status(), state=State.FAILED, message=said["message"], **failed))
            print(f"{said['message']} {said['error']}", flush=True)
            os._exit(1)


def _follow(job: JobDirectory) -> int:
    """Every other process: the same training, without a job of its own."""
    from trainer.job import run

    decided = together.hand_on(None)
    if decided is None:
        return 0
    rank = int(os.environ.get("RANK", "0"))
    try:
        run(Follower(job, decided["attempt"], decided["resolved"]))
    except Stopped:
        return 0
    except UserError as error:
        _tell(rank, {"kind": error.kind, "error": f"{error.what} {error.why}", "hint": error.fix})
        return 1
    except Exception as error:  # noqa: BLE001 - the boundary of this process: the first has to be told
        traceback.print_exc()
        hint = "What this process printed says more. Resume goes on from the last checkpoint."
        _tell(rank, {"kind": "internal", "error": f"{type(error).__name__}: {error}", "hint": hint})
        return 1
    return 0


def _tell(rank: int, said: dict[str, str]) -> None:
    """Leave word for the first process, and give it time to read it before accelerate ends all."""
    _store().set(TROUBLE, json.dumps({**said, "message": f"Process {rank} of the run failed, so all were ended."}))
    time.sleep(5 * LOOK_SECONDS)


def _store() -> Any:
    """The key-value store by which torch's processes found each other; torch has no public name for it."""
    from torch.distributed.distributed_c10d import _get_default_store

    return _get_default_store()


def _write_fsdp(asked: argparse.Namespace, workspace: Workspace) -> int:
    from models.reference import resolve

    spec = TrainSpec.load(asked.spec)
    asked.write_fsdp.write_text(fsdp_config(resolve(spec.model, workspace).folder, spec), encoding="utf-8")
    print(f"{asked.write_fsdp}: accelerate launch --config_file {asked.write_fsdp} --num_processes N -m …")
    return 0


def fsdp_config(model: Path, spec: TrainSpec) -> str:
    """accelerate's settings that share a model's weights over all GPUs, layer by layer (FSDP), as YAML.

    Keys as in accelerate's guide to FSDP; the layers' class is the one that transformers says mustn't be split.
    Raises BadInput for a model whose layers aren't known.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        shape = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model))
    layers = sorted(shape._no_split_modules or [])
    if not layers:
        raise BadInput(f"{model} names no layers.", "FSDP shares weights layer by layer.", "Train it with DDP.")
    settings = {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_transformer_layer_cls_to_wrap": ",".join(layers),
        "fsdp_reshard_after_forward": True,
        "fsdp_state_dict_type": "FULL_STATE_DICT",
        "fsdp_cpu_ram_efficient_loading": False,
        "fsdp_activation_checkpointing": False,
    }
    values = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP",
        "fsdp_config": settings,
        "mixed_precision": spec.precision if spec.precision in ("bf16", "fp16") else "bf16",
        "num_machines": 1,
        "num_processes": 2,
    }
    return yaml.safe_dump(values, sort_keys=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
