"""What lies in a model's folder: its tokenizer's files, and how many parameters its weights have."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json",
)  # fmt: skip


def count_parameters(folder: Path) -> int:
    """Parameters of the model in `folder`, read from its safetensors headers alone; 0 where there are none."""
    return sum(_parameters_in(path) for path in folder.glob("*.safetensors"))


def _parameters_in(path: Path) -> int:
    """A safetensors file begins with the length of its JSON header (8 bytes, little-endian), then the header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
