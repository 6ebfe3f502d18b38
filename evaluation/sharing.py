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
        self._made = 1
        self._names: dict[Path | None, str] = {first.adapter: "default"} if first.adapter is not None else {}
        for each in with_adapter[1:]:
            self.add(each)
        self.loaded.model.eval()

    def add(self, files: ResolvedModel) -> None:
        """Take one more adapter of the same base; nothing to do for the base itself, or one that is here."""
        if files.adapter is None or files.adapter in self._names:
            return
        self._made += 1
        name = f"adapter{self._made}"
        if self.loaded.has_adapter:
            self.loaded.model.load_adapter(str(files.adapter), adapter_name=name, autocast_adapter_dtype=False)
        else:
            from peft import PeftModel

            self.loaded.model = PeftModel.from_pretrained(
                self.loaded.model, files.adapter, adapter_name=name, autocast_adapter_dtype=False
            )
            self.loaded.has_adapter = True
        self._names[files.adapter] = name
        self.loaded.model.eval()

    def remove(self, files: ResolvedModel) -> None:
        """Give an adapter's memory back, except the last one's: PEFT keeps one."""
        if files.adapter in self._names and len(self._names) > 1:
            self.loaded.model.delete_adapter(self._names.pop(files.adapter))

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
