"""One load for a base and any number of its adapters, switched between them, never loaded twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.decoding import BASE

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


def free_memory() -> None:
    """Give memory of models that nothing refers to any more back to the system."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
