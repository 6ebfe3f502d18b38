"""Merging an adapter file to file gives what PEFT's own merge gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from export import merge_arithmetic
from export.merge import merge
from jobs.errors import BadInput, Missing, Stopped

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def save_base(tiny_model: Path, folder: Path, dtype: torch.dtype, *, tied: bool = False, **options: Any) -> Path:
    """A copy of the tiny model in `dtype`, with one embedding for input and output or with two."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=dtype, tie_word_embeddings=tied)
    if not tied:
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.02)
    model.save_pretrained(folder, **options)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((tiny_model / name).read_bytes())
    return folder


def save_adapter(base: Path, folder: Path, **options: Any) -> Path:
    """An adapter whose every weight is random, as after training."""
    torch.manual_seed(7)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(**{"target_modules": LINEAR, **options})
    )
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn_like(parameter) * 0.1
    model.save_pretrained(folder)
    return folder


def merged_by_peft(base: Path, adapter: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    return dict(PeftModel.from_pretrained(model, adapter).merge_and_unload().state_dict())


def add_tokens(model: Any, count: int) -> Any:
    """Embeddings for `count` more tokens, each its own."""
    model.resize_token_embeddings(model.config.vocab_size + count, mean_resizing=False)
    return model


def merged_by_us(base: Path, adapter: Path, folder: Path) -> dict[str, torch.Tensor]:
    folder.mkdir()
    merge(base, adapter, folder)
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def assert_same_bits(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    different = [name for name in theirs if not torch.equal(ours[name], theirs[name])]
    assert different == []


KINDS: dict[str, dict[str, Any]] = {
    "lora": {"r": 8, "lora_alpha": 16},
    "rslora": {"r": 8, "lora_alpha": 16, "use_rslora": True},
    "dora": {"r": 4, "use_dora": True},
    "head_in_full": {"r": 4, "modules_to_save": ["lm_head"]},
    "embedding": {"r": 4, "target_modules": ["embed_tokens", "q_proj"]},
    "patterns": {"r": 4, "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.self_attn.q_proj": 3}},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_merged_weights_equal_pefts_bit_for_bit(
    tiny_model: Path, tmp_path: Path, kind: str, dtype: torch.dtype
) -> None:
    base = save_base(tiny_model, tmp_path / "base", dtype)
    adapter = save_adapter(base, tmp_path / "adapter", **KINDS[kind])
    ours = merged_by_us(base, adapter, tmp_path / "merged")
    assert_same_bits(ours, merged_by_peft(base, adapter, dtype))
    before = load_file(base / "model.safetensors")
    assert any(not torch.equal(ours[name], before[name]) for name in before)


def test_a_sharded_base_stays_sharded(tiny_model: Path, tmp_path: Path) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32, max_shard_size="100KB")
    assert len(list(base.glob("*.safetensors"))) > 1
    adapter = save_adapter(base, tmp_path / "adapter", r=4)
    ours = merged_by_us(base, adapter, tmp_path / "merged")
    assert_same_bits(ours, merged_by_peft(base, adapter, torch.float32))
    assert len(list((tmp_path / "merged").glob("*.safetensors"))) == len(list(base.glob("*.safetensors")))
    AutoModelForCausalLM.from_pretrained(tmp_path / "merged")


def test_tied_embeddings_stay_tied_when_the_adapter_leaves_them_alone(tiny_model: Path, tmp_path: Path) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32, tied=True)
    ours = merged_by_us(base, save_adapter(base, tmp_path / "adapter", r=4), tmp_path / "merged")
    assert "lm_head.weight" not in ours
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["tie_word_embeddings"] is True


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_an_adapter_on_one_of_two_tied_embeddings_answers_as_in_training(
    tiny_model: Path, tmp_path: Path, target: str
) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32, tied=True)
    adapter = save_adapter(base, tmp_path / "adapter", r=4, modules_to_save=[target])
    merged_by_us(base, adapter, tmp_path / "merged")
    tokens = torch.tensor([[5, 60, 100, 200]])
    trained = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens).logits, trained(tokens).logits)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("in_full", [True, False], ids=["trained", "frozen"])
def test_added_tokens_come_through(tiny_model: Path, tmp_path: Path, tied: bool, in_full: bool) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32, tied=tied)
    model = add_tokens(AutoModelForCausalLM.from_pretrained(base), 3)
    options = {"modules_to_save": ["embed_tokens", "lm_head"]} if in_full else {}
    torch.manual_seed(7)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], **options))
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn_like(parameter) * 0.1
    tuned.save_pretrained(tmp_path / "adapter")
    merged_by_us(base, tmp_path / "adapter", tmp_path / "merged")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert ours.config.vocab_size == 49155
    assert ours.config.tie_word_embeddings is (tied and not in_full)
    tokens = torch.tensor([[5, 60, 49152, 200, 49154]])
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens).logits, tuned(tokens).logits)


