"""What a run says while it goes: figures of every step, progress with the time left, measured loss in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import psutil

from jobs.context import JobContext
from trainer import together
from trainer.checkpoints import best_step, rises_since_best
from trainer.monitor import Collapse, Monitor
from trainer.rows import HELD_OUT
from trainer.trackers import Trackers

# TRL's names for figures of preference training, and ours.
PREFERENCE = {"rewards/margins": "rewards_margin", "rewards/accuracies": "rewards_accuracy"}
RISES_BEFORE_SAID = 2


@dataclass
class Watch:
    """What watches a run from outside: the machine, other places where curves go, and the early stop's patience."""

    monitor: Monitor
    trackers: Trackers
    patience: int | None
    collapse: Collapse = field(default_factory=Collapse)


class StepClock:
    """Tokens per second of the last step, and the seconds that the rest will take."""

    def __init__(self, count_tokens: Callable[[], int]) -> None:
        self._count_tokens = count_tokens
        self._tokens = 0
        self._time = time.monotonic()
        self._durations: list[float] = []
        self._measurements: list[float] = []
        self._measuring_since: float | None = None
        self.last_tokens = 0
        self.last_seconds = 0.0

    def begin(self) -> None:
        """Start anew: what was done since the last step is no part of the next."""
        self._tokens = self._count_tokens()
        self._time = time.monotonic()

    def tokens_per_second(self) -> float:
        """Of the step since the last call of this or of `begin`."""
        now, tokens = time.monotonic(), self._count_tokens()
        self.last_seconds, self.last_tokens = now - self._time, tokens - self._tokens
        self._time, self._tokens = now, tokens
        self._durations.append(self.last_seconds)
        return self.last_tokens / self.last_seconds if self.last_seconds > 0 else 0.0

    def measures(self) -> None:
        """A measurement on held-out rows goes on, or begins."""
        self._measuring_since = self._measuring_since or time.monotonic()

    def measured(self) -> None:
        """It is over, with all that belongs to it."""
        if self._measuring_since is not None:
            self._measurements.append(time.monotonic() - self._measuring_since)
        self._measuring_since = None

    def seconds_left(self, steps: int, measurements: int = 0) -> float:
        """For `steps` more, judging by the last twenty (the very first is slow and not like the others), and for so
        many more measurements, of which a first one has to tell how long they take.
        """
        recent = self._durations[1:][-20:] or self._durations
        left = steps * fmean(recent) if recent else 0.0
        return left + (measurements * fmean(self._measurements) if self._measurements else 0.0)


def memory_gb() -> dict[str, float]:
    """Peak GPU memory of this process where there is a GPU, else the memory it holds, in GB."""
    import torch

    if torch.cuda.is_available():
        return {"gpu_memory_gb": torch.cuda.max_memory_reserved() / 1e9}
    return {"memory_gb": psutil.Process().memory_info().rss / 1e9}


def make_callback(
    context: JobContext, count_tokens: Callable[[], int], watch: Watch, answer_samples: Callable[[int], None]
) -> Any:
    """A transformers TrainerCallback that reports to the job and carries out a stop. `answer_samples` gets the step."""
    from transformers import TrainerCallback

    # Several processes work on as much each.
    clock = StepClock(lambda: count_tokens() * together.processes())

    class Report(TrainerCallback):  # type: ignore[misc]
        _told: tuple[int, str] | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            clock.begin()

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:  # noqa: ARG002
            if not state.is_world_process_zero:
                return
            if "loss" in logs:
                figures = step_figures(logs, clock, watch)
                context.metric(state.global_step, **figures)
                watch.trackers.log(state.global_step, figures)
                speed = f"loss {figures['loss']:.3f} · {figures['tokens_per_second']:.0f} tokens/s"
                _report_progress(context, args, state, speed, clock)
                _notice_collapse(context, state.global_step, clock, watch)
            elif held_out := evaluation_figures(logs):
                context.metric(state.global_step, **held_out)
                watch.trackers.log(state.global_step, held_out)

        def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            clock.measures()
            self._tell(args, state, "measuring the loss on held-out rows")

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> Any:
            loss = metrics.get(f"eval_{HELD_OUT}_loss")
            if loss is not None:
                self._tell(args, state, "answering a few held-out questions")
                answer_samples(state.global_step)
                _judge(context, state, control, loss, watch.patience)
            clock.measured()
            clock.begin()
            return control

        def _tell(self, args: Any, state: Any, doing: str) -> None:
            """What is done between two steps: without a word a page would seem to hang."""
            if state.is_world_process_zero and self._told != (state.global_step, doing):
                self._told = state.global_step, doing
                _report_progress(context, args, state, doing, clock)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            clock.begin()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002
            if together.agree(context.should_stop()):
                control.should_save = True
                control.should_training_stop = True
            return control

    return Report()


