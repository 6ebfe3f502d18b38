"""Merge a LoRA adapter into its base model's 16-bit weights, tensor by tensor from file to file.

What an adapter was trained on (4-bit or 16-bit) doesn't matter: the update is added to the base as it is stored.
Memory doesn't grow with the model: see export/merge_arithmetic.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export.adapter import Adapter, read_adapter
from export.merge_arithmetic import Merged, merged_pieces, row_ranges
from export.tensors import MERGEABLE, Shard, ShardWriter, StoredTensor, read_shards
from jobs.errors import BadInput
from jobs.files import write_json
from models.folder import TOKENIZER_FILES

MODEL_FILES = ("config.json", "generation_config.json")
_INPUT_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight")
_HEAD = "lm_head.weight"
_EMBEDDINGS = (*_INPUT_EMBEDDINGS, _HEAD)

Progress = Callable[[float], None]


@dataclass(frozen=True)
class MergeReport:
    """`changed`: base tensors that the adapter changed; `untied`: whether input and output embeddings came apart."""

    changed: int
    tensors: int
    size_bytes: int
    untied: bool


def merge(
    base: Path,
    adapter: Path,
    output: Path,
    progress: Progress = lambda _fraction: None,
    *,
    fine: bool = False,
) -> MergeReport:
    """Write base + adapter as a model folder to `output` (a folder that exists and is empty).

    `fine`: what the adapter changes in BF16 weights is written in F16, which has three more digits in as many bytes. A
    short training changes weights by less than a digit of BF16, and rounding takes back a part of what was learned.

    Shards, settings and else dtypes are the base's; tokenizer and chat template are the adapter's where it has them,
    and so is the size of the vocabulary when training added tokens. Raises Missing or BadInput when the base or adapter
    can't be used, or don't belong together.
    """
    shards = read_shards(base)
    change = _without_tied_copy(read_adapter(adapter), shards)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    _refuse_quantised(base, config)
    untied = _tied_name(config, shards, change)
    plans = [[_plan(tensor, change, fine) for tensor in shard.tensors] for shard in shards]
    if untied is not None:
        plans[-1].append(_untied_output(untied, shards, change, fine))
        config["tie_word_embeddings"] = False
    _refuse_other_base(base, change, {item.name for plan in plans for item in plan})
    _set_vocabulary(config, change, shards, plans)
    total = sum(item.source.size for plan in plans for item in plan)
    done = 0
    for shard, plan in zip(shards, plans, strict=True):
        for size in _write_shard(output / shard.file.name, plan):
            done += size
            progress(done / total)
    if len(shards) > 1:
        _write_index(output, shards, plans)
    copy_model_files(base, adapter, output)
    write_json(output / "config.json", config)
    return MergeReport(
        changed=len(change.touched),
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
    unknown = sorted(change.touched - names)
    if unknown:
        raise BadInput(
            f"The adapter in {change.folder} doesn't belong to the base model in {base}.",
            f"{len(unknown)} of the tensors it changes aren't there, for example {unknown[0]}.",
            "Export with the base model that the adapter was trained on.",
        )


def _plan(tensor: StoredTensor, change: Adapter, fine: bool) -> Merged:
    """A base tensor's output: replaced, updated or as it is."""
    update, tokens = change.updates.get(tensor.name), change.tokens.get(tensor.name)
    source = change.replaced.get(tensor.name, tensor)
    if tensor.name in change.touched and tensor.dtype not in MERGEABLE:
        raise BadInput(
            f"{tensor.file}: {tensor.name} is stored as {tensor.dtype}.",
            "An adapter is merged into 32- or 16-bit weights.",
            "Give the same model in 16 bits.",
        )
    if update is not None:
        shape = (update.b.shape[0], update.a.shape[1])
        _check_shape(tensor, shape[::-1] if update.transposed else shape)
    if tokens is not None:
        _check_shape(tensor, (max(tensor.rows, *(index + 1 for index in tokens.indices)), tokens.rows.shape[-1]))
    if source is not tensor and not tensor.name.endswith(_EMBEDDINGS):
        _check_shape(tensor, source.shape)
    if source.shape[1:] != tensor.shape[1:]:
        _check_shape(tensor, source.shape)
    finer = fine and update is not None and tensor.dtype == "BF16"
    return Merged(tensor.name, source, "F16" if finer else tensor.dtype, update, tokens)


