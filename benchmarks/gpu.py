"""Speed and memory of training on this GPU: both backends, LoRA and QLoRA, on models of common sizes.

    python -m benchmarks.gpu --out benchmarks/results            (several minutes; needs an NVIDIA GPU)

Weights are random, in the shapes of well-known models: speed and memory don't depend on their values, and nothing has
to be downloaded. The tokenizer is the embedded model's. Every figure comes from a real train job; tokens per second is
the median over the steps after the first five, memory the peak that PyTorch reserved.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.files import write_json, write_text
from jobs.workspace import Workspace
from models.hardware import probe
from models.reference import resolve

# hidden size, feed-forward size, layers, attention heads, key-value heads
SHAPES = {
    "1B": (2048, 8192, 16, 32, 8),
    "3B": (3072, 8192, 28, 24, 8),
    "8B": (4096, 14336, 32, 32, 8),
}
SKIPPED_STEPS = 5


@dataclass(frozen=True)
class Setting:
    """One run: `length` is the tokens of a row, every row is filled."""

    shape: str
    backend: str
    adapter: str
    batch_size: int
    length: int


@dataclass(frozen=True)
class Result:
    """What a run showed; figures are None where it failed, and `problem` says why."""

    setting: Setting
    tokens_per_second: float | None
    peak_memory_gb: float | None
    seconds: float
    final_loss: float | None
    problem: str = ""


def save_random_model(shape: str, folder: Path) -> None:
    """A Llama of that shape with random bfloat16 weights and the embedded model's tokenizer."""
    import shutil

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, feed_forward, layers, heads, key_values = SHAPES[shape]
    config = LlamaConfig(
        vocab_size=49152, hidden_size=hidden, intermediate_size=feed_forward, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=key_values, max_position_embeddings=8192,
        bos_token_id=1, eos_token_id=2, pad_token_id=2, dtype="bfloat16",
    )  # fmt: skip
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    torch.set_default_dtype(torch.float32)
    del model
    torch.cuda.empty_cache()
    embedded = resolve("embedded").folder
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy2(embedded / name, folder / name)


def write_dataset(workspace: Workspace, rows: int, words: int) -> None:
    """A dataset `filled` whose rows are longer than any setting's length, so that every batch is full."""
    generator = random.Random(0)
    source = workspace.root / "filled.jsonl"
    lines = []
    for number in range(rows):
        answer = " ".join(generator.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(words))
        messages = [{"role": "user", "content": f"Row {number}"}, {"role": "assistant", "content": answer}]
        lines.append(json.dumps({"messages": messages}) + "\n")
    write_text(source, "".join(lines))
    build(DatasetSpec.parse({"name": "filled", "sources": [{"path": str(source)}], "eval_fraction": 0.05}), workspace)


def measure(setting: Setting, model: Path, workspace: Workspace, steps: int) -> Result:
    """Run one train job and read its figures."""
    spec = {
        "model": str(model), "data": "filled", "backend": setting.backend, "max_length": setting.length,
        "method": {"adapter": setting.adapter},
        "optimisation": {"batch_size": setting.batch_size, "max_steps": steps, "gradient_checkpointing": True},
        "saving": {"evaluate_rows": 0, "checkpoint_every": 1000},
    }  # fmt: skip
    started = time.monotonic()
    job = launcher.start(workspace, "train", spec, title=str(setting), resource=probe().resource)
    while job.status().state.active:
        time.sleep(0.2)
    seconds = round(time.monotonic() - started, 1)
    status = job.status()
    if status.state is not State.SUCCEEDED or job.manifest is None:
        return Result(setting, None, None, seconds, None, f"{status.error or status.message}")
    figures = job.manifest["figures"]
    return Result(setting, round(_speed(job)), figures["gpu_memory_gb"], seconds, round(figures["final_loss"], 3))


def _speed(job: JobDirectory) -> float:
    speeds = [event["tokens_per_second"] for event in job.metrics() if "tokens_per_second" in event]
    return float(statistics.median(speeds[SKIPPED_STEPS:]))


def table(results: list[Result]) -> str:
    """The results as a Markdown table, with each Unsloth run's ratio to plain PEFT."""
    lines = [
        "| model | method | batch × tokens | backend | tokens/s | peak memory | against PEFT |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        setting = result.setting
        plain = next((other for other in results if other.setting == _plain(setting)), None)
        speed = f"{result.tokens_per_second:,}" if result.tokens_per_second else result.problem.splitlines()[0][:60]
        memory = f"{result.peak_memory_gb:.1f} GB" if result.peak_memory_gb else ""
        lines.append(
            f"| {setting.shape} | {setting.adapter} | {setting.batch_size} × {setting.length} | {setting.backend} "
            f"| {speed} | {memory} | {_ratio(result, plain)} |"
        )
    return "\n".join(lines) + "\n"


def _plain(setting: Setting) -> Setting:
    return Setting(**{**asdict(setting), "backend": "peft"})


def _ratio(result: Result, plain: Result | None) -> str:
    if plain is None or plain is result or not (result.tokens_per_second and plain.tokens_per_second):
        return ""
    memory = (result.peak_memory_gb or 0) / (plain.peak_memory_gb or 1)
    return f"{result.tokens_per_second / plain.tokens_per_second:.2f} × speed, {memory:.2f} × memory"


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Speed and memory of training on this GPU.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shapes", default="1B,8B")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=4)
    chosen = parser.parse_args()
    hardware = probe()
    if not hardware.gpus:
        parser.exit(2, "This machine has no NVIDIA GPU, which is what this benchmark measures.\n")
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        write_dataset(workspace, rows=chosen.steps * chosen.batch_size * 2, words=chosen.length + 200)
        for shape in chosen.shapes.split(","):
            model = Path(folder) / shape
            save_random_model(shape, model)
            for adapter in ("lora", "qlora"):
                for backend in ("peft", "unsloth"):
                    setting = Setting(shape, backend, adapter, chosen.batch_size, chosen.length)
                    results.append(measure(setting, model, workspace, chosen.steps))
                    print(results[-1], flush=True)
                    _write(chosen.out, hardware.gpus[0].name, hardware.gpus[0].driver, results)
    print(table(results))


def _write(out: Path, card: str, driver: str, results: list[Result]) -> None:
    """Everything so far, so that an interrupted run leaves what it had."""
    import torch

    name = card.lower().replace(" ", "-")
    known: dict[str, Any] = {
        "card": card, "driver": driver, "python": platform.python_version(), "torch": torch.__version__,
        "measured": time.strftime("%Y-%m-%d"), "results": [asdict(result) for result in results],
    }  # fmt: skip
    write_json(out / f"{name}.json", known)
    write_text(
        out / f"{name}.md", f"Measured on {card}, {known['measured']}, torch {torch.__version__}.\n\n{table(results)}"
    )


if __name__ == "__main__":
    main()
