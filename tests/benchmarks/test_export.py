"""The benchmark runs on a small shape, compares what both contestants wrote, and says which promises are broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import export
from benchmarks.export import HEARTH, LLAMA_CPP, PEFT, SHAPES, Run, broken_promises

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.slow
def test_a_small_run_prints_a_table_and_writes_its_figures(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.export", "--shape", "small", "--rounds", "1"]
    command += ["--folder", str(tmp_path), "--json", str(tmp_path / "figures.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=export.PROJECT)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| merge, 4 layers | Hearth |" in done.stdout
    assert "| F16 to Q4_K_M | Hearth |" in done.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [run["seconds"] > 0 for run in figures["whole"][PEFT]] == [True]
    assert figures["half"][HEARTH][0]["peak_megabytes"] < 150
    assert [file.name for file in tmp_path.iterdir()] == ["figures.json"]


def test_memory_of_a_process_is_seen() -> None:
    held = "import time; held = bytearray(80_000_000); time.sleep(0.1); print(1.5, 0.5)"
    run = export.run_process(held, [])
    assert (run.seconds, run.core_seconds) == (1.5, 0.5)
    assert 80 < run.peak_megabytes < 100
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        export.run_process("1 / 0", [])


def runs(**seconds_and_memory: tuple[float, float]) -> dict[str, list[Run]]:
    names = {"hearth": HEARTH, "peft": PEFT, "llama_cpp": LLAMA_CPP}
    return {names[name]: [Run(seconds, seconds, memory)] for name, (seconds, memory) in seconds_and_memory.items()}


def test_broken_promises_are_named() -> None:
    half, whole = runs(hearth=(1.0, 60.0)), runs(hearth=(5.0, 65.0), peft=(12.0, 2600.0))
    quantised = runs(hearth=(10.0, 40.0), llama_cpp=(9.0, 300.0))
    assert broken_promises(half, whole, quantised) == []
    assert broken_promises(
        half, runs(hearth=(7.0, 160.0), peft=(12.0, 0.0)), runs(hearth=(10.0, 0), llama_cpp=(7.9, 0))
    ) == [
        "Merging takes 160 MB of anonymous memory.",
        "Memory grows with the layers: 60 MB, then 160 MB.",
        "Merging takes 0.58 of PEFT's time.",
        "Quantising has 0.79 of llama.cpp's speed.",
    ]


def test_each_contestant_begins_in_turn() -> None:
    assert export._in_turn(("a", "b"), 0) == ("a", "b")
    assert export._in_turn(("a", "b"), 1) == ("b", "a")


def test_the_measured_shape_is_a_model_of_a_billion() -> None:
    assert 1.0e9 < SHAPES["1b"].parameters < 1.2e9
