"""Standard benchmarks: `lm_eval:<name>` runs a task of EleutherAI's lm-evaluation-harness with the model loaded here.

The harness builds the prompts and computes the scores (https://github.com/EleutherAI/lm-evaluation-harness), in its own
default way: no chat template, the number of examples that its task asks for. Hearth keeps the scores item by item, so
that verdicts are drawn from them as from any other. The package is optional: `pip install lm_eval`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evaluation.tasks import LM_EVAL, Row, StandardAnswer, Task, TaskItem
from jobs.errors import BadInput, Missing

if TYPE_CHECKING:
    from models.load import LoadedModel


def lm_eval_task(text: str) -> Task:
    """The task `lm_eval:<name>`, or `lm_eval:<file>.yaml`. Raises Missing without the package or its dataset, BadInput
    for a name it doesn't know."""
    name = text.removeprefix(LM_EVAL)
    harness = _load(name)
    metric = next(iter(harness.aggregation()))
    higher = harness.higher_is_better().get(metric, True)
    version = str(harness.config.to_dict())

    def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - the harness has its own
        return [
            TaskItem(
                id=f"{number:06d}",
                messages=[{"role": "user", "content": str(harness.doc_to_text(doc))}],
                reference=str(harness.doc_to_target(doc)),
                group=f"{name} {number}",
            )
            for number, doc in enumerate(harness.eval_docs)
        ]

    def answers(loaded: LoadedModel, asked: Sequence[TaskItem], batch_size: int) -> list[StandardAnswer]:
        return _answers(harness, metric, loaded, [int(item.id) for item in asked], batch_size)

    return Task(
        name=f"lm-eval {harness.config.task}",
        description=f"A standard benchmark, asked and scored by lm-evaluation-harness; the score is {metric}.",
        metric=metric,
        lenient_metric=None,
        higher_is_better=bool(higher),
        items=items,
        score=None,
        references=None,
        play=None,
        reference_games=None,
        source=text,
        rows=list,
        digest=hashlib.sha256(version.encode()).hexdigest()[:16],
        answers=answers,
    )


def _load(name: str) -> Any:
    try:
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise Missing(
            f"The task {LM_EVAL}{name} needs lm-evaluation-harness.",
            f"It is not installed ({error}).",
            "Run `pip install lm_eval`, or choose the task general.",
        ) from error
    manager = TaskManager()
    if name not in manager.all_tasks and not name.endswith(".yaml"):
        raise BadInput(
            f"lm-evaluation-harness knows no task '{name}'.",
            f"It knows {len(manager.all_tasks):,} others.",
            "`lm_eval ls tasks` lists them.",
        )
    try:
        found = list(manager.load([name])["tasks"].values())
    except (OSError, ConnectionError, ValueError) as error:
        raise Missing(
            f"The benchmark '{name}' can't be loaded.",
            f"Its dataset comes from the Hub, or is described by its file: {error}",
            "Check the connection and the name, then resume.",
        ) from error
    if len(found) != 1:
        raise BadInput(
            f"'{name}' is a group of {len(found)} benchmarks.",
            "A verdict is drawn from the items of one.",
            "Name one of them; `lm_eval ls tasks` lists all.",
        )
    return found[0]


def _answers(
    harness: Any, metric: str, loaded: LoadedModel, places: Sequence[int], batch_size: int
) -> list[StandardAnswer]:
    """The harness's own samples of these documents, in their order."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(loaded.tokenizer.folder)
    model = HFLM(pretrained=loaded.model, tokenizer=tokenizer, backend="causal", batch_size=batch_size)
    name = harness.config.task
    found = simple_evaluate(model=model, tasks=[harness], samples={name: list(places)}, bootstrap_iters=0)
    first: dict[int, dict[str, Any]] = {}
    for sample in found["samples"][name]:
        first.setdefault(sample["doc_id"], sample)  # of several ways to read an answer the task's first counts
    samples = [sample for _, sample in sorted(first.items())]
    assert len(samples) == len(places), f"asked {len(places)} documents, got {len(samples)}"
    return [_answer(sample, metric) for sample in samples]


def _answer(sample: dict[str, Any], metric: str) -> StandardAnswer:
    scores = {name: float(sample[name]) for name in sample["metrics"] if isinstance(sample[name], bool | int | float)}
    if metric not in scores:
        raise BadInput(
            f"The benchmark's {metric} is no number for each item.",
            "It is only computed over all of them together, so there is nothing to compare item by item.",
            "Choose another benchmark.",
        )
    said = sample["filtered_resps"]
    return StandardAnswer(str(said[0] if len(said) == 1 else said), scores)
