"""Measuring one model: its answers, their scores, its perplexity, the games it plays, and what all that cost.

Every result is written to the job's items.jsonl as it comes; what stands there already is not asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluation.answerers import Answerer, Manner, Question
from evaluation.costs import CostMeter, ModelCost, cost_of
from evaluation.item_log import ItemLog, Loss, Reply, answer_line, cost_line, first_token_line, games_line, loss_line
from evaluation.meter import Meter
from evaluation.metrics import METRICS, CorpusScore, Window, loss_batches, majority
from evaluation.metrics.registry import Needs
from evaluation.spec import EvaluateSpec
from evaluation.store import ItemScore, prompt_text
from evaluation.tasks import NLL, Message, PlayOptions, Task, TaskItem, checked_score

if TYPE_CHECKING:
    from models.load import LoadedModel

LOSS_WEIGHT = 0.2
TURN_WEIGHT = 0.2
FIRST_TOKEN_QUESTIONS = 3
STANDARD_ITEMS = 64


@dataclass(frozen=True)
class Work:
    """What every model is measured on, and where the results go."""

    task: Task
    items: Sequence[TaskItem]
    spec: EvaluateSpec
    log: ItemLog
    meter: Meter


@dataclass(frozen=True)
class Subject:
    """A model that is measured: how the spec and the report call it, who answers for it, and its weights where they
    are at hand (a loss needs them)."""

    ref: str
    name: str
    answerer: Answerer
    loaded: LoadedModel | None


@dataclass(frozen=True)
class Measured:
    """One model's rows, games, cost (None without answers), and scores of all its answers together, by metric."""

    rows: list[ItemScore]
    games: list[dict[str, Any]]
    cost: ModelCost | None
    corpus: dict[str, CorpusScore]


def stages(task: Task, spec: EvaluateSpec, items: int, *, with_losses: bool = True) -> list[float]:
    """The stages that `measure` takes for one model, weighted in units of one answer."""
    weights = []
    if needs_answers(task, spec):
        weights.append(float(items * spec.samples))
    if needs_losses(task, spec) and with_losses:
        weights.append(LOSS_WEIGHT * items)
    if plays(task, spec):
        weights.append(TURN_WEIGHT * spec.games * spec.game_steps)
    return weights


def needs_answers(task: Task, spec: EvaluateSpec) -> bool:
    return task.score is not None or task.answers is not None or _wanted(spec, "answers") or _wanted(spec, "samples")


def needs_losses(task: Task, spec: EvaluateSpec) -> bool:
    return task.metric == NLL or _wanted(spec, "losses")


def _wanted(spec: EvaluateSpec, needs: Needs) -> bool:
    return any(METRICS[name].needs == needs for name in spec.metrics)


def plays(task: Task, spec: EvaluateSpec) -> bool:
    return task.play is not None and spec.games > 0


def check_metrics(items: Sequence[TaskItem], spec: EvaluateSpec) -> None:
    """Raises BadInput, before any model is loaded, for an item that lacks what a metric reads."""
    for name in spec.metrics:
        check = METRICS[name].check
        for item in items if check is not None else ():
            assert check is not None
            check(item)


def measure(subject: Subject, work: Work) -> Measured:
    """All that is wanted of one model, items in order. Raises Stopped between batches, with everything so far kept."""
    replies: list[list[Reply]] = [[] for _ in work.items]
    if work.task.answers is not None:
        replies = _standard_answers(subject, work)
    elif needs_answers(work.task, work.spec):
        replies = _answers(subject, work)
    losses: Sequence[Loss | None] = [None] * len(work.items)
    if needs_losses(work.task, work.spec) and subject.loaded is not None:
        losses = _losses(subject, subject.loaded, work)
    rows = [
        _row(subject, work, item, given, loss) for item, given, loss in zip(work.items, replies, losses, strict=True)
    ]
    games = _games(subject, work) if plays(work.task, work.spec) else []
    flat = [reply for given in replies for reply in given]
    cost = cost_of(flat, work.log.readings(subject.ref), work.log.first_tokens(subject.ref))
    return Measured(rows, games, cost, _corpus(rows, work.spec))


