"""The families as toys: each with its own architecture, kind of tokenizer and way of writing conversations.

A row of every matrix has a multiple of 256 numbers, so that Q4_K_M's own types apply to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.export.families.own_vocabularies import FromHub, OwnBytes
from tests.export.families.toy_tokenizers import Sentencepiece, SmolBytes
from tests.export.templates.stand_ins import CHATML, GRANITE, LLAMA3, TEMPLATES

_SHAPE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
_ROLES = ("bos", "eos", "pad")


@dataclass(frozen=True)
class Family:
    """`config`: the name of its class in transformers, with `settings` beyond the common shape; `architecture`: its
    name in a GGUF file. `template`: None where the tokenizer brings its own."""

    name: str
    architecture: str
    config: str
    tokenizer: Sentencepiece | SmolBytes | OwnBytes | FromHub
    template: str | None
    settings: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write a model with random weights to `folder`, which must not exist."""
        import torch
        import transformers
        from tokenizers import Tokenizer

        folder.mkdir(parents=True)
        self.tokenizer.write(folder)
        if self.template is not None:
            (folder / "chat_template.jinja").write_text(self.template, encoding="utf-8")
        tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
        numbers = {f"{role}_token_id": tokens.token_to_id(getattr(self.tokenizer, role)) for role in _ROLES}
        settings = {**_SHAPE, **self.settings, **numbers, "vocab_size": tokens.get_vocab_size()}
        torch.manual_seed(0)
        config = getattr(transformers, self.config)(**settings)
        model: Any = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        # As large as trained ones, so that one token can become much likelier than all others.
        torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.1)
        if not config.tie_word_embeddings:
            torch.nn.init.normal_(
                model.get_output_embeddings().weight, std=0.1 * self.settings.get("logits_scaling", 1)
            )
        model.save_pretrained(folder)
        return folder


_LLAMA2_PIECES = ("<unk>", "<s>", "</s>")
_GEMMA_PIECES = ("<pad>", "<eos>", "<bos>", "<unk>")
_GEMMA = Sentencepiece(
    "<bos>", "<eos>", "<pad>", _GEMMA_PIECES, "none", ("<start_of_turn>", "<end_of_turn>"),
    tokenizer_class="GemmaTokenizer",
)  # fmt: skip
_CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_HEAD = {"head_dim": 64}
FAMILIES = (
    Family(
        "Llama 2",
        "llama",
        "LlamaConfig",
        Sentencepiece("<s>", "</s>", "</s>", _LLAMA2_PIECES, "each"),
        TEMPLATES["Mistral Instruct v0.3"],
    ),
    Family(
        "Llama 3",
        "llama",
        "LlamaConfig",
        SmolBytes(
            "<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>",
            ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        ),
        LLAMA3,
        {"rope_parameters": {
            "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 256,
        }},
    ),
    Family(
        "Mistral",
        "llama",
        "MistralConfig",
        Sentencepiece("<s>", "</s>", "</s>", _LLAMA2_PIECES, "first", ("[INST]", "[/INST]")),
        TEMPLATES["Mistral Instruct v0.3"],
        {"sliding_window": None, **_HEAD},
    ),
    Family(
        "Qwen 2.5",
        "qwen2",
        "Qwen2Config",
        # transformers splits every Qwen 2 vocabulary of bytes as Qwen's own, so SmolLM2's can't stand in here.
        Sentencepiece("<s>", "<|im_end|>", "<|endoftext|>", _LLAMA2_PIECES, "each", added=_CHATML_TOKENS),
        TEMPLATES["Qwen 2.5"],
        {"tie_word_embeddings": True},
    ),
    Family(
        "Qwen 3",
        "qwen3",
        "Qwen3Config",
        SmolBytes("", "<|im_end|>", "<|endoftext|>", ("<tool_call>", "</tool_call>", "<think>", "</think>")),
        TEMPLATES["Qwen 3"],
        {"tie_word_embeddings": True, **_HEAD},
    ),
    Family(
        "Gemma 2",
        "gemma2",
        "Gemma2Config",
        _GEMMA,
        TEMPLATES["Gemma 2"],
        {"sliding_window": 16, "query_pre_attn_scalar": 64, **_HEAD},
    ),
    Family(
        "Gemma 3",
        "gemma3",
        "Gemma3TextConfig",
        _GEMMA,
        TEMPLATES["Gemma 3"],
        {"sliding_window": 16, "query_pre_attn_scalar": 64, "num_hidden_layers": 6, **_HEAD},
    ),
    Family(
        "Phi-3",
        "phi3",
        "Phi3Config",
        Sentencepiece(
            "<s>", "<|endoftext|>", "<|endoftext|>", _LLAMA2_PIECES, "each",
            added=("<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"), strips=True,
        ),
        TEMPLATES["Phi-3"],
        {"sliding_window": 16, "original_max_position_embeddings": 512},
    ),
    Family(
        "Phi-4",
        "phi3",
        "Phi3Config",
        SmolBytes("<|endoftext|>", "<|im_end|>", "<|endoftext|>", ("<|im_sep|>",), "GPT2Tokenizer"),
        TEMPLATES["Phi-4"],
        {"sliding_window": None, "original_max_position_embeddings": 512},
    ),
    # Every fourth layer has no positions, so there are four.
    Family(
        "SmolLM3",
        "smollm3",
        "SmolLM3Config",
        SmolBytes("", "<|im_end|>", "<|endoftext|>", ("<think>", "</think>")),
        CHATML,
        {"num_hidden_layers": 4, "tie_word_embeddings": True},
    ),
    Family(
        "Granite",
        "granite",
        "GraniteConfig",
        SmolBytes(
            "<|end_of_text|>", "<|end_of_text|>", "<|end_of_text|>",
            ("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"),
        ),
        GRANITE,
        {
            "tie_word_embeddings": False,
            "embedding_multiplier": 12.0,
            "attention_multiplier": 0.015625,
            "residual_multiplier": 0.22,
            "logits_scaling": 8.0,
        },
    ),
)  # fmt: skip