def test_tokens_added_to_one_of_two_embeddings_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32)
    adapter = save_adapter(base, tmp_path / "adapter", r=4, target_modules=["q_proj"], modules_to_save=["lm_head"])
    weights = load_file(adapter / "adapter_model.safetensors")
    name = "base_model.model.lm_head.weight"
    save_file({**weights, name: torch.zeros(49155, 64)}, adapter / "adapter_model.safetensors")
    with pytest.raises(BadInput, match="different numbers of tokens"):
        merge(base, adapter, tmp_path)


TOKENS: dict[str, Any] = {
    "input": [3, 7, 49151],
    "both alike": {"embed_tokens": [3, 7], "lm_head": [3, 7]},
}


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("which", TOKENS)
def test_single_trained_tokens_come_through(tiny_model: Path, tmp_path: Path, which: str, tied: bool) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.bfloat16, tied=tied)
    adapter = save_adapter(
        base, tmp_path / "adapter", r=4, target_modules=["q_proj"], trainable_token_indices=TOKENS[which]
    )
    ours = merged_by_us(base, adapter, tmp_path / "merged")
    theirs = merged_by_peft(base, adapter, torch.bfloat16)
    if "lm_head.weight" not in ours:
        torch.testing.assert_close(theirs["lm_head.weight"], theirs.pop("model.embed_tokens.weight"), rtol=0, atol=0)
        theirs["model.embed_tokens.weight"] = theirs.pop("lm_head.weight")
    assert_same_bits(ours, theirs)
    changed = (
        ours["model.embed_tokens.weight"][3] != load_file(base / "model.safetensors")["model.embed_tokens.weight"][3]
    )
    assert changed.any()


def test_tokens_trained_apart_in_tied_embeddings_answer_as_in_training(tiny_model: Path, tmp_path: Path) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32, tied=True)
    tokens: dict[str, Any] = {"embed_tokens": [3, 7], "lm_head": [1]}
    adapter = save_adapter(base, tmp_path / "adapter", r=4, target_modules=["q_proj"], trainable_token_indices=tokens)
    merged_by_us(base, adapter, tmp_path / "merged")
    trained = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    with torch.no_grad():
        torch.testing.assert_close(
            ours(torch.tensor([[1, 3, 7, 9]])).logits, trained(torch.tensor([[1, 3, 7, 9]])).logits
        )


def test_a_layer_stored_transposed_is_merged_like_pefts(tmp_path: Path) -> None:
    torch.manual_seed(3)
    GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=32)).save_pretrained(
        tmp_path / "base"
    )
    for number, dora in enumerate((False, True)):
        adapter = save_adapter(
            tmp_path / "base", tmp_path / f"adapter{number}", r=4, target_modules=["c_attn"], use_dora=dora,
            fan_in_fan_out=True,
        )  # fmt: skip
        ours = merged_by_us(tmp_path / "base", adapter, tmp_path / f"merged{number}")
        theirs = merged_by_peft(tmp_path / "base", adapter, torch.float32)
        assert_same_bits(ours, {name: tensor for name, tensor in theirs.items() if name in ours})


def test_tensors_larger_than_a_piece_are_merged_alike(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge_arithmetic, "PIECE_ELEMENTS", 1000)
    base = save_base(tiny_model, tmp_path / "base", torch.bfloat16)
    adapter = save_adapter(base, tmp_path / "adapter", r=8, use_dora=True, trainable_token_indices=[0, 15, 16, 49151])
    ours = merged_by_us(base, adapter, tmp_path / "merged")
    assert_same_bits(ours, merged_by_peft(base, adapter, torch.bfloat16))


@pytest.mark.parametrize("rank", [33, 64, 256])
def test_large_ranks_give_pefts_bits_too(tmp_path: Path, rank: int) -> None:
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=32, hidden_size=512, intermediate_size=640, num_hidden_layers=1, num_attention_heads=8
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "base")
    adapter = save_adapter(tmp_path / "base", tmp_path / "adapter", r=rank)
    ours = merged_by_us(tmp_path / "base", adapter, tmp_path / "merged")
    assert_same_bits(ours, merged_by_peft(tmp_path / "base", adapter, torch.float32))


