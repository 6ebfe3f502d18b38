"""Workers in which something goes wrong, and workers that start at once: for tests alone.

    python -m tests.trainer.faulty_worker SOCKET             imports everything once, then forks a worker per job
    python tests/trainer/faulty_worker.py SOCKET FAULTS JOB  what a launcher runs: asks for one, waits for its end

A forked worker is a process of its own, in a session of its own, with the job's log as output, as one that a launcher
starts is. FAULTS is a JSON object; each of its keys is a function in FAULTS below that patches a library before the
job begins.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

IMPORTED = ("peft", "trl", "datasets", "evaluation.generate", "trainer.job", "models.backends.peft", "jobs.worker")
# What a checkpoint of the tiny model holds.
CHECKPOINT_BYTES = 3_980_000

Function = Callable[..., Any]


def ask(server: str, faults: str, job: str) -> int:
    """The launcher's side: start a worker for `job`, and end when it ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server)
        connection.sendall(json.dumps({"faults": json.loads(faults), "job": job}).encode() + b"\n")
        connection.recv(1)  # closed by the worker's end, however it came
    return 0


def serve(address: str) -> None:
    """Fork workers until killed. Only imports happen here: nothing that a fork could not take along."""
    for module in IMPORTED:
        importlib.import_module(module)
    # trl imports its parts only when they are asked for.
    importlib.import_module("trl").SFTTrainer  # noqa: B018
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        while True:
            connection, _ = server.accept()
            request = json.loads(connection.makefile().readline())
            if os.fork() == 0:
                server.close()
                os._exit(_work(Path(request["job"]), request["faults"], connection))
            connection.close()


