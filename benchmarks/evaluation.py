"""How quick answers are: in batches against one by one, and two adapters side by side against one after the other.

    python -m benchmarks.evaluation                 three rounds of 64 prompts × 64 tokens; 10 minutes on two cores

The embedded model answers, greedily, every prompt with exactly so many tokens (nothing ends an answer early). Each
measurement runs in a process of its own and counts from the loaded model on: seconds of answering, and the most memory
that the process held meanwhile. The variants take turns within a round, so that a machine that slows down does so for
all. Adapters are LoRA of rank 16 on all linear layers with random weights, unmerged; the answers of a batch that mixes
them are checked against those of each alone, and answers that differ are counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.decoding import Row
    from evaluation.sharing import SharedLoad

SINGLE, BATCHED = "one by one", "in one batch"
ONE, IN_TURN, TOGETHER = "one adapter", "two, one after the other", "two, side by side"
VARIANTS = (SINGLE, BATCHED, ONE, IN_TURN, TOGETHER)
THINGS = ("a lighthouse", "two old friends", "a very slow train", "the last apple of the year")


@dataclass(frozen=True)
class Settings:
    """What is asked: prompts and tokens of the first comparison, prompts of the second (with as many tokens)."""

    prompts: int
    tokens: int
    pairs: int
    precision: str


@dataclass(frozen=True)
class Run:
    """One measurement: seconds of answering, tokens written, the most bytes held, how many of them the libraries took
    before a model was loaded, and each answer's tokens."""

    seconds: float
    tokens: int
    peak_bytes: int
    libraries_bytes: int
    answers: list[str]


def make_adapters(folder: Path) -> None:
    """Two LoRA adapters of the embedded model with random weights, in folders 1 and 2."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from models.reference import resolve

    base = resolve("embedded").folder
    for number in (1, 2):
        torch.manual_seed(number)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=16, target_modules="all-linear"))
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
        adapted.save_pretrained(folder / str(number))
        AutoTokenizer.from_pretrained(base).save_pretrained(folder / str(number))


def measure(variant: str, adapters: Sequence[Path], settings: Settings) -> Run:
    """One variant, in this process."""
    import peft  # noqa: F401 - counted as a library, before the model is
    import psutil

    import evaluation.growing_cache  # noqa: F401 - so is what it imports
    from evaluation.costs import CostMeter
    from evaluation.decoding import Sampling, decode
    from evaluation.sharing import SharedLoad
    from models.reference import ResolvedModel, resolve

    base = resolve("embedded").folder
    count = {ONE: 1, IN_TURN: 2, TOGETHER: 2}.get(variant, 0)
    files = [ResolvedModel("m", base, adapter) for adapter in adapters[:count]] or [ResolvedModel("m", base)]
    libraries = int(psutil.Process().memory_info().rss)
    shared = SharedLoad(files, quantisation="none", precision=settings.precision)  # type: ignore[arg-type]
    batches = batches_of(variant, shared, files, settings)
    decode(shared.loaded, [batches[0][0]], max_new_tokens=2, sampling=Sampling())
    batches[0][0].answer.clear()
    seconds = 0.0
    with CostMeter("process").stretch() as reading:
        for batch in batches:
            seconds += decode(shared.loaded, batch, max_new_tokens=settings.tokens, sampling=Sampling()).whole
    rows = [row for batch in batches for row in batch]
    answers = [" ".join(map(str, row.answer)) for row in rows]
    peak = reading().peak_memory_bytes or 0
    return Run(seconds, sum(len(row.answer) for row in rows), peak, libraries, answers)


def batches_of(variant: str, shared: SharedLoad, files: Sequence[object], settings: Settings) -> list[list[Row]]:
    """The rows that share a batch. Prompts differ in length, as real ones do."""
    from evaluation.decoding import Row

    def rows(prompts: int, adapter: str | None) -> list[Row]:
        texts = [f"Tell me about {'really ' * (number % 5)}{THINGS[number % 4]}." for number in range(prompts)]
        asked = [[{"role": "user", "content": f"{text} Story {number}."}] for number, text in enumerate(texts)]
        return [Row(shared.loaded.tokenizer.encode_prompt(each), frozenset(), adapter=adapter) for each in asked]

    if variant in (SINGLE, BATCHED):
        one = rows(settings.prompts, None)
        return [[row] for row in one] if variant == SINGLE else [one]
    by_adapter = [rows(settings.pairs, shared.adapter_name(each)) for each in files]  # type: ignore[arg-type]
    return by_adapter if variant in (ONE, IN_TURN) else [[row for each in by_adapter for row in each]]


def run_apart(variant: str, adapters: Sequence[Path], settings: Settings) -> Run:
    """One variant, in a process of its own."""
    given = json.dumps({"variant": variant, "adapters": [str(path) for path in adapters], **asdict(settings)})
    return Run(**json.loads(apart("--worker", given).splitlines()[-1]))


def apart(*arguments: str) -> str:
    """What this module prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.evaluation", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def worker(given: str) -> None:
    """Print one measurement as JSON."""
    values = json.loads(given)
    variant, adapters = values.pop("variant"), [Path(path) for path in values.pop("adapters")]
    print(json.dumps(asdict(measure(variant, adapters, Settings(**values)))))


