"""The same way from adapter to answer with the families' own tokenizers, where they can be had.

Llama 3's and Qwen's vocabularies come with the packages llama-models and dashscope (templates are stand-ins, special
tokens are put in place by hand); with HF_HUB_OFFLINE=0 and `-m hub` every family is tried as it is published.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from export.gguf_file import read_gguf
from tests.export.families.own_vocabularies import FromHub, OwnBytes
from tests.export.families.pipeline import check_answers, export, train
from tests.export.families.shapes import FAMILIES, Family

BY_NAME = {family.name: family for family in FAMILIES}
_RESERVED = tuple(f"<|reserved_special_token_{number}|>" for number in range(5))
# Name of the family, its tokenizer, and what llama.cpp calls this way of splitting text.
PACKAGED = {
    "Llama 3": (
        OwnBytes(
            "llama_models", "llama3/api/tokenizer.model", r"\p{N}{1,3}",
            "<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>",
            (
                "<|begin_of_text|>", "<|end_of_text|>", *_RESERVED[:4], "<|start_header_id|>", "<|end_header_id|>",
                *_RESERVED[4:], "<|eot_id|>",
            ),
        ),
        "llama-bpe",
    ),
    "Qwen 2.5": (
        OwnBytes(
            "dashscope", "resources/qwen.tiktoken", r"\p{N}", "", "<|im_end|>", "<|endoftext|>",
            ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "Qwen2Tokenizer", composed=True,
        ),
        "qwen2",
    ),
}  # fmt: skip
PUBLISHED = {
    "Llama 3": FromHub("unsloth/Llama-3.2-1B-Instruct", "<|begin_of_text|>", "<|eot_id|>", "<|finetune_right_pad_id|>"),
    "Mistral": FromHub("unsloth/mistral-7b-instruct-v0.3", "<s>", "</s>", "</s>"),
    "Qwen 2.5": FromHub("Qwen/Qwen2.5-0.5B-Instruct", "", "<|im_end|>", "<|endoftext|>"),
    "Qwen 3": FromHub("Qwen/Qwen3-0.6B", "", "<|im_end|>", "<|endoftext|>"),
    "Gemma 2": FromHub("unsloth/gemma-2-2b-it", "<bos>", "<eos>", "<pad>"),
    "Gemma 3": FromHub("unsloth/gemma-3-1b-it", "<bos>", "<eos>", "<pad>"),
    "Phi-3": FromHub("microsoft/Phi-3-mini-4k-instruct", "<s>", "<|endoftext|>", "<|endoftext|>"),
    "Phi-4": FromHub("microsoft/phi-4", "<|endoftext|>", "<|im_end|>", "<|endoftext|>"),
    "SmolLM3": FromHub("HuggingFaceTB/SmolLM3-3B", "", "<|im_end|>", "<|im_end|>"),
    "Granite": FromHub("ibm-granite/granite-3.3-2b-instruct", "<|end_of_text|>", "<|end_of_text|>", "<|end_of_text|>"),
}


def follow(family: Family, folder: Path) -> Path:
    """From adapter to answer; the quantised file."""
    trained = train(family.save(folder / "base"), folder / "adapter")
    files = export(trained, folder, "Toy player")
    check_answers(trained, files.q4_k_m)
    return files.q4_k_m


@pytest.mark.heavy
@pytest.mark.parametrize("name", PACKAGED)
def test_a_family_answers_with_its_own_vocabulary(name: str, tmp_path: Path) -> None:
    tokenizer, splitting = PACKAGED[name]
    file = follow(replace(BY_NAME[name], tokenizer=tokenizer), tmp_path)
    assert read_gguf(file).value("tokenizer.ggml.pre") == splitting


@pytest.mark.hub
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_family_answers_with_its_published_tokenizer_and_template(name: str, tmp_path: Path) -> None:
    follow(replace(BY_NAME[name], tokenizer=PUBLISHED[name], template=None), tmp_path)
