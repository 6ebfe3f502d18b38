"""Make it fit: what is answered always fits, changes as little as needed, and says what was given up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hardware import GB
from models.shape import ModelShape
from trainer.memory.estimate import estimate
from trainer.memory.fit import Fit, fit, fits, margin
from trainer.memory.known_shapes import known_ids, known_shape
from trainer.memory.setting import Setting, loss_budget
from trainer.presets import PRESETS
from trainer.spec import TrainSpec

GIB = 1024**3
ORDER = [
    "optimisation.batch_size",
    "optimisation.gradient_checkpointing",
    "optimisation.optimiser",
    "method.adapter",
    "max_length",
    "method.rank",
]


def shape_named(name: str) -> ModelShape:
    shape = known_shape(name)
    assert shape is not None
    return shape


def described(**values: Any) -> TrainSpec:
    return TrainSpec.parse({"data": "any", **values})


def merged(spec: TrainSpec, values: dict[str, Any]) -> TrainSpec:
    """A spec with nested values put over it, as a person pastes them."""
    whole = spec.model_dump(mode="json")
    for name, value in values.items():
        whole[name] = {**whole[name], **value} if isinstance(value, dict) else value
    return TrainSpec.parse(whole)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(known_ids()),
    st.sampled_from(["lora", "qlora", "none"]),
    st.sampled_from(["sft", "dpo", "kto"]),
    st.sampled_from([Setting(), Setting(backend="peft", float32_embeddings=True), Setting(device="cpu")]),
    st.integers(1, 48),
    st.integers(1, 8),
    st.integers(16, 8192),
    st.integers(1, 128),
    st.floats(1, 90),
    st.booleans(),
)
def test_what_is_said_to_fit_fits_with_its_margin_and_keeps_the_effective_batch(
    model: str, adapter: str, objective: str, setting: Setting,
    batch: int, accumulation: int, length: int, rank: int, gigabytes: float, use_room: bool,
) -> None:  # fmt: skip
    spec = described(
        max_length=length,
        method={"adapter": adapter, "objective": objective, "rank": rank},
        optimisation={"batch_size": batch, "gradient_accumulation": accumulation},
    )
    shape, free = shape_named(model), round(gigabytes * GB)
    found = fit(shape, spec, setting, free, use_room=use_room)
    assert found.spec.optimisation.effective_batch == spec.optimisation.effective_batch
    assert merged(spec, found.values) == found.spec
    assert found.after == estimate(shape, found.spec, setting)
    assert found.fits == (found.after.total + margin(found.after) <= free)
    assert found.before.total - found.after.total == sum(change.saved for change in found.changes)
    order = [change.option for change in found.changes if change.saved >= 0]
    assert order == sorted(order, key=ORDER.index)
    if not found.fits:
        assert found.spec.optimisation.batch_size == 1
        assert "lacking" in found.help


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(known_ids()), st.integers(1, 8), st.integers(16, 2048))
def test_nothing_changes_where_all_fits(model: str, batch: int, length: int) -> None:
    spec = described(max_length=length, optimisation={"batch_size": batch})
    needed = estimate(shape_named(model), spec, Setting())
    found = fit(shape_named(model), spec, Setting(), needed.total + margin(needed))
    assert (found.fits, found.values, found.changes, found.spec) == (True, {}, (), spec)
    assert "Fits as it is" in found.words[0]


def steps(found: Fit) -> list[str]:
    return [change.option.split(".")[-1] for change in found.changes]


def test_less_is_given_up_the_more_room_there_is() -> None:
    spec = described(max_length=2048, optimisation={"batch_size": 8})
    shape = shape_named("Qwen/Qwen3-8B")
    found = {free: fit(shape, spec, Setting(), free * 10**9) for free in (200, 60, 26, 16, 12, 8)}
    assert all(each.fits for each in found.values())
    assert steps(found[200]) == []
    assert steps(found[60]) == ["batch_size"]
    assert steps(found[26])[0] == "gradient_checkpointing"
    assert "adapter" not in steps(found[26])
    assert "adapter" in steps(found[16])
    assert found[8].spec.optimisation.batch_size <= found[12].spec.optimisation.batch_size
    assert "max_length" not in steps(found[12])


def test_rows_are_shortened_only_when_nothing_else_helps_and_the_rank_after_that() -> None:
    spec = described(
        max_length=8192,
        method={"adapter": "qlora", "rank": 64, "alpha": 128},
        optimisation={"batch_size": 1, "gradient_accumulation": 4},
    )
    shape = shape_named("meta-llama/Llama-3.1-8B")
    shorter = fit(shape, spec, Setting(), round(10.5 * GB))
    assert shorter.fits
    assert 256 <= shorter.spec.max_length < 8192
    assert shorter.spec.max_length % 64 == 0
    assert shorter.spec.method.rank == 64
    lower = fit(shape, spec, Setting(), round(8.6 * GB))
    assert lower.fits
    assert 4 <= lower.spec.method.rank < 64
    assert lower.spec.max_length > 256
    assert lower.spec.method.alpha == 2 * lower.spec.method.rank
    assert lower.values["method"] == {"rank": lower.spec.method.rank, "alpha": lower.spec.method.alpha}


def test_each_sentence_says_what_was_given_up_and_what_it_saves() -> None:
    spec = described(max_length=1024, optimisation={"batch_size": 8})
    found = fit(shape_named("meta-llama/Llama-3.2-1B"), spec, Setting(), 8 * 10**9)
    change = found.changes[0]
    after = found.spec.optimisation
    assert found.words[0] == (
        f"batch 8 → {after.batch_size}, accumulation {8 // after.batch_size}: saves {change.saved / GB:.1f} GB"
    )


def test_room_that_is_left_is_used_when_asked_for() -> None:
    spec = described(preset="card_8gb")
    shape = shape_named("Qwen/Qwen3-0.6B")
    assert fit(shape, spec, Setting(), 8 * 10**9).values == {}
    found = fit(shape, spec, Setting(), 8 * 10**9, use_room=True)
    assert found.spec.optimisation.batch_size > 1
    assert found.spec.optimisation.effective_batch == 16
    assert "of the room left" in found.words[-1]


def test_what_can_not_fit_is_said_with_what_would_help() -> None:
    found = fit(shape_named("Qwen/Qwen3-14B"), described(), Setting(), 4 * 10**9)
    assert not found.fits
    assert "a model of up to" in found.help
    assert found.words[-1] == found.help
    size = float(found.help.split("a model of up to ")[1].split()[0])
    assert 2 < size < 8


@pytest.mark.parametrize(
    ("preset", "gigabytes", "model"),
    [
        ("card_8gb", 8, "Qwen/Qwen3-4B"),
        ("card_8gb", 8, "mistralai/Mistral-7B-v0.3"),
        ("card_8gb", 8, "meta-llama/Llama-3.1-8B"),
        ("card_8gb", 8, "Qwen/Qwen3-8B"),
        ("card_12gb", 12, "meta-llama/Llama-3.1-8B"),
        ("card_12gb", 12, "Qwen/Qwen3-8B"),
        ("card_12gb", 12, "google/gemma-2-9b"),
        ("card_16gb", 16, "Qwen/Qwen3-8B"),
        ("card_16gb", 16, "microsoft/phi-4"),
        ("card_16gb", 16, "Qwen/Qwen3-14B"),
        ("card_16gb", 16, "google/gemma-3-12b"),
    ],
)
def test_the_presets_for_cards_fit_their_cards(preset: Any, gigabytes: int, model: str) -> None:
    """A card of N GB has N GiB, of which a desktop takes half a GB; the margin is kept besides."""
    spec = described(preset=preset)
    assert PRESETS[preset].values["method"]["adapter"] == "qlora"
    setting = Setting(offloaded_embedding=True, loss_budget=loss_budget(gigabytes * GIB))
    assert fits(estimate(shape_named(model), spec, setting), gigabytes * GIB - 500_000_000)