def _answers(subject: Subject, work: Work) -> list[list[Reply]]:
    """For each item its replies, one for each sample."""
    places = [(item, sample) for sample in range(work.spec.samples) for item in work.items]
    questions = [Question(item.messages, item.tools) for item, _ in places]
    known = {at for at, place in enumerate(places) if work.log.answer(subject.ref, *place) is not None}
    _say_answers(subject, work, len(known))
    costs = CostMeter(subject.answerer.memory)
    if len(known) < len(places) and not work.log.first_tokens(subject.ref):
        _first_tokens(subject, work, questions)
    batches = subject.answerer.batches(questions, Manner.of(work.spec), known)
    while True:
        with costs.stretch() as reading:
            batch = next(batches, None)
        if batch is None:
            break
        known |= batch.keys()
        _keep(subject, work, [(*places[at], reply) for at, reply in batch.items()])
        work.log.write([cost_line(subject.ref, reading())])
        _say_answers(subject, work, len(known))
    work.meter.next_stage()
    return [
        [reply for sample in range(work.spec.samples) if (reply := work.log.answer(subject.ref, item, sample))]
        for item in work.items
    ]


def _standard_answers(subject: Subject, work: Work) -> list[list[Reply]]:
    """Answers of a task that asks and scores by itself, some items at a time."""
    assert work.task.answers is not None and subject.loaded is not None
    by = work.task.digest
    missing = [item for item in work.items if work.log.scores(subject.ref, item, by) is None]
    costs = CostMeter(subject.answerer.memory)
    for start in range(0, len(missing), STANDARD_ITEMS):
        _say_answers(subject, work, len(work.items) - len(missing) + start)
        some = missing[start : start + STANDARD_ITEMS]
        started = time.perf_counter()
        with costs.stretch() as reading:
            found = work.task.answers(subject.loaded, some, work.spec.batch_size)
        share = (time.perf_counter() - started) / len(some)
        replies = [Reply(each.text, None, None, share, ended=True) for each in found]
        lines = zip(some, replies, found, strict=True)
        work.log.write([answer_line(subject.ref, item, 0, reply, each.scores, by) for item, reply, each in lines])
        work.log.write([cost_line(subject.ref, reading())])
    work.meter.next_stage()
    return [[reply for reply in [work.log.answer(subject.ref, item)] if reply] for item in work.items]


def _say_answers(subject: Subject, work: Work, done: int) -> None:
    wanted = len(work.items) * work.spec.samples
    unit = "items" if work.spec.samples == 1 else "answers"
    work.meter.done(done / wanted, f"answering: {subject.name}, {done} of {wanted} {unit}")


def _first_tokens(subject: Subject, work: Work, questions: Sequence[Question]) -> None:
    """Some questions asked alone: how long a person would wait. Before the others, so that no server knows them."""
    for question in questions[:FIRST_TOKEN_QUESTIONS]:
        seconds = subject.answerer.first_token(question)
        if seconds is not None:
            work.log.write([first_token_line(subject.ref, seconds)])


def _keep(subject: Subject, work: Work, batch: Sequence[tuple[TaskItem, int, Reply]]) -> None:
    """Score a batch (item, sample, reply) and write it down; where scoring fails the answers are written all the same.

    Of several samples only the commonest answer is scored, once all are there.
    """
    scores: list[dict[str, float] | None] = [None] * len(batch)
    try:
        if work.spec.samples == 1:
            for at, (item, _, reply) in enumerate(batch):
                scores[at] = _scores(work, item, reply)
    finally:
        by = work.task.digest
        work.log.write([answer_line(subject.ref, *each, found, by) for each, found in zip(batch, scores, strict=True)])


def _scores(work: Work, item: TaskItem, reply: Reply) -> dict[str, float]:
    """Of one answer: the task's and the metrics'. A question that an endpoint refused has none."""
    if reply.refused is not None:
        return {}
    scores = checked_score(work.task, reply.text, item) if work.task.score is not None else {}
    for name in work.spec.metrics:
        score = METRICS[name].score
        if score is not None and name not in scores:
            scores[name] = score(reply.text, item)
    return scores


def _losses(subject: Subject, loaded: LoadedModel, work: Work) -> list[Loss | None]:
    def progressed(done: int) -> None:
        work.meter.done(done / len(work.items), f"perplexity: {subject.name}, {done} of {len(work.items)} items")

    known = {at for at, item in enumerate(work.items) if work.log.loss(subject.ref, item) is not None}
    progressed(len(known))
    tokenised = [_tokenised(loaded, item) for item in work.items]
    window = window_of(loaded, work.spec)
    for batch in loss_batches(loaded, tokenised, batch_size=work.spec.batch_size, window=window, known=known):
        known |= batch.keys()
        lines = [loss_line(subject.ref, work.items[at], Loss(each.nll, each.tokens)) for at, each in batch.items()]
        work.log.write(lines)
        progressed(len(known))
    work.meter.next_stage()
    return [work.log.loss(subject.ref, item) for item in work.items]


