"""Speed and memory of training on this GPU: Hearth's backends against a bare PEFT script, and against the estimate.

    python -m benchmarks.gpu --out benchmarks/results                   all of it: hours on a small card
    python -m benchmarks.gpu --out benchmarks/results --minutes 10      the most important runs that fit this time
    python -m benchmarks.gpu --out benchmarks/results --resume          go on where an earlier call ended
    python -m benchmarks.gpu --out /tmp/look --tiny                     tiny shapes, a minute, also without a GPU

Models have the shapes of well-known ones (1B, 3B, 8B, 14B) with random weights: speed and memory don't depend on their
values, and nothing has to be downloaded. Three contestants train on the same filled rows with the same batch, length,
optimiser, adapter and gradient checkpointing, then each with its own best batch, also under caps of 8, 12 and 16 GB.
Each run is a process of its own, whose memory is read from outside. Results lie under the card's name in --out after
every run. Nothing else may use the card meanwhile.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_aims import aims
from benchmarks.gpu_models import PUBLISHED, write_rows
from benchmarks.gpu_plan import REAL, TINY, Result, Scale, Step, make_plan, next_setting
from benchmarks.gpu_report import Conditions, conditions_here, markdown, read_results, write_report
from benchmarks.gpu_runs import Bench, OutOfTime, run
from jobs.errors import BadInput
from jobs.lease import Lease
from models.hardware import GB, Hardware, probe

STEPS, TINY_STEPS = 12, 3
# No run takes that long unless it hangs.
LONGEST_RUN_SECONDS = 30 * 60.0


@dataclass(frozen=True)
class Time:
    """`end` of all runs, of time.monotonic."""

    end: float

    def has_room_for_another(self, results: list[Result]) -> bool:
        """Whether a run as long as the usual one would be done in time."""
        durations = sorted(result.seconds for result in results)
        usual = durations[len(durations) // 2] if durations else 0.0
        return time.monotonic() + usual < self.end

    @property
    def until(self) -> float:
        """When a run that begins now is ended."""
        return min(self.end, time.monotonic() + LONGEST_RUN_SECONDS)


def parse() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description="Speed and memory of training on this GPU.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--resume", action="store_true", help="go on with the results that are there")
    parser.add_argument("--minutes", type=float, help="end after this time; the most important runs come first")
    parser.add_argument("--models", default=",".join(PUBLISHED), help="only these of 1B,3B,8B,14B")
    parser.add_argument("--steps", type=int, help=f"of each run (default {STEPS})")
    parser.add_argument("--four-bit", action="store_true", help="write QLoRA's models in 4 bit: quicker, less disk")
    parser.add_argument("--work", type=Path, help="folder for models, kept (default: a temporary one)")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes, to see that everything runs")
    return parser


def main() -> None:
    """The command line: see the top of this file."""
    started = time.monotonic()
    parser = parse()
    chosen = parser.parse_args()
    hardware = probe()
    if not hardware.gpus and not chosen.tiny:
        parser.exit(2, "This machine has no NVIDIA GPU, which is what this benchmark measures. --tiny runs anywhere.\n")
    if hardware.gpus and (holder := Lease(hardware.resource).holder()) is not None:
        parser.exit(2, f"The card is in use by {holder.describe()}: nothing can be measured beside it.\n")
    # Ended from outside, it ends its run too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    steps = chosen.steps or (TINY_STEPS if chosen.tiny else STEPS)
    conditions = conditions_here(hardware, tiny=chosen.tiny, steps=steps, four_bit=chosen.four_bit)
    scale = TINY if chosen.tiny else REAL
    try:
        results = read_results(chosen.out, conditions) if chosen.resume else []
    except BadInput as error:
        parser.exit(2, f"{error}\n")
    plan = plan_for(scale, hardware, chosen.models.split(","))
    end = Time(started + 60 * chosen.minutes if chosen.minutes else float("inf"))
    with ExitStack() as stack:
        work = chosen.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hearth-gpu-")))
        bench = Bench(work.resolve(), steps, chosen.four_bit)
        results = measure(plan, results, bench, scale, conditions, end, chosen.out)
    print(markdown(conditions, results, aims(results, scale, on_card=conditions.counts), scale))


def plan_for(scale: Scale, hardware: Hardware, models: list[str]) -> list[Step]:
    """The plan for this machine, of these models; a tiny one is taken whole."""
    card_gb = hardware.gpus[0].memory_total / GB if hardware.gpus else None
    plan = make_plan(scale, card_gb)
    return plan if scale is TINY else [step for step in plan if step.setting.model in models]


def measure(
    plan: list[Step],
    results: list[Result],
    bench: Bench,
    scale: Scale,
    conditions: Conditions,
    end: Time,
    out: Path,
) -> list[Result]:
    """Run what is left of the plan until the time is over; write the report after every run."""
    results = list(results)
    if not bench.workspace.datasets.exists():
        write_rows(bench.workspace, 2 * scale.largest_batch, scale.longest)
    while True:
        setting = next_setting(plan, {result.setting: result for result in results}, scale.largest_batch)
        if setting is None:
            return results
        if not end.has_room_for_another(results):
            print("The time is over; --resume goes on.", file=sys.stderr)
            return results
        print(setting.describe(), file=sys.stderr, flush=True)
        try:
            result = run(bench, setting, end.until)
        except OutOfTime:
            if end.until >= end.end:
                print("The time is over; --resume goes on.", file=sys.stderr)
                return results
            result = Result(setting, LONGEST_RUN_SECONDS, problem="it did not end")
        results.append(result)
        write_report(out, conditions, results, scale)
        print(f"  {said(result)} ({result.seconds:.0f} s)", file=sys.stderr, flush=True)


def said(result: Result) -> str:
    """A result in a few words."""
    if not result.did_fit:
        return result.problem
    return f"{result.tokens_per_second:,.0f} tokens/s, {(result.peak or 0) / GB:.2f} GB"


if __name__ == "__main__":
    main()
