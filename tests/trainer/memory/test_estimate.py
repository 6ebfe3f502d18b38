"""What any estimate has to be: more never takes less, the parts add up, and each method costs what it must."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hardware import GB
from models.shape import ModelShape
from trainer.memory.estimate import estimate, trained_parameters
from trainer.memory.known_shapes import known_ids, known_shape
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec

models = st.sampled_from(known_ids())
adapters = st.sampled_from(["lora", "qlora", "none"])
objectives = st.sampled_from(["sft", "continued", "dpo", "orpo", "kto"])
running = st.builds(
    Setting,
    backend=st.sampled_from(["unsloth", "peft"]),
    precision=st.sampled_from(["bf16", "fp16", "fp32"]),
    device=st.sampled_from(["gpu", "cpu"]),
    attention=st.sampled_from(["fused", "eager"]),
    logits=st.sampled_from(["chunked", "in_place", "full"]),
    float32_embeddings=st.booleans(),
    master_weights=st.booleans(),
    offloaded_embedding=st.booleans(),
)


def shape_named(name: str) -> ModelShape:
    shape = known_shape(name)
    assert shape is not None
    return shape


def described(**options: Any) -> TrainSpec:
    top = {name: options.pop(name) for name in ("max_length", "model") if name in options}
    names = ("batch_size", "gradient_accumulation", "optimiser", "gradient_checkpointing")
    optimisation = {name: options.pop(name) for name in names if name in options}
    return TrainSpec.parse({"data": "any", **top, "method": options, "optimisation": optimisation})


def total(model: str, setting: Setting, **options: Any) -> int:
    return estimate(shape_named(model), described(**options), setting).total


@settings(max_examples=150, deadline=None)
@given(
    models, running, adapters, objectives, st.integers(1, 64), st.integers(16, 8192), st.integers(1, 128), st.booleans()
)
def test_more_rows_longer_rows_and_a_higher_rank_never_take_less(
    model: str, setting: Setting, adapter: str, objective: str, batch: int, length: int, rank: int, checkpointing: bool
) -> None:
    options: dict[str, Any] = {
        "adapter": adapter, "objective": objective, "batch_size": batch, "max_length": length, "rank": rank,
        "gradient_checkpointing": checkpointing,
    }  # fmt: skip
    start = total(model, setting, **options)
    for name in ("batch_size", "max_length", "rank"):
        assert total(model, setting, **{**options, name: options[name] + 1}) >= start


@settings(max_examples=150, deadline=None)
@given(models, running, adapters, objectives, st.sampled_from(["adamw", "adamw_8bit", "paged_adamw", "adafactor"]))
def test_the_parts_add_up_and_none_is_below_zero(
    model: str, setting: Setting, adapter: str, objective: str, optimiser: str
) -> None:
    spec = described(adapter=adapter, objective=objective, optimiser=optimiser)
    result = estimate(shape_named(model), spec, setting)
    assert sum(part.bytes for part in result.parts) == result.total
    assert len(result.parts) == 7
    assert all(part.bytes >= 0 and part.reason for part in result.parts)
    assert result.as_json()["total"] == result.total
    assert len(result.explain()) == 8


@settings(max_examples=100, deadline=None)
@given(models, running, adapters, st.integers(1, 16), st.integers(64, 4096), st.booleans())
def test_pairs_take_at_least_what_answers_take(
    model: str, setting: Setting, adapter: str, batch: int, length: int, checkpointing: bool
) -> None:
    """The chunks of the two losses differ; with them apart, and with all logits held, a pair is never less.

    Its activations are twice an answer's, or less where the layers' inputs lie in system memory from a size on.
    """
    options: dict[str, Any] = {
        "adapter": adapter, "batch_size": batch, "max_length": length, "gradient_checkpointing": checkpointing
    }  # fmt: skip
    shape = shape_named(model)
    for objective in ("dpo", "orpo", "kto"):
        pairs = estimate(shape, described(objective=objective, **options), setting)
        answers = estimate(shape, described(**options), setting)
        rows, moved = (1 if objective == "kto" else 2), "system memory" in pairs.activations.reason
        assert answers.activations.bytes <= pairs.activations.bytes <= answers.activations.bytes * rows * (1 + 1e-9)
        assert moved or pairs.activations.bytes == pytest.approx(answers.activations.bytes * rows)
        assert objective == "kto" or pairs.activations.bytes > answers.activations.bytes
        assert pairs.weights.bytes >= answers.weights.bytes
        full = replace(setting, logits="full")
        assert total(model, full, objective=objective, **options) >= total(model, full, **options)


def test_the_reference_is_a_second_model_only_where_no_adapter_can_be_turned_off() -> None:
    shape, setting = shape_named("Qwen/Qwen3-8B"), Setting()
    whole = {name: estimate(shape, described(adapter="none", objective=name), setting) for name in ("sft", "dpo")}
    assert whole["dpo"].weights.bytes - whole["sft"].weights.bytes == 2 * shape.parameters
    adapted = {name: estimate(shape, described(objective=name), setting) for name in ("sft", "dpo")}
    assert adapted["dpo"].weights.bytes == adapted["sft"].weights.bytes
    after_sft = estimate(shape, described(objective="dpo", model="job:1"), setting)
    frozen = after_sft.adapter.bytes - adapted["dpo"].adapter.bytes
    assert frozen == 4 * trained_parameters(shape, described())


def test_four_bit_weights_take_about_a_quarter_and_the_embeddings_stay() -> None:
    shape = shape_named("meta-llama/Llama-3.1-8B")
    weights = estimate(shape, described(adapter="qlora"), Setting()).weights.bytes
    assert weights == pytest.approx(0.5159 * 6.979e9 + 2 * 1.0513e9, rel=0.001)
    away = estimate(shape, described(adapter="qlora"), Setting(offloaded_embedding=True)).weights.bytes
    assert weights - away == 2 * 128256 * 4096
    trained = described(adapter="qlora", modules_to_save=["embed_tokens"])
    assert estimate(shape, trained, Setting(offloaded_embedding=True)).weights.bytes == weights
    tied = shape_named("meta-llama/Llama-3.2-3B")
    kept = [estimate(tied, described(adapter="qlora"), Setting(offloaded_embedding=away)) for away in (True, False)]
    assert kept[0] == kept[1]


def test_peft_turns_what_is_not_quantised_into_32_bit_only_in_qlora() -> None:
    shape = shape_named("meta-llama/Llama-3.1-8B")
    upcast = Setting(backend="peft", float32_embeddings=True)
    plain = Setting(backend="peft")
    assert estimate(shape, described(), upcast) == estimate(shape, described(), plain)
    more = estimate(shape, described(adapter="qlora"), upcast).weights.bytes
    assert more - estimate(shape, described(adapter="qlora"), plain).weights.bytes == pytest.approx(2.1e9, rel=0.01)


def test_each_thing_that_saves_memory_saves_it_in_its_own_part() -> None:
    shape = shape_named("Qwen/Qwen3-8B")
    for setting in (Setting(), Setting(backend="peft")):
        plain = estimate(shape, described(), setting)
        for options, part in (
            ({"gradient_checkpointing": True}, "activations"),
            ({"optimiser": "adamw_8bit"}, "optimiser"),
            ({"optimiser": "paged_adamw"}, "optimiser"),
            ({"optimiser": "adafactor"}, "optimiser"),
            ({"adapter": "qlora"}, "weights"),
        ):
            changed = estimate(shape, described(**options), setting)
            assert getattr(changed, part).bytes < 0.6 * getattr(plain, part).bytes
    checkpointed = described(gradient_checkpointing=True)
    offloaded = estimate(shape, checkpointed, Setting()).activations.bytes
    assert offloaded < 0.5 * estimate(shape, checkpointed, Setting(backend="peft")).activations.bytes


def test_without_a_gpu_8_bit_state_is_no_help_and_nothing_is_offloaded() -> None:
    shape, cpu = shape_named("Qwen/Qwen3-0.6B"), Setting(device="cpu")
    assert estimate(shape, described(optimiser="adamw_8bit"), cpu) == estimate(shape, described(), cpu)
    checkpointed = estimate(shape, described(gradient_checkpointing=True), cpu)
    assert checkpointed.activations.bytes >= 28 * 8 * 1024 * 1024 * 2


def test_dora_dropout_and_whole_modules_cost_more() -> None:
    shape, setting = shape_named("Qwen/Qwen3-8B"), Setting()
    plain = estimate(shape, described(), setting).total
    assert estimate(shape, described(dropout=0.1), setting).total > plain
    assert estimate(shape, described(dora=True), setting).total > plain
    whole = estimate(shape, described(modules_to_save=["lm_head"]), setting)
    assert whole.total - plain > 16 * 151936 * 4096


@pytest.mark.parametrize(
    ("model", "objective", "length", "aim"),
    [
        ("meta-llama/Llama-3.1-8B", "sft", 2048, 7.2),
        ("Qwen/Qwen3-8B", "sft", 2048, 7.2),
        ("Qwen/Qwen3-14B", "sft", 2048, 11),
        ("meta-llama/Llama-3.1-8B", "dpo", 1024, 11),
        ("Qwen/Qwen3-8B", "dpo", 1024, 11),
    ],
)
def test_the_aims_for_small_cards_are_met_by_the_estimate(model: str, objective: str, length: int, aim: float) -> None:
    """With Unsloth, input embeddings in system memory, and the loss's chunks as an 8 GB card gets them."""
    setting = Setting(offloaded_embedding=True, loss_budget=250_000_000)
    options: dict[str, Any] = {"adapter": "qlora", "objective": objective, "max_length": length, "batch_size": 1}
    spec = described(**options, optimiser="adamw_8bit", gradient_checkpointing=True)
    assert estimate(shape_named(model), spec, setting).total <= aim * GB
