"""Shapes from a model's own files and from the table of published ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.shape import ModelShape
from trainer.memory.known_shapes import known_ids, known_shape
from trainer.memory.shape import read_shape, shape_from_config, shape_of


def shape_named(name: str) -> ModelShape:
    shape = known_shape(name)
    assert shape is not None
    return shape


@pytest.mark.parametrize("hub_id", known_ids())
def test_a_published_shape_has_as_many_parameters_as_published(hub_id: str) -> None:
    """Counted matrix by matrix; Qwen2's biases and the vision towers of Gemma 3 are in the total alone."""
    shape = shape_named(hub_id)
    counted = replace(shape, total=0).parameters
    if shape.family == "gemma3":
        assert 410e6 < shape.total - counted < 430e6
    elif shape.family == "qwen2":
        assert 0 < shape.total - counted < 5e5
    else:
        assert counted == shape.total
    assert shape.parameters == shape.total


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("unsloth/Qwen3-8B-unsloth-bnb-4bit", "Qwen/Qwen3-8B"),
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B"),
        ("meta-llama/Meta-Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistralai/Mistral-7B-v0.3"),
        ("google/gemma-3-4b-it", "google/gemma-3-4b"),
        ("embedded", "HuggingFaceTB/SmolLM2-135M"),
    ],
)
def test_variants_and_copies_share_a_shape(text: str, known: str) -> None:
    assert known_shape(text) == shape_named(known)


def test_a_model_like_none_of_the_table_is_unknown(workspace: Workspace) -> None:
    assert known_shape("someone/Qwen3-9000B") is None
    assert shape_of("someone/Qwen3-9000B", workspace) is None
    assert shape_of("Qwen/Qwen3-8B", workspace) == shape_named("Qwen/Qwen3-8B")


def test_a_folder_is_read_from_its_config_and_the_headers_of_its_weights(
    tiny_model: Path, workspace: Workspace
) -> None:
    from transformers import AutoModelForCausalLM

    shape = shape_of(str(tiny_model), workspace)
    assert shape == read_shape(tiny_model)
    assert shape is not None
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert shape.parameters == model.num_parameters()
    linear = [module.weight for name, module in model.named_modules() if name.endswith("_proj")]
    assert shape.linear_parameters == sum(weight.numel() for weight in linear)
    assert shape.embedding_parameters == model.get_input_embeddings().weight.numel()


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "down_proj"]])
def test_an_adapter_is_counted_as_peft_makes_it(tiny_model: Path, targets: Any, dora: bool) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    adapted = get_peft_model(
        model,
        LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=targets, use_dora=dora, modules_to_save=["embed_tokens"]),
    )
    shape = read_shape(tiny_model)
    counted = shape.adapter_parameters(targets, 4, dora=dora) + shape.whole_parameters(["embed_tokens"])
    assert counted == adapted.get_nb_trainable_parameters()[0]


def test_a_model_that_also_sees_is_read_by_its_language_part() -> None:
    config = {
        "model_type": "gemma3",
        "text_config": {
            "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
            "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
        },
        "vision_config": {"hidden_size": 1152},
    }  # fmt: skip
    shape = shape_from_config(config, "gemma-3-4b")
    known = shape_named("google/gemma-3-4b")
    assert shape == replace(known, total=0, family="gemma3_text")
    assert replace(shape, total=known.total).other_parameters > 4e8


def test_fused_projections_and_experts_are_counted() -> None:
    fused = shape_named("microsoft/phi-4")
    assert set(fused.matrices) == {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}
    mixture = shape_named("Qwen/Qwen3-30B-A3B")
    assert mixture.expert_parameters > 0.9 * mixture.total
    assert set(mixture.matrices) == {"q_proj", "k_proj", "v_proj", "o_proj"}
    config = {
        "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 768,
        "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
        "num_experts": 128, "num_experts_per_tok": 8, "vocab_size": 151936, "tie_word_embeddings": False,
    }  # fmt: skip
    assert shape_from_config(config, "Qwen3-30B-A3B") == replace(mixture, total=0)


def test_files_that_can_not_be_used_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"no config\.json"):
        read_shape(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert-like", "hidden_size": 8}))
    with pytest.raises(BadInput, match="num_hidden_layers"):
        read_shape(tmp_path)


def test_the_page_can_estimate_without_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, trainer.memory.fit, trainer.memory.limits, trainer.memory.records, trainer.memory.known_shapes\n"
        "print([name for name in ('torch', 'transformers', 'trl', 'peft', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