def _tokenised(loaded: LoadedModel, item: TaskItem) -> tuple[list[int], list[int]]:
    """Ids and labels of an item's expected answer; of an item without a question, which is plain text, all of it."""
    if not item.messages:
        row = loaded.tokenizer.tokenise_text(item.reference)
    else:
        calls = {"tool_calls": item.extra["tool_calls"]} if item.extra.get("tool_calls") else {}
        answered = [*item.messages, {"role": "assistant", "content": item.reference, **calls}]
        row = loaded.tokenizer.tokenise(answered, item.tools)
    return row.input_ids, row.labels


def window_of(loaded: LoadedModel, spec: EvaluateSpec) -> Window:
    """How long texts are read: windows of the context, or of what the model was made for if that is less."""
    config = loaded.model.config.get_text_config()
    tokens = min(spec.context_length, getattr(config, "max_position_embeddings", None) or spec.context_length)
    stride = spec.stride if spec.stride is not None and spec.stride < tokens else max(1, tokens // 2)
    return Window(tokens, stride)


def _row(subject: Subject, work: Work, item: TaskItem, replies: Sequence[Reply], loss: Loss | None) -> ItemScore:
    scores, chosen = _scored(subject, work, item, replies)
    if loss is not None and loss.nll is not None:
        scores[NLL] = loss.nll
        if "loss" in work.spec.metrics:
            scores["loss"] = loss.nll
    answered = chosen is not None and chosen.refused is None
    return ItemScore(
        model=subject.name,
        kind="model",
        item=item.id,
        group=item.group,
        tag=item.tag,
        prompt=prompt_text(item.messages),
        reference=item.reference,
        answer=chosen.text if chosen and answered else None,
        scores=scores,
        seconds=sum(reply.seconds for reply in replies) if replies else None,
        prompt_tokens=chosen.prompt_tokens if chosen else None,
        answer_tokens=chosen.tokens if chosen else None,
        ended=chosen.ended if chosen and answered else None,
        scored_tokens=loss.tokens if loss else None,
    )


def _scored(
    subject: Subject, work: Work, item: TaskItem, replies: Sequence[Reply]
) -> tuple[dict[str, float], Reply | None]:
    """The item's scores and the answer they are of: the only one, or the commonest of several."""
    if not replies:
        return {}, None
    if work.spec.samples == 1:
        known = work.log.scores(subject.ref, item, work.task.digest)
        return known if known is not None else _scores(work, item, replies[0]), replies[0]
    answered = [reply for reply in replies if reply.refused is None]
    if not answered:
        return {}, replies[0]
    vote = majority([reply.text for reply in answered])
    chosen = next(reply for reply in answered if reply.text == vote.answer)
    consistency = {"self_consistency": vote.share} if "self_consistency" in work.spec.metrics else {}
    return {**_scores(work, item, chosen), **consistency}, chosen


def _corpus(rows: Sequence[ItemScore], spec: EvaluateSpec) -> dict[str, CorpusScore]:
    answered = [row for row in rows if row.answer is not None]
    found = {}
    for name in spec.metrics:
        corpus = METRICS[name].corpus
        if corpus is not None and answered:
            found[name] = corpus([row.answer or "" for row in answered], [row.reference for row in answered])
    return found


def play_options(spec: EvaluateSpec) -> PlayOptions:
    """The same games for everybody who plays."""
    return PlayOptions(spec.games, spec.game_steps, spec.seed)


def _games(subject: Subject, work: Work) -> list[dict[str, Any]]:
    """The games' records, each with the model's name. Raises Stopped between turns; a model's games are kept once all
    of them are over."""
    assert work.task.play is not None
    games = work.log.games(subject.ref)
    if games is None:
        games = work.task.play(_chooser(subject, work), play_options(work.spec))
        work.log.write([games_line(subject.ref, games)])
    work.meter.next_stage()
    return [{"model": subject.name, **game} for game in games]


def _chooser(subject: Subject, work: Work) -> Callable[[list[list[Message]]], list[str]]:
    turn, most = 0, work.spec.game_steps

    def choose(prompts: list[list[Message]]) -> list[str]:
        nonlocal turn
        message = f"playing: {subject.name}, turn {turn + 1} of at most {most}, {len(prompts)} games running"
        work.meter.done(min(1.0, turn / most), message)
        turn += 1
        found: dict[int, Reply] = {}
        for batch in subject.answerer.batches([Question(prompt) for prompt in prompts], Manner.of(work.spec, turn)):
            found.update(batch)
        return [found[at].text for at in range(len(prompts))]

    return choose