def table(runs: dict[str, list[Run]]) -> str:
    """The figures as Markdown: medians, and from lowest to highest."""
    lines = ["| answers | seconds (median, range) | tokens/s | most memory, MB (range) |", "|---|---|---|---|"]
    for name, each in runs.items():
        seconds, peaks = [run.seconds for run in each], [run.peak_bytes / 1e6 for run in each]
        middle = statistics.median(seconds)
        lines.append(
            f"| {name} | {middle:.1f} ({min(seconds):.1f} to {max(seconds):.1f}) | {each[0].tokens / middle:.0f} "
            f"| {statistics.median(peaks):.0f} ({min(peaks):.0f} to {max(peaks):.0f}) |"
        )
    return "\n".join(lines)


def ratios(runs: dict[str, list[Run]]) -> dict[str, float]:
    """The figures that matter, from medians over the rounds."""
    seconds = {name: statistics.median(run.seconds for run in each) for name, each in runs.items()}
    peaks = {name: statistics.median(run.peak_bytes for run in each) for name, each in runs.items()}
    own = {name: statistics.median(run.peak_bytes - run.libraries_bytes for run in each) for name, each in runs.items()}
    return {
        "batched, times as quick as one by one": seconds[SINGLE] / seconds[BATCHED],
        "answers that differ between the two": differing(runs[SINGLE][0], runs[BATCHED][0]),
        "side by side, share of the time one after the other": seconds[TOGETHER] / seconds[IN_TURN],
        "side by side, times the memory of one adapter": peaks[TOGETHER] / peaks[ONE],
        "the same without what the libraries take": own[TOGETHER] / own[ONE],
        "answers that differ between side by side and one after the other": differing(
            runs[TOGETHER][0], runs[IN_TURN][0]
        ),
    }


def differing(first: Run, second: Run) -> float:
    return float(sum(one != other for one, other in zip(first.answers, second.answers, strict=True)))


def main() -> None:
    """Run the rounds, print the table and the ratios."""
    parser = argparse.ArgumentParser(description="Batched answers, and adapters side by side, on the embedded model.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=1, help="prompts that both adapters answer")
    parser.add_argument("--precision", default="fp32", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--json", type=Path, help="also write every run's figures here")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--make-adapters", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    if options.make_adapters:
        make_adapters(options.make_adapters)
        return
    settings = Settings(options.prompts, options.tokens, options.pairs, options.precision)
    runs: dict[str, list[Run]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        apart("--make-adapters", folder)
        adapters = [Path(folder) / "1", Path(folder) / "2"]
        for number in range(options.rounds):
            for variant in VARIANTS:
                runs[variant].append(run_apart(variant, adapters, settings))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr, flush=True)
    found = ratios(runs)
    print(
        f"{settings.prompts} prompts alone or together, {settings.pairs} for two adapters, {settings.tokens} tokens "
        f"each, {settings.precision}, {options.rounds} rounds\n"
    )
    print(table(runs), "", *(f"{name}: {value:.2f}" for name, value in found.items()), sep="\n")
    if options.json:
        each_run = {name: [asdict(run) | {"answers": None} for run in each] for name, each in runs.items()}
        options.json.write_text(json.dumps({"settings": asdict(settings), "ratios": found, "runs": each_run}, indent=1))


if __name__ == "__main__":
    main()
