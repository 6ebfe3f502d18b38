"""Several answers of one model to each prompt of a dataset, kept as they come."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets_src.store import open_version
from evaluation.judge.asking import open_asker, ticker
from evaluation.judge.replies import Manner, Replies, Request
from evaluation.pairs.spec import PairsSpec
from evaluation.tasks import Task, TaskItem, checked_items, items_from_conversations
from jobs.context import JobContext
from jobs.errors import BadInput


@dataclass(frozen=True)
class Candidate:
    """One answer to a prompt. `sample` counts a prompt's answers from 0; `seed` is known where the model takes one."""

    text: str
    sample: int
    seed: int | None


@dataclass(frozen=True)
class Answered:
    """A prompt and its different answers. Left out were `blank`, `repeated` and `cut` ones (at the limit of tokens)."""

    item: TaskItem
    candidates: list[Candidate]
    blank: int
    repeated: int
    cut: int


def prompts_of(context: JobContext, spec: PairsSpec, task: Task | None) -> list[TaskItem]:
    """The prompts, each once: a seeded draw of at most max_prompts, in their order. Raises BadInput for none."""
    version = open_version(context.workspace, context.decided("data") or str(spec.data))
    context.resolve("data", version.id, f"'{spec.data}' at the start of the job")
    rows = version.train() if spec.part == "train" else version.eval()
    if task is not None:
        items = checked_items(task, rows, version.train() + version.eval())
    else:
        items = items_from_conversations(rows)
    unique = list({_identity(item): item for item in reversed(items)}.values())[::-1]
    if not unique:
        raise BadInput(
            f"{version.id} has no prompts in its {spec.part} part.",
            "None of its rows is a conversation that ends in an answer.",
            "Choose another dataset, or its other part.",
        )
    if spec.max_prompts is not None and spec.max_prompts < len(unique):
        drawn = sorted(random.Random(spec.seed).sample(range(len(unique)), spec.max_prompts))
        unique = [unique[index] for index in drawn]
    context.resolve("prompts", len(unique), f"different prompts of the {spec.part} part, at most {spec.max_prompts}")
    return unique


def write_candidates(context: JobContext, spec: PairsSpec, items: Sequence[TaskItem], file: Path) -> list[Answered]:
    """Have every prompt answered; the model is gone when this returns. Raises Stopped, Missing or BadInput."""
    requests = [_request(spec, item, sample) for item in items for sample in range(spec.candidates)]
    replies = Replies(file)
    if any(request.key not in replies for request in requests):
        context.progress(None, f"opening {spec.model}")
        with open_asker(_manner(spec), context.workspace) as asker:
            tick = ticker(context, requests, replies, "answering prompts")
            tick()
            asker.ask(requests, replies, tick)
    return [_answered(spec, item, replies) for item in items]


def _manner(spec: PairsSpec) -> Manner:
    return Manner(
        model=str(spec.model),
        max_tokens=spec.max_new_tokens,
        temperature=spec.temperature,
        top_p=spec.top_p,
        seed=spec.seed,
        key_variable=spec.key_variable,
        concurrency=spec.concurrency,
        context_length=spec.context_length,
        batch_size=spec.batch_size,
        precision=spec.precision,
        quantisation=spec.quantisation,
    )


def _answered(spec: PairsSpec, item: TaskItem, replies: Replies) -> Answered:
    found: dict[str, Candidate] = {}
    blank = repeated = cut = 0
    for sample in range(spec.candidates):
        reply = replies[_request(spec, item, sample).key]
        text = reply.text.strip()
        if not text:
            blank += 1
        elif reply.finish_reason == "length" and not spec.keep_cut:
            cut += 1
        elif text in found:
            repeated += 1
        else:
            found[text] = Candidate(text, sample, reply.seed)
    return Answered(item, list(found.values()), blank, repeated, cut)


def _request(spec: PairsSpec, item: TaskItem, sample: int) -> Request:
    """Named by the prompt and by how it is answered: a changed spec asks anew."""
    how = [spec.model, spec.temperature, spec.top_p, spec.max_new_tokens, spec.seed, sample]
    key = hashlib.sha256(f"{_identity(item)}{json.dumps(how)}".encode("utf-8", "replace")).hexdigest()[:20]
    return Request(key, item.messages, spec.seed + sample, item.tools)


def _identity(item: TaskItem) -> str:
    return json.dumps([item.messages, item.tools], sort_keys=True, default=str)
