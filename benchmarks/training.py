"""How quick training is on a CPU, against a bare TRL script on the same rows in the same order.

    python -m benchmarks.training --rows ../shared/data/alpaca_en_demo.json      three rounds; 10 minutes

Three contestants take turns, each in a process of its own: TRL's SFTTrainer as its documentation shows it (padding),
Hearth's worker with the same settings (padding too), and Hearth's worker with its own defaults. All train the same
LoRA adapter on SmolLM2 with the same rows in each step, so that every step learns the same tokens. Counted are the
rows' own tokens, over the seconds from the end of the first step to the end of the last.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from datasets_src.tokens import fit_length, tokenised_rows
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from models.reference import resolve
from trainer.sampler import EpochSampler

# Looking at the job takes time from the cores that train.
WATCH_SECONDS = 3.0
PROJECT = Path(__file__).resolve().parent.parent
BATCH, LENGTH, RATE = 4, 512, 2e-4
BARE, SAME, DEFAULTS = "bare TRL script", "Hearth, same settings", "Hearth, its defaults"
ORDER = (BARE, SAME, DEFAULTS)

# What a person would write by TRL's documentation, on rows that are tokens with labels already.
SCRIPT = """
import json, sys, time
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

model_folder, rows, out, steps, batch, rate, seed = sys.argv[1:8]
rows = [json.loads(line) for line in open(rows)]
torch.manual_seed(int(seed))

class Clock(TrainerCallback):
    times, losses = [], []
    def on_step_end(self, *_, **__):
        self.times.append(time.monotonic())
    def on_log(self, args, state, control, logs, **_):
        if "loss" in logs:
            self.losses.append(logs["loss"])

trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.bfloat16),
    args=SFTConfig(
        output_dir=out, max_steps=int(steps), per_device_train_batch_size=int(batch), learning_rate=float(rate),
        lr_scheduler_type="cosine", bf16=True, use_cpu=True, logging_steps=1, save_strategy="no", report_to=[],
        gradient_checkpointing=False, max_length=None, dataset_kwargs={"skip_prepare_dataset": True},
        train_sampling_strategy="sequential", seed=int(seed), disable_tqdm=True, dataloader_pin_memory=False,
    ),
    train_dataset=Dataset.from_list(rows),
    processing_class=AutoTokenizer.from_pretrained(model_folder),
    peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"),
    callbacks=[clock := Clock()],
)
trainer.train()
json.dump({"times": clock.times, "losses": clock.losses}, open(out + "/result.json", "w"))
"""


@dataclass(frozen=True)
class Run:
    """One run: rows' own tokens a second, the loss of each step, and their share of the tokens computed with."""

    tokens_per_second: float
    losses: list[float]
    real_share: float


@dataclass(frozen=True)
class Material:
    """What all runs share; `order` are the rows as Hearth trains them."""

    workspace: Workspace
    model: Path
    data: str
    lengths: list[int]
    rows: list[dict[str, Any]]


def prepare(rows: Path, folder: Path) -> Material:
    """Build the dataset, every row for training, and tokenise it."""
    workspace = Workspace(folder / "workspace")
    spec = {"name": "rows", "sources": [{"path": str(rows.resolve()), "part": "train"}], "near_duplicates": None}
    version = build(DatasetSpec.parse(spec), workspace)
    model = resolve("embedded").folder
    fitting = fit_length(tokenised_rows(version, "train", ChatTokenizer.load(model), workspace), LENGTH).rows
    items = [{"input_ids": row.input_ids, "labels": row.labels} for row in fitting]
    return Material(workspace, model, version.id, [len(row.input_ids) for row in fitting], items)


def order_of(material: Material, seed: int, steps: int) -> list[int]:
    """The rows of the first steps, as Hearth draws them for this seed."""
    return EpochSampler(material.lengths, BATCH, seed, by_length=False).order(0)[: steps * BATCH]


def tokens_after_first_step(material: Material, seed: int, steps: int) -> int:
    return sum(material.lengths[row] for row in order_of(material, seed, steps)[BATCH:])


