"""Several processes make one run: the rows of each step, the losses, one job's folder, stop and resume."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.directory import JobDirectory, State
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import publish_rows
from tests.trainer.conftest import sums
from tests.trainer.many import PROJECT, run_many
from trainer.distributed import fsdp_config, open_job
from trainer.plan import Plan
from trainer.rows import Rows
from trainer.sampler import EpochSampler
from trainer.spec import TrainSpec
from trainer.together import share_of, shared_rows

PLAN = Plan("peft", "fp32", 0.01, 10, 5, 8, 1, False, "padding_free", "adamw_torch_fused", 128)
# Two processes sum the same gradients in another order: 32-bit rounding, some 1e-7 of a loss of 10 in each step.
SAME = 1e-5


def items(count: int) -> Rows:
    rows = [{"input_ids": [number] * 3, "labels": [number] * 3, "row_lengths": [3]} for number in range(count)]
    return Rows(rows, [3] * count)


def dealt(order: list[int], batch: int, count: int) -> list[list[list[int]]]:
    """The batches of each process, as accelerate deals them."""
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    batches = BatchSampler(order, batch, drop_last=False)
    return [list(BatchSamplerShard(batches, count, place)) for place in range(count)]


@pytest.mark.parametrize(("batch", "accumulation", "count"), [(8, 1, 2), (4, 2, 2), (3, 4, 4), (8, 2, 4)])
@pytest.mark.parametrize("rows", [38, 33, 5, 48])
def test_every_step_of_several_processes_has_the_rows_of_one(
    batch: int, accumulation: int, count: int, rows: int
) -> None:
    plan = replace(PLAN, batch_size=batch, gradient_accumulation=accumulation)
    share, train = share_of(plan, count), items(rows)
    assert share.effective_batch * count == plan.effective_batch
    made, order = shared_rows(train, plan, 7, count)
    alone = EpochSampler(train.lengths, plan.effective_batch, 7, by_length=False).order(1)
    order.set_epoch(1)
    of_processes = dealt(list(order), share.batch_size, count)
    steps = -(-rows // plan.effective_batch)
    for step in range(steps):
        mine = slice(step * share.gradient_accumulation, (step + 1) * share.gradient_accumulation)
        taken = [row for batches in of_processes for each in batches[mine] for row in each]
        learned = [row for row in taken if any(label != -100 for label in made[row]["labels"])]
        assert sorted(learned) == sorted(alone[step * plan.effective_batch : (step + 1) * plan.effective_batch])
        assert len(taken) == plan.effective_batch == len(taken)
    assert {len(batches) for batches in of_processes} == {steps * share.gradient_accumulation}


def test_one_process_changes_neither_rows_nor_order() -> None:
    train = items(5)
    made, order = shared_rows(train, PLAN, 0, 1)
    assert made is train.items and type(order) is EpochSampler and share_of(PLAN, 1) == PLAN


def test_what_several_processes_cannot_do_is_refused_before_anything_is_written(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "spec.yaml"
    for options, words in (
        ({"optimisation": {"batch_size": 3, "gradient_accumulation": 5}}, "can't be shared by 2 processes"),
        ({"backend": "unsloth"}, "one process only"),
    ):
        path.write_text(yaml.safe_dump({"data": "sums", **options}))
        with pytest.raises(BadInput, match=words):
            open_job(path, None, workspace, 2)
    with pytest.raises(BadInput, match="a spec or --resume"):
        open_job(None, None, workspace, 2)
    assert workspace.list_jobs() == []


def test_fsdp_is_told_the_layers_of_the_model(tiny_model: Path) -> None:
    settings = yaml.safe_load(fsdp_config(tiny_model, TrainSpec(data="sums", precision="bf16")))
    assert settings["distributed_type"] == "FSDP"
    assert settings["fsdp_config"]["fsdp_transformer_layer_cls_to_wrap"] == "LlamaDecoderLayer"


def spec(model: Path, **saving: Any) -> dict[str, Any]:
    """Two epochs of 38 rows, 8 a step: the last step of each epoch has 6 rows."""
    return {
        "model": str(model),
        "data": "sums",
        "backend": "peft",
        "precision": "fp32",
        "max_length": 128,
        "optimisation": {"batch_size": 8, "epochs": 2, "learning_rate": 0.01},
        "saving": {"evaluate_rows": 4, "evaluate_every": 5, "samples": 1, **saving},
    }


def start(workspace: Workspace, *arguments: str, module: str = "trainer.distributed") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command += ["-m", module, *arguments, "--workspace", str(workspace.root)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str], job: JobDirectory | None = None) -> None:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, f"{output[-4000:]}\n{job.log_tail() if job else ''}"


def weights(job: JobDirectory) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(job.path / "adapter" / "adapter_model.safetensors"))


@pytest.mark.heavy
def test_two_processes_give_the_losses_and_the_adapter_of_one_and_stop_and_resume_together(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    import torch

    rows = sums(46)
    publish_rows(workspace, "sums", rows[:38], rows[38:])
    (alone,) = run_many(workspace, [spec(tiny_model)])
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec(tiny_model)))

    known = {job.id for job in workspace.list_jobs()}
    finish(start(workspace, str(path)))
    (together,) = [job for job in workspace.list_jobs() if job.id not in known]
    assert together.status().state is State.SUCCEEDED
    saved = {path.name for path in (together.path / "checkpoints" / "checkpoint-10").iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= saved, "there really were two"
    losses = [[event["loss"] for event in job.metrics() if "loss" in event] for job in (alone, together)]
    assert len(losses[0]) == 10
    assert losses[1] == pytest.approx(losses[0], abs=SAME)
    first, second = weights(alone), weights(together)
    assert first.keys() == second.keys()
    # The same rounding, a few times 1e-7 after ten steps; Adam could magnify it where a gradient is nearly zero.
    far = max(float((first[name] - second[name]).abs().max()) for name in first)
    assert far <= 1e-5, f"weights of up to 0.2 are {far} apart"

    known.add(together.id)
    process = start(workspace, str(path))
    stopped = _stop_in_the_middle(workspace, known, process)
    finish(process, stopped)
    assert stopped.status().state is State.STOPPED
    assert stopped.manifest is None
    finish(start(workspace, "--resume", stopped.id), stopped)
    assert stopped.status().state is State.SUCCEEDED
    again = weights(stopped)
    assert all(torch.equal(again[name], second[name]) for name in again), "as if it had not been stopped"


def _stop_in_the_middle(workspace: Workspace, known: set[str], process: subprocess.Popen[str]) -> JobDirectory:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        for job in workspace.list_jobs():
            if job.id not in known and any(event["step"] >= 3 for event in job.metrics()):
                job.request_stop()
                return job
        time.sleep(0.05)
    raise AssertionError(f"the run never came to step 3: {process.communicate()[0][-3000:]}")


@pytest.mark.heavy
def test_when_one_process_fails_all_end_and_the_job_says_why(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    rows = sums(46)
    publish_rows(workspace, "sums", rows[:38], rows[38:])
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec(tiny_model)))
    process = start(workspace, str(path), module="tests.trainer.faulty_process")
    output, _ = process.communicate(timeout=400)
    assert process.returncode != 0
    (job,) = workspace.list_jobs()
    status = job.status()
    assert (status.state, status.message) == (State.FAILED, "Process 1 of the run failed, so all were ended."), output
    assert "out of memory" in (status.error or "") and "smaller batch_size" in (status.hint or "")
