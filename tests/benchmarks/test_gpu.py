"""The GPU benchmark where there is no GPU: it says so, and its table tells ratios and failures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.gpu import Result, Setting, table

PROJECT = Path(__file__).resolve().parents[2]


def result(backend: str, speed: float | None, memory: float | None, problem: str = "") -> Result:
    return Result(Setting("1B", backend, "lora", 4, 1024), speed, memory, 60.0, 1.0 if speed else None, problem)


def test_the_table_gives_unsloth_as_a_ratio_to_plain_peft_of_the_same_setting() -> None:
    text = table([result("peft", 2000, 10.0), result("unsloth", 3000, 7.0)])
    assert "| 1B | lora | 4 × 1024 | unsloth | 3,000 | 7.0 GB | 1.50 × speed, 0.70 × memory |" in text
    assert "| peft | 2,000 | 10.0 GB |  |" in text


def test_a_run_that_failed_shows_its_problem_and_no_ratio() -> None:
    text = table([result("peft", None, None, "The GPU's memory is full: …"), result("unsloth", 3000, 7.0)])
    assert "| peft | The GPU's memory is full: … |  |  |" in text
    assert "× speed" not in text


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(tmp_path)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "no NVIDIA GPU" in done.stderr
    assert list(tmp_path.iterdir()) == []