def test_a_stop_in_the_middle_of_a_merge_is_passed_on(tiny_model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    (tmp_path / "merged").mkdir()
    fractions: list[float] = []

    def stop(fraction: float) -> None:
        fractions.append(fraction)
        if fraction > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        merge(tiny_model, adapter, tmp_path / "merged", stop)
    assert fractions == sorted(fractions)
    assert not (tmp_path / "merged" / "config.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full: a file on a full disk")
def test_a_full_disk_is_told_as_such(tiny_model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "model.safetensors").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        merge(tiny_model, adapter, tmp_path / "merged")


def test_the_folder_is_whole_and_the_adapters_template_wins(tiny_model: Path, tmp_path: Path) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32)
    (base / "tokenizer.model").write_bytes(b"sentencepiece")
    (base / "modeling_custom.py").write_text("raise SystemExit")
    settings = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": "old"}))
    adapter = save_adapter(base, tmp_path / "adapter", r=4)
    (adapter / "chat_template.jinja").write_text("trained with this")
    merged_by_us(base, adapter, tmp_path / "merged")
    names = {file.name for file in (tmp_path / "merged").iterdir()}
    assert {"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "model.safetensors"} <= names
    assert "modeling_custom.py" not in names
    assert (tmp_path / "merged" / "chat_template.jinja").read_text() == "trained with this"
    assert "chat_template" not in json.loads((tmp_path / "merged" / "tokenizer_config.json").read_text())


def test_what_cannot_be_merged_is_refused_with_the_reason(tiny_model: Path, tmp_path: Path) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.float32)
    adapter = save_adapter(base, tmp_path / "adapter", r=4)
    settings = adapter / "adapter_config.json"
    original = json.loads(settings.read_text())
    for key, value in {"peft_type": "IA3", "init_lora_weights": "pissa", "lora_bias": True}.items():
        settings.write_text(json.dumps({**original, key: value}))
        with pytest.raises(BadInput, match=key):
            merge(base, adapter, tmp_path)


def test_an_adapter_for_another_base_is_refused(tiny_model: Path, tiny_model_256: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    with pytest.raises(BadInput, match="in the base it is"):
        merge(tiny_model_256, adapter, tmp_path)


def test_a_damaged_adapter_is_named(tiny_model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"adapter_model.safetensors is damaged"):
        merge(tiny_model, adapter, tmp_path)
    weights.unlink()
    with pytest.raises(Missing, match=r"adapter_model.safetensors"):
        merge(tiny_model, adapter, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"dtype":"F32"', b'"dtype":"F64"'),
        (b'"data_offsets":[0,', b'"data_offsets":[1,'),
        (b'"dtype"', b'"dtypo"'),
        (b'{"', b'["'),
    ],
    ids=["another size", "another place", "no dtype", "no JSON"],
)
def test_a_damaged_header_is_named(tiny_model: Path, tmp_path: Path, old: bytes, new: bytes) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    weights = adapter / "adapter_model.safetensors"
    content = weights.read_bytes()
    assert old in content
    weights.write_bytes(content.replace(old, new, 1))
    with pytest.raises(BadInput, match=r"adapter_model.safetensors is damaged"):
        merge(tiny_model, adapter, tmp_path)


def test_numbers_that_no_training_writes_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({name: tensor.to(torch.int8) for name, tensor in weights.items()}, adapter / "adapter_model.safetensors")
    with pytest.raises(BadInput, match="stored as I8"):
        merge(tiny_model, adapter, tmp_path)


def test_damaged_settings_are_named(tiny_model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    settings = adapter / "adapter_config.json"
    settings.write_text(settings.read_text()[:-20])
    with pytest.raises(BadInput, match=r"adapter_config.json is damaged"):
        merge(tiny_model, adapter, tmp_path)


def test_an_adapter_with_undefined_values_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", r=4)
    weights = load_file(adapter / "adapter_model.safetensors")
    first = next(iter(weights))
    save_file({**weights, first: weights[first] * float("nan")}, adapter / "adapter_model.safetensors")
    (tmp_path / "merged").mkdir()
    with pytest.raises(BadInput, match="undefined values"):
        merge(tiny_model, adapter, tmp_path / "merged")


@pytest.mark.parametrize("kind", ["lora", "dora", "embedding"])
def test_a_fine_merge_keeps_what_rounding_to_the_bases_digits_takes_back(
    tiny_model: Path, tmp_path: Path, kind: str
) -> None:
    base = save_base(tiny_model, tmp_path / "base", torch.bfloat16)
    adapter = save_adapter(base, tmp_path / "adapter", **KINDS[kind])
    exact = merged_by_peft(base, adapter, torch.float32)
    coarse = merged_by_us(base, adapter, tmp_path / "coarse")
    (tmp_path / "fine").mkdir()
    report = merge(base, adapter, tmp_path / "fine", fine=True)
    fine = load_file(tmp_path / "fine" / "model.safetensors")
    finer = [name for name, tensor in fine.items() if tensor.dtype == torch.float16]
    assert len(finer) == report.changed
    assert all(torch.equal(fine[name], coarse[name]) for name in coarse if name not in finer)
    for name in finer:
        lost, lost_coarsely = ((merged[name].float() - exact[name]).norm() for merged in (fine, coarse))
        assert lost < lost_coarsely / 6
