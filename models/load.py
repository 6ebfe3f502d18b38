"""Loading a model to answer with: base and adapter share one load, and the adapter can be switched off and on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from jobs.workspace import Workspace
from models.backends import LoadOptions, Quantisation
from models.backends.peft import PeftBackend
from models.chat_template import ChatTokenizer
from models.hardware import probe
from models.precision import choose_precision
from models.quiet import quiet_libraries
from models.reference import ModelRef, ResolvedModel, resolve


@dataclass
class LoadedModel:
    """A model that can answer. `model` is transformers' or PEFT's, in evaluation mode; `origin` says why each value."""

    name: str
    model: Any
    tokenizer: ChatTokenizer
    device: str
    dtype: str
    has_adapter: bool
    origin: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def base_only(self) -> Iterator[None]:
        """Inside, the model answers without its adapter."""
        with self.model.disable_adapter() if self.has_adapter else nullcontext():
            yield


def load_model(
    ref: ModelRef | str,
    *,
    workspace: Workspace | None = None,
    quantisation: Quantisation = "none",
    precision: str = "auto",
) -> LoadedModel:
    """Load through plain transformers and PEFT, which can switch adapters. Raises what `resolve` does."""
    return load_resolved(resolve(ref, workspace), quantisation=quantisation, precision=precision)


def load_resolved(
    resolved: ResolvedModel, *, quantisation: Quantisation = "none", precision: str = "auto"
) -> LoadedModel:
    """The same for a model whose files were already found."""
    quiet_libraries()
    choice = choose_precision(precision, probe())
    backend = PeftBackend()
    tokenizer = ChatTokenizer.load(resolved.adapter or resolved.folder)
    model = backend.load(resolved.folder, LoadOptions(dtype=choice.value, quantisation=quantisation))
    if resolved.adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, resolved.adapter, autocast_adapter_dtype=False)
    backend.prepare_for_generation(model)
    _give_head_whole_rows(model)
    return LoadedModel(
        name=resolved.name,
        model=model,
        tokenizer=tokenizer,
        device=str(next(model.parameters()).device),
        dtype=choice.value,
        has_adapter=resolved.adapter is not None,
        origin={"precision": f"{choice.value}: {choice.origin}"},
    )


def _give_head_whole_rows(model: Any) -> None:
    """Make what goes into the output layer contiguous.

    The last position of every prompt is a strided view, for which PyTorch copies a frozen output layer's weights once
    per row: two thirds of the time in which a batch of 32 short prompts was read on a CPU.
    """

    def contiguous(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (inputs[0].contiguous(), *inputs[1:])

    model.get_output_embeddings().register_forward_pre_hook(contiguous)
