"""Merge a LoRA adapter into its base model's 16-bit weights, tensor by tensor from file to file.

What an adapter was trained on (4-bit or 16-bit) doesn't matter: the update is added to the base as it is stored. The
sums are done in the order in which PEFT's own `merge_and_unload` does them, so that the bytes are the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.adapter import Adapter, LowRankUpdate, read_adapter
from export.tensors import Shard, ShardWriter, StoredTensor, read_shards
from jobs.errors import BadInput
from jobs.files import write_json
from models.folder import TOKENIZER_FILES

MODEL_FILES = ("config.json", "generation_config.json")
_INPUT_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight")
_TORCH_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}

Progress = Callable[[float], None]


@dataclass(frozen=True)
class MergeReport:
    """`changed`: base tensors that the adapter changed; `untied`: whether input and output embeddings came apart."""

    changed: int
    tensors: int
    size_bytes: int
    untied: bool


@dataclass(frozen=True)
class _Output:
    """A tensor to write: taken from `source`, with `update` added unless None."""

    name: str
    source: StoredTensor
    dtype: str
    update: LowRankUpdate | None


def merge(base: Path, adapter: Path, output: Path, progress: Progress = lambda _fraction: None) -> MergeReport:
    """Write base + adapter as a model folder to `output` (a folder that exists and is empty).

    Shards, dtypes and settings are the base's; tokenizer and chat template are the adapter's where it has them.
    Raises Missing or BadInput when the base or adapter can't be used, or don't belong together.
    """
    shards = read_shards(base)
    change = read_adapter(adapter)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    _refuse_quantised(base, config)
    untied = _tied_name(config, shards, change)
    plans = [[_plan(tensor, change) for tensor in shard.tensors] for shard in shards]
    if untied is not None:
        plans[-1].append(_untied_output(untied, shards, change))
        config["tie_word_embeddings"] = False
    _refuse_other_base(base, change, {item.name for plan in plans for item in plan})
    for number, (shard, plan) in enumerate(zip(shards, plans, strict=True)):
        _write_shard(output / shard.file.name, plan)
        progress((number + 1) / len(shards))
    if len(shards) > 1:
        _write_index(output, shards, plans)
    copy_model_files(base, adapter, output)
    write_json(output / "config.json", config)
    return MergeReport(
        changed=len(change.updates) + len(change.replaced),
        tensors=sum(len(plan) for plan in plans),
        size_bytes=sum((output / shard.file.name).stat().st_size for shard in shards),
        untied=untied is not None,
    )


def copy_model_files(base: Path, tuned: Path, output: Path) -> None:
    """Copy settings from `base`, and tokenizer files from `base` overlaid with those of `tuned`.

    Only these names are copied: code files that a model folder may hold never are.
    """
    for folder, names in ((base, MODEL_FILES + TOKENIZER_FILES), (tuned, TOKENIZER_FILES)):
        for name in names:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, output / name)
    _one_chat_template(output)


def _one_chat_template(folder: Path) -> None:
    """Of two templates transformers takes the .jinja file and llama.cpp's converter the other one: keep the former."""
    settings = folder / "tokenizer_config.json"
    if (folder / "chat_template.jinja").is_file() and settings.is_file():
        values = json.loads(settings.read_text(encoding="utf-8"))
        if values.pop("chat_template", None) is not None:
            write_json(settings, values)


def _refuse_quantised(base: Path, config: dict[str, Any]) -> None:
    if config.get("quantization_config"):
        raise BadInput(
            f"The base model in {base} is stored in {config['quantization_config'].get('quant_method', 'few')} bits.",
            "An adapter is merged into 16-bit weights; these were rounded already.",
            "Give the same model in 16 bits as the training job's model (training may still load it in 4 bits).",
        )


def _refuse_other_base(base: Path, change: Adapter, names: set[str]) -> None:
    unknown = sorted((change.updates.keys() | change.replaced.keys()) - names)
    if unknown:
        raise BadInput(
            f"The adapter in {change.folder} doesn't belong to the base model in {base}.",
            f"{len(unknown)} of the tensors it changes aren't there, for example {unknown[0]}.",
            "Export with the base model that the adapter was trained on.",
        )