def run_bare(material: Material, folder: Path, steps: int, seed: int) -> Run:
    """The bare script, in a process of its own."""
    order = order_of(material, seed, steps)
    folder.mkdir(parents=True)
    (folder / "script.py").write_text(SCRIPT)
    (folder / "rows.jsonl").write_text("".join(json.dumps(material.rows[row]) + "\n" for row in order))
    arguments = [material.model, folder / "rows.jsonl", folder, steps, BATCH, RATE, seed]
    command = [sys.executable, str(folder / "script.py"), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads((folder / "result.json").read_text())
    seconds = result["times"][-1] - result["times"][0]
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    computed = sum(max(material.lengths[row] for row in batch) * BATCH for batch in batches)
    share = sum(material.lengths[row] for row in order) / computed
    return Run(tokens_after_first_step(material, seed, steps) / seconds, result["losses"], share)


def run_hearth(material: Material, batching: str, backend: str, steps: int, seed: int) -> Run:
    """A train job as the page would start it."""
    spec = {
        "model": "embedded",
        "data": material.data,
        "max_length": LENGTH,
        "seed": seed,
        "backend": backend,
        "optimisation": {
            "batch_size": BATCH,
            "max_steps": steps,
            "learning_rate": RATE,
            "warmup_ratio": 0.0,
            "batching": batching,
        },
        "saving": {"checkpoint_every": 10_000, "evaluate_rows": 0, "samples": 0},
    }
    job = launcher.start(material.workspace, "train", spec, title="benchmark", resource="cpu")
    wait(job)
    steps_done = [event for event in job.metrics() if "loss" in event]
    seconds = steps_done[-1]["time"] - steps_done[0]["time"]
    manifest = job.manifest or {}
    return Run(
        tokens_after_first_step(material, seed, steps) / seconds,
        [event["loss"] for event in steps_done],
        manifest["figures"]["real_token_share"],
    )


def run(name: str, material: Material, folder: Path, steps: int, seed: int) -> Run:
    """One contestant's run. `folder`: where the bare script may write."""
    if name == BARE:
        return run_bare(material, folder, steps, seed)
    batching, backend = ("padded", "peft") if name == SAME else ("auto", "auto")
    return run_hearth(material, batching, backend, steps, seed)


def wait(job: JobDirectory) -> None:
    """Until the job is done; raises with its log when it failed."""
    import time

    while launcher.observe(job).state.active:
        time.sleep(WATCH_SECONDS)
    if job.status().state is not State.SUCCEEDED:
        raise RuntimeError(job.log_tail())


def table(runs: dict[str, list[Run]]) -> str:
    """The figures as Markdown: medians, and from lowest to highest; ratios are those within a round."""
    heads = ["contestant", "tokens/s (median, range)", "of bare in the same round (median, range)"]
    heads += ["loss of the last third (mean, range over seeds)", "real tokens"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, each in runs.items():
        rates = [run.tokens_per_second for run in each]
        ratios = [rate / bare.tokens_per_second for rate, bare in zip(rates, runs[BARE], strict=True)]
        last = [statistics.mean(run.losses[-max(1, len(run.losses) // 3) :]) for run in each]
        cells = [
            name,
            f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            f"{statistics.mean(last):.3f} ({min(last):.3f} to {max(last):.3f})",
            f"{100 * statistics.mean(run.real_share for run in each):.1f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the rounds, print the table."""
    parser = argparse.ArgumentParser(description="Hearth's training against a bare TRL script, on a CPU.")
    parser.add_argument("--rows", type=Path, required=True, help="instruction rows in any format Hearth reads")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write every run's figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        material = prepare(options.rows, Path(folder))
        runs: dict[str, list[Run]] = {BARE: [], SAME: [], DEFAULTS: []}
        for seed in range(options.rounds):
            # Each begins a round in turn: what the machine does meanwhile favours nobody.
            for name in ORDER[seed % 3 :] + ORDER[: seed % 3]:
                runs[name].append(run(name, material, Path(folder) / f"bare{seed}", options.steps, seed))
            print(f"round {seed + 1} of {options.rounds} done", file=sys.stderr, flush=True)
    print(f"{len(material.rows)} rows, {options.rounds} rounds of {options.steps} steps of {BATCH} rows\n")
    print(table(runs))
    if options.json:
        options.json.write_text(
            json.dumps({name: [vars(run) for run in each] for name, each in runs.items()}, indent=1)
        )


if __name__ == "__main__":
    main()