def _work(job: Path, faults: dict[str, Any], connection: socket.socket) -> int:
    from jobs.worker import main

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(job / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for name, options in faults.items():
        FAULTS[name](**options)
    try:
        return main(job)
    finally:
        sys.stdout.flush()
        connection.close()


def replace_method(owner: Any, name: str, make: Callable[[Function], Function]) -> None:
    """Put `make(the method)` in the method's place."""
    setattr(owner, name, make(getattr(owner, name)))


# Memory


def card(tokens: int, checkpointed: int | None = None) -> None:
    """A card that holds `tokens` tokens of a batch, or `checkpointed` of them with gradient checkpointing."""
    import torch
    from transformers import Trainer

    def make(compute_loss: Function) -> Function:
        def limited(self: Any, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
            held = checkpointed if checkpointed is not None and model.is_gradient_checkpointing else tokens
            if inputs["input_ids"].numel() > held:
                raise torch.OutOfMemoryError(f"CUDA out of memory with {inputs['input_ids'].numel()} tokens. Tried to")
            return compute_loss(self, model, inputs, *rest, **options)

        return limited

    # Through which every trainer of answers gets its loss.
    replace_method(Trainer, "compute_loss", make)


def full_at(moments: list[tuple[str, int]]) -> None:
    """Memory is full once at each moment: in an `evaluation`, the `backward` pass or the loss of a training `step`,
    as soon as so many steps were made."""
    import torch
    from accelerate import Accelerator  # type: ignore[import-untyped]
    from transformers import Trainer
    from trl import SFTTrainer

    left, made = list(moments), [0]

    def count(get_grad_norm: Function) -> Function:
        def counted(*given: Any, **options: Any) -> Any:
            made[0] += 1
            return get_grad_norm(*given, **options)

        return counted

    def failing_in(where: str) -> Callable[[Function], Function]:
        def make(method: Function) -> Function:
            def failing(*given: Any, **options: Any) -> Any:
                if left and left[0][0] == where and made[0] >= left[0][1]:
                    left.pop(0)
                    raise torch.OutOfMemoryError(f"CUDA out of memory in {where}. Tried to allocate 2.00 GiB")
                return method(*given, **options)

            return failing

        return make

    replace_method(Trainer, "_get_grad_norm", count)
    replace_method(SFTTrainer, "prediction_step", failing_in("evaluation"))
    replace_method(Trainer, "compute_loss", failing_in("step"))
    replace_method(Accelerator, "backward", failing_in("backward"))


def full_at_loading() -> None:
    """The model itself doesn't fit."""
    import torch

    from models.backends.peft import PeftBackend

    def failing(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    replace_method(PeftBackend, "load", lambda _: failing)


def count_models() -> None:
    """Says at each loading how many of the models that were loaded before are still in memory."""
    import weakref

    from trainer import job

    loaded: list[weakref.ref[Any]] = []

    def make(load: Function) -> Function:
        def counted(*given: Any, **options: Any) -> Any:
            print(f"models in memory before loading: {sum(each() is not None for each in loaded)}", flush=True)
            model = load(*given, **options)
            loaded.append(weakref.ref(model))
            return model

        return counted

    replace_method(job, "load_for_training", make)


# Values that are no numbers


def no_number(moments: list[tuple[str, int, int]]) -> None:
    """The `loss` or the `gradient` is no number at a step (counted from 1), for the first so many tries of it."""
    from transformers import Trainer

    left = {(what, step): times for what, step, times in moments}

    def make(training_step: Function) -> Function:
        def failing(self: Any, model: Any, *rest: Any, **options: Any) -> Any:
            loss = training_step(self, model, *rest, **options)
            for what in ("loss", "gradient"):
                moment = (what, self.state.global_step + 1)
                if left.get(moment, 0) == 0:
                    continue
                left[moment] -= 1
                if what == "loss":
                    return loss * float("nan")
                next(weight for weight in model.parameters() if weight.grad is not None).grad.fill_(float("inf"))
            return loss

        return failing

    replace_method(Trainer, "training_step", make)


# Death


def die() -> None:
    """As `kill -9` does it: no handler, no clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_saving(at: str, share: float = 0.0) -> None:
    """Killed in the next saving of a checkpoint: once `share` of its bytes are `written`, or `hashing`, or before or
    after it gets its final name (`publishing`, `published`), or after older ones were deleted (`pruned`)."""
    from trainer import loop

    if at == "written":
        replace_method(loop.SafeLoop, "_write_checkpoint", lambda write: _dying_at_share(write, share))
    elif at in ("hashing", "publishing"):
        name = {"hashing": "write_hashes", "publishing": "publish_folder"}[at]
        replace_method(loop, name, lambda _: _dying_instead)
    else:
        name = {"published": "publish_folder", "pruned": "prune"}[at]
        replace_method(loop, name, _dying_after)


def _dying_instead(*_: Any) -> None:
    die()


def _dying_after(function: Function) -> Function:
    def dying(*given: Any) -> None:
        function(*given)
        die()

    return dying


def _dying_at_share(write: Function, share: float) -> Function:
    import threading

    def watched(self: Any, folder: Path, *rest: Any) -> Any:
        def watch() -> None:
            # A file that is renamed while it is looked at: the saving is over, and the next is watched.
            with contextlib.suppress(FileNotFoundError):
                while sum(path.stat().st_size for path in (folder / ".saving").rglob("*")) < share * CHECKPOINT_BYTES:
                    time.sleep(0)
                die()

        threading.Thread(target=watch, daemon=True).start()
        return write(self, folder, *rest)

    return watched


def die_at_the_end(before: str) -> None:
    """Killed when the last step is done and saved: before the `result` or before the `manifest` is written."""
    import jobs.worker
    from trainer import result

    owner, name = (result, "save_result") if before == "result" else (jobs.worker, "_write_manifest")
    replace_method(owner, name, lambda _: _dying_instead)


def wait_at(steps: list[int], folder: str) -> None:
    """At the end of each of `steps`, before it is reported: leaves `waiting-STEP` in `folder`, waits for `go-STEP`."""
    from transformers import Trainer

    def make(log_save_evaluate: Function) -> Function:
        def waiting(self: Any, *rest: Any, **options: Any) -> Any:
            step = self.state.global_step
            if step in steps:
                Path(folder, f"waiting-{step}").touch()
                while not Path(folder, f"go-{step}").exists():
                    time.sleep(0.02)
            return log_save_evaluate(self, *rest, **options)

        return waiting

    replace_method(Trainer, "_maybe_log_save_evaluate", make)


FAULTS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (card, full_at, full_at_loading, count_models, no_number, die_saving, die_at_the_end, wait_at)
}


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    sys.exit(ask(*sys.argv[1:]))
