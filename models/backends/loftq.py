"""LoftQ (Li et al. 2023, https://arxiv.org/abs/2310.08659) for a model that is loaded in 4 bit.

An adapter usually starts by changing nothing, so the model starts with the error that 4 bit made. Here it starts as
the best approximation of that error that its rank allows: the first singular vectors of (16-bit weight − 4-bit weight).
PEFT's own function for this wants a CUDA device and an alpha equal to the rank; this one wants neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.errors import Missing
from jobs.files import read_json

PREFIX = "base_model.model."
# Randomised SVD: more columns than wanted and a few passes make the first ones accurate (Halko et al. 2011).
OVERSAMPLING = 8
PASSES = 4


def start_from_what_4bit_lost(model: Any, folder: Path) -> None:
    """Set the fresh adapter of a 4-bit PEFT `model`; `folder` holds the 16-bit weights as safetensors."""
    import torch
    from bitsandbytes.functional import dequantize_4bit
    from peft.tuners.lora.bnb import Linear4bit

    where = _tensor_files(folder)
    for name, module in model.named_modules():
        if not isinstance(module, Linear4bit):
            continue
        held = module.get_base_layer().weight
        with torch.no_grad():
            lost = _tensor(where, name.removeprefix(PREFIX) + ".weight").to(held.device, torch.float32)
            lost -= dequantize_4bit(held.data, held.quant_state).float()
            rank, scale = module.r["default"], module.scaling["default"]
            left, values, right = torch.svd_lowrank(lost, q=min(rank + OVERSAMPLING, *lost.shape), niter=PASSES)
            root = values[:rank].sqrt()
            module.lora_A["default"].weight.copy_((right[:, :rank] * root).T)
            module.lora_B["default"].weight.copy_(left[:, :rank] * root / scale)


def _tensor_files(folder: Path) -> dict[str, Path]:
    """The file that holds each tensor."""
    index = read_json(folder / "model.safetensors.index.json")
    if index is not None:
        return {name: folder / file for name, file in index["weight_map"].items()}
    from safetensors import safe_open

    found: dict[str, Path] = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found |= dict.fromkeys(file.keys(), path)
    return found


def _tensor(where: dict[str, Path], name: str) -> Any:
    from safetensors import safe_open

    if name not in where:
        raise Missing(
            f"The base model's weights don't hold {name}.",
            "LoftQ compares the 16-bit weights with the 4-bit ones, layer by layer.",
            "Turn off method.loftq, or choose a base whose weights are 16-bit safetensors.",
        )
    with safe_open(where[name], framework="pt") as file:
        return file.get_tensor(name)