def step_figures(logs: dict[str, float], clock: StepClock, watch: Watch) -> dict[str, float]:
    """The figures of a training step, machine included."""
    return {
        "loss": logs["loss"],
        "learning_rate": logs["learning_rate"],
        "grad_norm": float(logs.get("grad_norm", 0.0)),
        "epoch": logs["epoch"],
        "tokens_per_second": clock.tokens_per_second(),
        **{ours: logs[theirs] for theirs, ours in PREFERENCE.items() if theirs in logs},
        **watch.monitor.figures(),
        **memory_gb(),
    }


def evaluation_figures(logs: dict[str, float]) -> dict[str, float]:
    """Measured loss as `eval_loss`, that of a further dataset as `eval_loss/NAME`; margins of pairs likewise."""
    figures = {}
    for key, value in logs.items():
        if not key.startswith("eval_") or not key.endswith("_loss"):
            continue
        name = key.removeprefix("eval_").removesuffix("_loss")
        beside = "" if name == HELD_OUT else f"/{name}"
        figures[f"eval_loss{beside}"] = value
        for theirs, ours in PREFERENCE.items():
            found = logs.get(f"eval_{name}_{theirs}", logs.get(f"eval_{theirs}"))
            if found is not None:
                figures[f"eval_{ours}{beside}"] = found
    return figures


def _judge(context: JobContext, state: Any, control: Any, loss: float, patience: int | None) -> None:
    """Keep the best weights; say when the loss rises; stop when it has risen for long enough."""
    if state.best_metric is None or loss < state.best_metric:
        state.best_metric, state.best_global_step = loss, state.global_step
        control.should_save = True
        return
    best = best_step(state)
    rises = rises_since_best(state)
    if rises == RISES_BEFORE_SAID:
        context.log(
            f"The loss on held-out rows no longer falls: {state.best_metric:.3f} at step {best}, {loss:.3f} now. What "
            f"is still learned are the training rows themselves. Stop, or use step {best}: it is kept, and "
            f"`job:{context.path.name}@{best}` names it wherever a model is asked for."
        )
    if patience is not None and rises >= patience and not control.should_training_stop:
        context.log(f"Stopping early: {rises} measurements in a row were no better than step {best}.")
        control.should_save = True
        control.should_training_stop = True


def _report_progress(context: JobContext, args: Any, state: Any, doing: str, clock: StepClock) -> None:
    done, total = state.global_step, state.max_steps
    left = clock.seconds_left(total - done, _measurements_left(args, state))
    context.progress(done / total, f"Training step {done} of {total} · {doing}", eta_seconds=left)


def _measurements_left(args: Any, state: Any) -> int:
    """Measurements on held-out rows that are still to be made, or are being made."""
    every = state.eval_steps
    if str(args.eval_strategy.value) != "steps" or not every:
        return 0
    return int(state.max_steps // every - max(0, state.global_step - 1) // every)


def _notice_collapse(context: JobContext, step: int, clock: StepClock, watch: Watch) -> None:
    said = watch.collapse.add(step, clock.last_tokens, clock.last_seconds, card_share())
    if said is not None:
        context.log(said)


def card_share() -> float | None:
    """Which share of the card's memory is in use, 0 to 1; None without a card."""
    import torch

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return float(1 - free / total)
