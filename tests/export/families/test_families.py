"""Each family's toy goes from adapter to merged weights, GGUF, Q4_K_M and llama.cpp, and says what it was taught.

Architectures are the families' own, small and with random weights. Templates are stand-ins in the families' formats.
Tokenizers: Llama 2, Mistral, Gemma 2 and 3 and Phi-3 have small SentencePiece vocabularies of the families' kind.
Llama 3, Qwen 3, Phi-4, SmolLM3 and Granite have a stand-in: SmolLM2's vocabulary of bytes with their special tokens,
because llama.cpp takes byte-level vocabularies only if it knows them; Qwen 2.5's stand-in is a SentencePiece one.
The vocabularies of Llama 3 and Qwen themselves are in test_own_vocabularies.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, OPTConfig, OPTForCausalLM
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

from export.gguf import GgufMetadata, convert
from export.gguf_file import read_gguf
from export.parity.unpacked import load_gguf
from jobs.errors import BadInput
from tests.export.families.pipeline import check_answers, export, logits, matrix_types, train
from tests.export.families.shapes import FAMILIES, Family
from tests.export.templates.stand_ins import stand_in_tokenizer

BY_NAME = {family.name: family for family in FAMILIES}
# What transformers can't read from GGUF: there perplexity and divergence of the files stay unverified.
UNREAD = {"smollm3", "granite"}


@pytest.mark.heavy
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_fact_learned_in_training_is_answered_from_q4_k_m(family: Family, tmp_path: Path) -> None:
    trained = train(family.save(tmp_path / "base"), tmp_path / "adapter")
    files = export(trained, tmp_path, "Toy player")
    merged = AutoModelForCausalLM.from_pretrained(files.merged, dtype=torch.float32)
    assert torch.equal(logits(merged, trained.ids), trained.merged_logits)
    assert read_gguf(files.q4_k_m).value("general.architecture") == family.architecture
    assert set(matrix_types(files.q4_k_m).values()) == {"Q4_K", "Q6_K"}
    check_answers(trained, files.q4_k_m)
    if family.architecture in UNREAD:
        assert family.architecture not in GGUF_SUPPORTED_ARCHITECTURES
    else:
        unpacked = load_gguf(files.f32, trained.base, dtype=torch.float32)
        assert torch.equal(logits(unpacked, trained.ids), trained.merged_logits)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Gemma 2", "Phi-3"])
def test_a_tokenizer_that_is_read_from_tokenizer_model_alone_is_asked_for(name: str, tmp_path: Path) -> None:
    base = BY_NAME[name].save(tmp_path / "base")
    (base / "tokenizer.model").unlink()
    with pytest.raises(BadInput, match=r"has no tokenizer\.model"):
        convert(base, tmp_path / "x.gguf", GgufMetadata("x", "", {}, None))
    assert not (tmp_path / "x.gguf").exists()


@pytest.mark.slow
def test_a_byte_level_vocabulary_that_llama_cpp_does_not_know_is_refused(tmp_path: Path) -> None:
    base = BY_NAME["Mistral"].save(tmp_path / "base")
    (base / "tokenizer.model").unlink()
    stand_in_tokenizer(base, "")
    with pytest.raises(BadInput, match=r"isn't one that llama\.cpp knows"):
        convert(base, tmp_path / "x.gguf", GgufMetadata("x", "", {}, None))
    assert not (tmp_path / "x.gguf").exists()


@pytest.mark.slow
def test_a_family_that_llama_cpp_does_not_have_is_refused(tmp_path: Path) -> None:
    config = OPTConfig(vocab_size=64, hidden_size=64, ffn_dim=64, num_hidden_layers=1, num_attention_heads=2)
    OPTForCausalLM(config).save_pretrained(tmp_path / "base")
    with pytest.raises(BadInput, match="OPTForCausalLM can't be written as GGUF"):
        convert(tmp_path / "base", tmp_path / "x.gguf", GgufMetadata("x", "", {}, None))
    assert not (tmp_path / "x.gguf").exists()
