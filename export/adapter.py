"""A PEFT LoRA adapter as it lies on disk: which base tensors it changes, by what factor, and what can't be merged."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.tensors import MERGEABLE, StoredTensor, damaged, read_shard
from jobs.errors import BadInput, Missing

_PREFIX = "base_model.model."
_PARTS = {
    "lora_A.weight": "a",
    "lora_B.weight": "b",
    "lora_embedding_A": "a",
    "lora_embedding_B": "b",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
}
# PEFT stores the frozen layer beside a tuned embedding, and a trained one under two names.
_COPIES = (".base_layer.", ".original_module.", ".modules_to_save.")
_TOKEN_ROWS = ".token_adapter.trainable_tokens_delta"
# Settings of PEFT under which W + scale · B·A is not what the adapter computes.
_NOT_MERGEABLE = (
    "alora_invocation_tokens", "arrow_config", "kasa_config", "layer_replication", "lora_bias", "monteclora_config",
    "target_parameters", "use_bdlora", "use_qalora", "velora_config",
)  # fmt: skip
# The other ways to start (pissa, olora, corda, loftq, …) change the base weights as well.
_PLAIN_STARTS = (True, False, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class LowRankUpdate:
    """What the adapter adds to one base tensor: `scale` · B·A, transposed where the layer stores it so.

    a: (rank, inputs); b: (outputs, rank); magnitude: (outputs,) with DoRA, else None. `embedding`: PEFT rounds the
    product to the base's dtype before it adds it.
    """

    a: StoredTensor
    b: StoredTensor
    magnitude: StoredTensor | None
    scale: float
    transposed: bool
    embedding: bool


@dataclass(frozen=True)
class TokenRows:
    """Rows of an embedding that were trained and nothing else of it: `rows` (tokens, width) stand at `indices`."""

    indices: tuple[int, ...]
    rows: StoredTensor


@dataclass(frozen=True)
class Adapter:
    """Keys of `updates`, `replaced` and `tokens` are names of base tensors; `replaced` are tensors trained in full."""

    folder: Path
    updates: dict[str, LowRankUpdate]
    replaced: dict[str, StoredTensor]
    tokens: dict[str, TokenRows]
    keeps_tying: bool

    @property
    def touched(self) -> set[str]:
        """Names of all base tensors that it changes."""
        return self.updates.keys() | self.replaced.keys() | self.tokens.keys()


def read_adapter(folder: Path) -> Adapter:
    """Read adapter_config.json and the header of adapter_model.safetensors.

    Raises Missing when one of them isn't there, BadInput for a damaged file or a kind that can't be merged.
    """
    config = _read_config(folder)
    _refuse_what_does_not_merge(folder, config)
    parts: dict[str, dict[str, StoredTensor]] = {}
    replaced: dict[str, StoredTensor] = {}
    tokens: dict[str, TokenRows] = {}
    for tensor in read_shard(folder / "adapter_model.safetensors").tensors:
        if tensor.dtype not in MERGEABLE:
            raise damaged(tensor.file, f"{tensor.name} is stored as {tensor.dtype}, which no training writes.")
        name = tensor.name.removeprefix(_PREFIX)
        module, part = _split(name)
        if part is not None:
            parts.setdefault(module, {})[part] = tensor
        elif name.endswith(_TOKEN_ROWS):
            embedding = name.removesuffix(_TOKEN_ROWS)
            tokens[f"{embedding}.weight"] = TokenRows(_token_indices(folder, config, embedding), tensor)
        elif not any(copy in name for copy in _COPIES):
            replaced[name] = tensor
    updates = {f"{module}.weight": _update(folder, config, module, found) for module, found in parts.items()}
    return Adapter(folder, updates, replaced, tokens, keeps_tying=bool(config.get("ensure_weight_tying")))


def _read_config(folder: Path) -> dict[str, Any]:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise Missing(
                f"{folder} has no {name}.", "An adapter consists of both files.", "Check that the training finished."
            )
    try:
        return dict(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")))
    except ValueError as error:
        raise BadInput(
            f"{folder / 'adapter_config.json'} is damaged.", str(error), "Train or copy it again."
        ) from error


def _refuse_what_does_not_merge(folder: Path, config: dict[str, Any]) -> None:
    kind = config.get("peft_type")
    reasons = [f"{name}: {config[name]}" for name in _NOT_MERGEABLE if config.get(name)]
    if kind != "LORA":
        reasons.append(f"peft_type: {kind}")
    if config.get("init_lora_weights", True) not in _PLAIN_STARTS:
        reasons.append(f"init_lora_weights: {config['init_lora_weights']}")
    if reasons:
        raise BadInput(
            f"The adapter in {folder} can't be merged ({'; '.join(reasons)}).",
            "Only LoRA, rsLoRA and DoRA are sums that can be written into the base's weights here.",
            "Export the adapter alone (to: [adapter]), or train with method lora.",
        )


def _split(name: str) -> tuple[str, str | None]:
    """Module and part (a, b, magnitude) of a tensor's name; the part is None for a tensor trained in full."""
    for ending, part in _PARTS.items():
        if name.endswith("." + ending):
            return name[: -len(ending) - 1], part
    return name, None


def _token_indices(folder: Path, config: dict[str, Any], embedding: str) -> tuple[int, ...]:
    """Which rows of `embedding` were trained; a plain list in the settings means the input embedding."""
    given = config.get("trainable_token_indices")
    if isinstance(given, dict):
        given = next((rows for name, rows in given.items() if f".{embedding}".endswith(f".{name}")), None)
    if not isinstance(given, list):
        raise BadInput(
            f"The adapter in {folder} is damaged.",
            f"It holds rows of {embedding}, but its settings don't say which (trainable_token_indices).",
            "Train or copy it again.",
        )
    return tuple(int(index) for index in given)


def _update(folder: Path, config: dict[str, Any], module: str, found: dict[str, StoredTensor]) -> LowRankUpdate:
    if "a" not in found or "b" not in found:
        raise BadInput(f"The adapter in {folder} is damaged.", f"{module} has only half of its update.", "Train again.")
    embedding = found["a"].name.endswith("lora_embedding_A")
    if embedding and "magnitude" in found:
        raise BadInput(
            f"The adapter in {folder} uses DoRA on {module}.",
            "DoRA on an embedding can't be merged here yet.",
            "Export the adapter alone, or train without DoRA on the embeddings.",
        )
    rank = found["a"].shape[0]
    return LowRankUpdate(
        a=found["a"],
        b=found["b"],
        magnitude=found.get("magnitude"),
        scale=_scale(config, module, rank),
        transposed=embedding or bool(config.get("fan_in_fan_out")),
        embedding=embedding,
    )


def _scale(config: dict[str, Any], module: str, rank: int) -> float:
    """alpha/rank, or alpha/√rank for rsLoRA (https://arxiv.org/abs/2312.03732); alpha may differ by module."""
    alpha = config["lora_alpha"]
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            alpha = value
            break
    divisor = math.sqrt(rank) if config.get("use_rslora") else rank
    return float(alpha / divisor)
