"""What a run says while it goes: figures of every step, progress with the time left, and the stop that saves first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from jobs.context import JobContext


class CountingCollator:
    """Counts the real (unpadded) tokens that pass through another collator."""

    def __init__(self, collator: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> None:
        self._collator = collator
        self.tokens = 0

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        self.tokens += sum(len(example["input_ids"]) for example in examples)
        return self._collator(examples)


class StepClock:
    """Tokens per second of the last step, and the seconds that the rest will take."""

    def __init__(self, count_tokens: Callable[[], int]) -> None:
        self._count_tokens = count_tokens
        self._tokens = 0
        self._time = time.monotonic()
        self._durations: list[float] = []

    def begin(self) -> None:
        self._tokens = self._count_tokens()
        self._time = time.monotonic()

    def tokens_per_second(self) -> float:
        """Of the step since the last call of this or of `begin`."""
        now, tokens = time.monotonic(), self._count_tokens()
        duration, new = now - self._time, tokens - self._tokens
        self._time, self._tokens = now, tokens
        self._durations.append(duration)
        return new / duration if duration > 0 else 0.0

    def seconds_left(self, steps: int) -> float:
        """For `steps` more, judging by the last twenty (the very first is slow and not like the others)."""
        recent = self._durations[1:][-20:] or self._durations
        return steps * sum(recent) / len(recent) if recent else 0.0


def memory_gb() -> dict[str, float]:
    """Peak GPU memory of this process where there is a GPU, else the memory it holds, in GB."""
    import torch

    if torch.cuda.is_available():
        return {"gpu_memory_gb": torch.cuda.max_memory_reserved() / 1e9}
    return {"memory_gb": psutil.Process().memory_info().rss / 1e9}


def make_callback(context: JobContext, collator: CountingCollator) -> Any:
    """A transformers TrainerCallback that reports to the job and carries out a stop."""
    from transformers import TrainerCallback

    clock = StepClock(lambda: collator.tokens)

    class Report(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            clock.begin()

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:  # noqa: ARG002
            if "loss" in logs:
                figures = _step_figures(logs, clock)
                context.metric(state.global_step, **figures)
                _report_progress(context, state, figures, clock)
            elif "eval_loss" in logs:
                context.metric(state.global_step, eval_loss=logs["eval_loss"])

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002
            if context.should_stop():
                control.should_save = True
                control.should_training_stop = True
            return control

    return Report()


def _step_figures(logs: dict[str, float], clock: StepClock) -> dict[str, float]:
    return {
        "loss": logs["loss"],
        "learning_rate": logs["learning_rate"],
        "grad_norm": float(logs.get("grad_norm", 0.0)),
        "epoch": logs["epoch"],
        "tokens_per_second": clock.tokens_per_second(),
        **memory_gb(),
    }


def _report_progress(context: JobContext, state: Any, figures: dict[str, float], clock: StepClock) -> None:
    done, total = state.global_step, state.max_steps
    message = (
        f"Training step {done} of {total} · loss {figures['loss']:.3f} · {figures['tokens_per_second']:.0f} tokens/s"
    )
    context.progress(done / total, message, eta_seconds=clock.seconds_left(total - done))
