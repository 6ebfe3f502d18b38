"""The shape of a model, read from its config.json and the headers of its weights, without torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.errors import BadInput, Missing
from jobs.files import read_json
from jobs.workspace import Workspace
from models.folder import count_parameters
from models.local_files import local_folder
from models.shape import ModelShape


def read_shape(folder: Path) -> ModelShape:
    """The shape of the model in `folder`. Raises Missing without config.json, BadInput for a config with no layers."""
    config = read_json(folder / "config.json")
    if config is None:
        raise Missing(
            f"{folder} holds no model.", "There is no config.json in it.", "Give the folder that transformers saved."
        )
    shape = shape_from_config(config, folder.name)
    return shape if "quantization_config" in config else replace(shape, total=count_parameters(folder))


def shape_from_config(config: dict[str, Any], name: str) -> ModelShape:
    """The shape that a config.json describes; of a model that also sees, that of its language part."""
    text = {**config, **config.get("text_config", {})}
    wanted = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    lacking = [key for key in wanted if not isinstance(text.get(key), int)]
    if lacking:
        raise BadInput(
            f"{name}: its config.json can't be used.",
            f"It doesn't say {', '.join(lacking)}, from which memory is estimated.",
            "Use a decoder model in transformers' format, such as Llama, Mistral, Qwen, Gemma, Phi or SmolLM.",
        )
    heads = text["num_attention_heads"]
    experts = text.get("num_local_experts") or text.get("num_experts") or 0
    inner = text.get("moe_intermediate_size") if experts else None
    return ModelShape(
        name=name,
        family=text.get("model_type") or config.get("model_type") or "llama",
        layers=text["num_hidden_layers"],
        hidden=text["hidden_size"],
        intermediate=inner or text.get("intermediate_size") or 4 * text["hidden_size"],
        heads=heads,
        kv_heads=text.get("num_key_value_heads") or heads,
        head_dim=text.get("head_dim") or text["hidden_size"] // heads,
        # transformers leaves out of a saved config what is its class's default: Gemma's vocabulary and tied tables.
        vocabulary=text.get("vocab_size") or (262208 if "gemma3" in str(config.get("model_type")) else 32000),
        tied=_tied(config, text),
        experts=experts,
        experts_per_token=(text.get("num_experts_per_tok") or 1) if experts else 0,
    )


def _tied(config: dict[str, Any], text: dict[str, Any]) -> bool:
    said = text.get("tie_word_embeddings", config.get("tie_word_embeddings"))
    return bool(said) if said is not None else "gemma" in str(text.get("model_type"))


def shape_of(text: str, workspace: Workspace) -> ModelShape | None:
    """The shape of the model that `text` names: from its files where they are here, else as published; else None."""
    from trainer.memory.known_shapes import known_shape

    folder = local_folder(text, workspace)
    if folder is not None and (folder / "config.json").is_file():
        return read_shape(folder)
    return known_shape(_base_of(text, workspace))


def _base_of(text: str, workspace: Workspace) -> str:
    """The model that a train job began with, else `text` itself."""
    seen: set[str] = set()
    while text.startswith("job:") and text not in seen:
        seen.add(text)
        text = str(workspace.job(text.removeprefix("job:")).header["spec"].get("model"))
    return text