def _plan(tensor: StoredTensor, change: Adapter) -> _Output:
    """A base tensor's output: replaced, updated or as it is."""
    update = change.updates.get(tensor.name)
    source = change.replaced.get(tensor.name, tensor)
    if update is not None:
        _check_shape(tensor, update)
        if tensor.dtype not in _TORCH_NAMES:
            raise BadInput(
                f"{tensor.file}: {tensor.name} is stored as {tensor.dtype}.",
                "An adapter is merged into 32- or 16-bit weights.",
                "Give the same model in 16 bits.",
            )
    return _Output(tensor.name, source, tensor.dtype, update)


def _check_shape(tensor: StoredTensor, update: LowRankUpdate) -> None:
    shape = (update.b.shape[0], update.a.shape[1])
    expected = shape[::-1] if update.transposed else shape
    if tensor.shape != expected:
        raise BadInput(
            f"The adapter changes {tensor.name} as {expected}, but in the base it is {tensor.shape}.",
            "The adapter was trained on another base model.",
            "Export with the base model that the adapter was trained on.",
        )


def _tied_name(config: dict[str, Any], shards: list[Shard], change: Adapter) -> str | None:
    """Name of the input embedding when the adapter changes one of two tied embeddings and so unties them, else None."""
    names = [tensor.name for shard in shards for tensor in shard.tensors]
    if not config.get("tie_word_embeddings") or "lm_head.weight" in names or change.keeps_tying:
        return None
    embedding = next((name for name in names if name.endswith(_INPUT_EMBEDDINGS)), None)
    touched = change.updates.keys() | change.replaced.keys()
    return embedding if {embedding, "lm_head.weight"} & touched else None


def _untied_output(embedding: str, shards: list[Shard], change: Adapter) -> _Output:
    """The output embedding that the base shared with its input: the base's, with the adapter's own change to it."""
    shared = next(tensor for shard in shards for tensor in shard.tensors if tensor.name == embedding)
    renamed = StoredTensor("lm_head.weight", shared.dtype, shared.shape, shared.file, shared.start, shared.size)
    return _plan(renamed, change)


def _write_shard(file: Path, plan: list[_Output]) -> None:
    with ShardWriter(file, [(item.name, item.dtype, item.source.shape) for item in plan]) as writer:
        for item in plan:
            if item.update is None and item.source.dtype == item.dtype:
                writer.copy(item.source)
            else:
                writer.write(_merged_bytes(item))


def _write_index(output: Path, shards: list[Shard], plans: list[list[_Output]]) -> None:
    places = {item.name: shard.file.name for shard, plan in zip(shards, plans, strict=True) for item in plan}
    total = sum((output / shard.file.name).stat().st_size for shard in shards)
    write_json(output / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def _merged_bytes(item: _Output) -> memoryview:
    """The tensor in the base's dtype, with its update added."""
    import torch

    weight = _to_torch(item.source).to(getattr(torch, _TORCH_NAMES[item.dtype]))
    if item.update is not None:
        weight = _add(weight, item.update)
    if not bool(torch.isfinite(weight).all()):
        raise BadInput(
            f"Merging gives infinite or undefined values in {item.name}.",
            "The adapter holds such values, or they don't fit the base's number format.",
            "Look at the training's loss: a run that ended in NaN can't be exported. Train again from an earlier step.",
        )
    return memoryview(weight.contiguous().view(torch.uint8).numpy()).cast("B")


def _add(weight: Any, update: LowRankUpdate) -> Any:
    """W + scale · B·A, the product in float32; with DoRA (https://arxiv.org/abs/2402.09353) rows are set to their
    trained length."""
    import torch

    delta = _float32(update.b) @ _float32(update.a)
    delta = (delta.T if update.transposed else delta) * update.scale
    if update.magnitude is None:
        weight += delta.to(weight.dtype) if update.embedding else delta
        return weight
    rows = weight.T if update.transposed else weight
    length = torch.linalg.norm(rows + (delta.T if update.transposed else delta), dim=1)
    factor = (_float32(update.magnitude) / length).view(-1, 1)
    return ((factor.T if update.transposed else factor) * (weight + delta)).to(weight.dtype)


def _float32(tensor: StoredTensor) -> Any:
    return _to_torch(tensor).float()


def _to_torch(tensor: StoredTensor) -> Any:
    import torch

    dtype = getattr(torch, _TORCH_NAMES[tensor.dtype])
    return torch.frombuffer(tensor.read(), dtype=dtype).reshape(tensor.shape)
