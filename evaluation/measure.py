"""Measuring one loaded model: its answers, their scores, its perplexity, and the games it plays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evaluation.generate import Generation, generate
from evaluation.metrics import ItemLoss, conversation_losses, exact_match
from evaluation.spec import EvaluateSpec
from evaluation.store import ItemScore, prompt_text
from evaluation.tasks import NLL, Message, PlayOptions, Task, TaskItem, checked_score
from jobs.context import JobContext

if TYPE_CHECKING:
    from models.load import LoadedModel

LOSS_WEIGHT = 0.2
TURN_WEIGHT = 0.2


class Meter:
    """Progress over stages of known sizes; notices a stop whenever it is told of progress.

    `stages`: weights in units of one answer. The time left is judged from the share done since the first stage began.
    """

    def __init__(self, context: JobContext, stages: Sequence[float]) -> None:
        self._context = context
        self._stages = list(stages)
        self._total = sum(stages) or 1.0
        self._finished = 0.0
        self._begun = time.monotonic()

    def done(self, share: float, message: str) -> None:
        """`share` of the current stage is done, 0 to 1. Raises Stopped when the user asked for it."""
        fraction = min(1.0, (self._finished + share * self._stages[0]) / self._total)
        elapsed = time.monotonic() - self._begun
        self._context.progress(fraction, message, elapsed / fraction - elapsed if fraction > 0 else None)
        self._context.check_stop()

    def next_stage(self) -> None:
        self._finished += self._stages.pop(0)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, time does not count (a model is loaded)."""
        paused = time.monotonic()
        yield
        self._begun += time.monotonic() - paused


def stages(task: Task, spec: EvaluateSpec, items: int) -> list[float]:
    """The stages that `measure_items` and `play_games` take for one model, weighted in units of one answer."""
    weights = []
    if needs_answers(task, spec):
        weights.append(float(items))
    if needs_losses(task, spec):
        weights.append(LOSS_WEIGHT * items)
    if plays(task, spec):
        weights.append(TURN_WEIGHT * spec.games * spec.game_steps)
    return weights


def needs_answers(task: Task, spec: EvaluateSpec) -> bool:
    return task.score is not None or "exact_match" in spec.metrics


def needs_losses(task: Task, spec: EvaluateSpec) -> bool:
    return task.metric == NLL or "perplexity" in spec.metrics


def plays(task: Task, spec: EvaluateSpec) -> bool:
    return task.play is not None and spec.games > 0


def measure_items(
    loaded: LoadedModel, name: str, task: Task, items: Sequence[TaskItem], spec: EvaluateSpec, meter: Meter
) -> list[ItemScore]:
    """One row per item, in order. Raises Stopped between batches."""
    answers = _answers(loaded, name, items, spec, meter) if needs_answers(task, spec) else [None] * len(items)
    losses = _losses(loaded, name, items, spec, meter) if needs_losses(task, spec) else [None] * len(items)
    return [
        _row(name, task, item, answer, loss, spec) for item, answer, loss in zip(items, answers, losses, strict=True)
    ]


def _answers(
    loaded: LoadedModel, name: str, items: Sequence[TaskItem], spec: EvaluateSpec, meter: Meter
) -> list[Generation]:
    def progressed(done: int) -> None:
        meter.done(done / len(items), f"answering: {name}, {done} of {len(items)} items")

    progressed(0)
    generations = generate(
        loaded,
        [item.messages for item in items],
        max_new_tokens=spec.max_new_tokens,
        batch_size=spec.batch_size,
        temperature=spec.temperature,
        top_p=spec.top_p,
        seed=spec.seed,
        tools=[item.tools for item in items],
        on_progress=progressed,
    )
    meter.next_stage()
    return generations


def _losses(
    loaded: LoadedModel, name: str, items: Sequence[TaskItem], spec: EvaluateSpec, meter: Meter
) -> list[ItemLoss]:
    def progressed(done: int) -> None:
        meter.done(done / len(items), f"perplexity: {name}, {done} of {len(items)} items")

    progressed(0)
    tokenised = []
    for item in items:
        answered = [*item.messages, {"role": "assistant", "content": item.reference}]
        row = loaded.tokenizer.tokenise(answered, item.tools)
        tokenised.append((row.input_ids, row.labels))
    losses = conversation_losses(loaded, tokenised, batch_size=spec.batch_size, on_progress=progressed)
    meter.next_stage()
    return losses


def _row(
    name: str, task: Task, item: TaskItem, answer: Generation | None, loss: ItemLoss | None, spec: EvaluateSpec
) -> ItemScore:
    scores: dict[str, float] = {}
    if answer is not None and task.score is not None:
        scores.update(checked_score(task, answer.text, item))
    if answer is not None and "exact_match" in spec.metrics:
        scores.setdefault("exact_match", exact_match(answer.text, item.reference))
    if loss is not None and loss.nll is not None:
        scores[NLL] = loss.nll
    return ItemScore(
        model=name,
        kind="model",
        item=item.id,
        group=item.group,
        tag=item.tag,
        prompt=prompt_text(item.messages),
        reference=item.reference,
        answer=answer.text if answer else None,
        scores=scores,
        seconds=answer.seconds if answer else None,
        prompt_tokens=answer.prompt_tokens if answer else None,
        answer_tokens=len(answer.token_ids) if answer else None,
        ended=answer.ended if answer else None,
        scored_tokens=loss.tokens if loss else None,
    )


def play_options(spec: EvaluateSpec) -> PlayOptions:
    """The same games for everybody who plays."""
    return PlayOptions(spec.games, spec.game_steps, spec.seed)


def play_games(loaded: LoadedModel, name: str, task: Task, spec: EvaluateSpec, meter: Meter) -> list[dict[str, Any]]:
    """The games' records, each with the model's name. Raises Stopped between turns."""
    assert task.play is not None
    games = task.play(_chooser(loaded, name, spec, meter), play_options(spec))
    meter.next_stage()
    return [{"model": name, **game} for game in games]


def _chooser(
    loaded: LoadedModel, name: str, spec: EvaluateSpec, meter: Meter
) -> Callable[[list[list[Message]]], list[str]]:
    turn = 0

    def choose(prompts: list[list[Message]]) -> list[str]:
        nonlocal turn
        message = f"playing: {name}, turn {turn + 1} of at most {spec.game_steps}, {len(prompts)} games running"
        meter.done(min(1.0, turn / spec.game_steps), message)
        turn += 1
        answers = generate(
            loaded,
            prompts,
            max_new_tokens=spec.max_new_tokens,
            batch_size=spec.batch_size,
            temperature=spec.temperature,
            top_p=spec.top_p,
            seed=spec.seed + turn,
        )
        return [answer.text for answer in answers]

    return choose