def _check_shape(tensor: StoredTensor, changed: tuple[int, ...]) -> None:
    if tensor.shape != changed:
        raise BadInput(
            f"The adapter changes {tensor.name} as {changed}, but in the base it is {tensor.shape}.",
            "The adapter was trained on another base model.",
            "Export with the base model that the adapter was trained on.",
        )


def _without_tied_copy(change: Adapter, shards: list[Shard]) -> Adapter:
    """When tokens were added to a model with tied embeddings, PEFT stores the one embedding under both names."""
    names = {tensor.name for shard in shards for tensor in shard.tensors}
    head = change.replaced.get(_HEAD)
    shared = next((held for name, held in change.replaced.items() if name.endswith(_INPUT_EMBEDDINGS)), None)
    if _HEAD in names or head is None or shared is None or not _same_bytes(head, shared):
        return change
    replaced = {name: held for name, held in change.replaced.items() if name != _HEAD}
    return replace(change, replaced=replaced, keeps_tying=True)


def _same_bytes(left: StoredTensor, right: StoredTensor) -> bool:
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    return all(left.read_rows(*rows) == right.read_rows(*rows) for rows in row_ranges(left))


def _set_vocabulary(config: dict[str, Any], change: Adapter, shards: list[Shard], plans: list[list[Merged]]) -> None:
    """When training added tokens, their number goes into the settings. Raises BadInput when only one of two embeddings
    has them."""
    before = {tensor.name: tensor.rows for shard in shards for tensor in shard.tensors}
    now = {item.name: item.source.rows for plan in plans for item in plan if item.name.endswith(_EMBEDDINGS)}
    resized = {rows for name, rows in now.items() if name in change.replaced and rows != before.get(name, rows)}
    if not resized:
        return
    if len(set(now.values())) > 1:
        raise BadInput(
            f"The adapter in {change.folder} gives the embeddings different numbers of tokens: {now}.",
            "Tokens were added to one of the two only.",
            "Train with both in modules_to_save, or without added tokens.",
        )
    for holder in (config, config.get("text_config")):
        if holder and "vocab_size" in holder:
            holder["vocab_size"] = next(iter(resized))


def _tied_name(config: dict[str, Any], shards: list[Shard], change: Adapter) -> str | None:
    """Name of the input embedding when the adapter changes one of two tied embeddings and so unties them, else None."""
    names = [tensor.name for shard in shards for tensor in shard.tensors]
    if not config.get("tie_word_embeddings") or _HEAD in names or change.keeps_tying:
        return None
    embedding = next((name for name in names if name.endswith(_INPUT_EMBEDDINGS)), None)
    # Single tokens trained in the input embedding alone are trained in the output embedding as well.
    apart = change.updates.keys() | change.replaced.keys() | (change.tokens.keys() & {_HEAD})
    return embedding if {embedding, _HEAD} & apart else None


def _untied_output(embedding: str, shards: list[Shard], change: Adapter, fine: bool) -> Merged:
    """The output embedding that the base shared with its input: the base's, with the adapter's own change to it."""
    shared = next(tensor for shard in shards for tensor in shard.tensors if tensor.name == embedding)
    renamed = StoredTensor(_HEAD, shared.dtype, shared.shape, shared.file, shared.start, shared.size)
    return _plan(renamed, change, fine)


def _write_shard(file: Path, plan: list[Merged]) -> Iterator[int]:
    """Write one file; the size of each tensor is yielded when it is written."""
    with ShardWriter(file, [(item.name, item.dtype, item.source.shape) for item in plan]) as writer:
        for item in plan:
            if item.as_stored:
                writer.copy(item.source)
            else:
                writer.write(merged_pieces(item))
            yield item.source.size


def _write_index(output: Path, shards: list[Shard], plans: list[list[Merged]]) -> None:
    places = {item.name: shard.file.name for shard, plan in zip(shards, plans, strict=True) for item in plan}
    total = sum((output / shard.file.name).stat().st_size for shard in shards)
    write_json(output / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})
