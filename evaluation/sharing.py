"""One load for a base and any number of its adapters, switched between them, never loaded twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.decoding import BASE, Sampling
from evaluation.generate import Generation, Message

if TYPE_CHECKING:
    from models.backends import Quantisation
    from models.load import LoadedModel
    from models.precision import Precision
    from models.reference import ResolvedModel


class SharedLoad:
    """A loaded base with the adapters of `files`, all of one base folder."""

    def __init__(self, files: Sequence[ResolvedModel], *, quantisation: Quantisation, precision: Precision) -> None:
        from models.load import load_resolved

        with_adapter = [each for each in files if each.adapter is not None]
        first = (with_adapter or list(files))[0]
        self.loaded = load_resolved(first, quantisation=quantisation, precision=precision)
        self._names: dict[Path | None, str] = {first.adapter: "default"}
        for number, each in enumerate(with_adapter[1:], start=2):
            name = f"adapter{number}"
            self.loaded.model.load_adapter(str(each.adapter), adapter_name=name, autocast_adapter_dtype=False)
            self._names[each.adapter] = name
        self.loaded.model.eval()

    def adapter_name(self, files: ResolvedModel) -> str:
        """What PEFT calls the adapter of `files` in this load; `__base__` where it has none."""
        return BASE if files.adapter is None else self._names[files.adapter]

    @contextmanager
    def answering(self, files: ResolvedModel) -> Iterator[LoadedModel]:
        """Inside, the model answers as `files` says, with the tokenizer and chat template that belong to it."""
        from models.chat_template import ChatTokenizer

        view = replace(self.loaded, tokenizer=ChatTokenizer.load(files.adapter or files.folder))
        if files.adapter is None:
            with self.loaded.base_only():
                yield view
            return
        self.loaded.model.set_adapter(self._names[files.adapter])
        yield view


def generate_side_by_side(
    shared: SharedLoad,
    files: Sequence[ResolvedModel],
    prompts: Sequence[list[Message]],
    *,
    max_new_tokens: int,
    batch_size: int,
    sampling: Sampling,
) -> list[list[Generation]]:
    """The answers of several models of one load to the same prompts, a list for each model, in the prompts' order.

    All models answer in the same batches of `batch_size` rows, each row computed with its own adapter, so the weights
    are read once for all of them. That pays where a batch has few rows; full batches of one adapter are as quick (so
    evaluations take one model after the other). The adapters have to be ones that PEFT can mix (`streaming.can_mix`).
    """
    from evaluation.decoding import Row, decode
    from models.chat_template import ChatTokenizer

    tokenizers = [ChatTokenizer.load(each.adapter or each.folder) for each in files]
    rows = [
        [
            Row(
                tokenizer.encode_prompt(prompt),
                frozenset(tokenizer.stop_ids),
                number,
                adapter=shared.adapter_name(each),
            )
            for number, prompt in enumerate(prompts)
        ]
        for each, tokenizer in zip(files, tokenizers, strict=True)
    ]
    order = sorted((row for one in rows for row in one), key=lambda row: -len(row.prompt))
    seconds: dict[int, float] = {}
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        times = decode(shared.loaded, batch, max_new_tokens=max_new_tokens, sampling=sampling)
        seconds.update({id(row): times.whole / len(batch) for row in batch})
    return [
        [
            Generation(tokenizer.decode(row.answer), row.answer, len(row.prompt), seconds[id(row)], row.ended)
            for row in one
        ]
        for one, tokenizer in zip(rows, tokenizers, strict=True)
    ]


def free_memory() -> None:
    """Give memory of models that nothing refers to any more back to the system."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
