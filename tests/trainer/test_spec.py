"""TrainSpec, its presets, and what `auto` becomes."""

from __future__ import annotations

import pytest
import yaml

from jobs.errors import BadInput
from trainer.plan import choose_batching, choose_optimiser, default_learning_rate, total_steps
from trainer.presets import PRESETS, PresetName
from trainer.spec import TrainSpec


def spec(**options: object) -> TrainSpec:
    return TrainSpec.parse({"data": "sums", **options})


def test_all_problems_of_a_spec_come_in_one_message() -> None:
    with pytest.raises(BadInput) as caught:
        spec(method={"rang": 4, "adapter": "loha"}, optimisation={"epochs": 0}, precison="bf16")
    message = str(caught.value)
    for part in (
        "4 problems",
        "method.rang: unknown option (did you mean rank?)",
        "method.adapter",
        "optimisation.epochs",
    ):
        assert part in message
    assert "precison: unknown option (did you mean precision?)" in message


def test_a_learning_rate_has_to_be_one() -> None:
    with pytest.raises(BadInput, match="at most 1"):
        spec(optimisation={"learning_rate": 3})


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"adapter": "lora", "loftq": True}, "needs adapter qlora"),
        ({"adapter": "none", "dora": True}, "belong to an adapter"),
        ({"adapter": "none", "modules_to_save": ["lm_head"]}, "belong to an adapter"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(method: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        spec(method=method)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_spec_and_what_is_said_besides_wins(name: PresetName) -> None:
    plain = spec(preset=name)
    values = PRESETS[name].values
    for group, options in values.items():
        for option, value in options.items() if isinstance(options, dict) else [(None, options)]:
            found = getattr(plain, group) if option is None else getattr(getattr(plain, group), option)
            assert found == value, f"{group}.{option}"
    own = spec(preset=name, method={"rank": 3}, max_length=99)
    assert (own.method.rank, own.max_length) == (3, 99)
    assert own.method.adapter == plain.method.adapter, "the rest of the group stays the preset's"
    assert TrainSpec.parse(own.model_dump(mode="json")) == own
    # A value that equals the default where the preset says otherwise has to be said, too.
    default = spec(preset=name, method={"rank": spec().method.rank}, max_length=spec().max_length)
    for each in (plain, own, default):
        assert TrainSpec.parse(yaml.safe_load(each.to_yaml(only_changed=True))) == each


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="quick_lora"):
        spec(preset="slow_lora")


def test_steps_count_incomplete_batches_and_accumulation() -> None:
    assert total_steps(spec(optimisation={"batch_size": 8}), 33) == 5
    assert total_steps(spec(optimisation={"batch_size": 8, "gradient_accumulation": 2}), 33) == 3
    assert total_steps(spec(optimisation={"batch_size": 8, "epochs": 2.5}), 33) == 13
    assert total_steps(spec(optimisation={"batch_size": 8, "max_steps": 4}), 33) == 4


def test_the_learning_rate_follows_size_method_and_objective() -> None:
    small, why = default_learning_rate(135_000_000, spec())
    whole = spec(method={"adapter": "none"})
    assert small > default_learning_rate(8_000_000_000, spec())[0] > default_learning_rate(8_000_000_000, whole)[0]
    assert "under 0.5B" in why
    pairs, why = default_learning_rate(135_000_000, spec(method={"objective": "dpo"}))
    assert pairs < small / 10
    assert "dpo" in why


def test_an_optimiser_that_needs_a_gpu_is_replaced_without_one_and_said() -> None:
    assert choose_optimiser("adamw_8bit", on_gpu=True) == ("adamw_8bit", "asked for")
    name, why = choose_optimiser("paged_adamw_8bit", on_gpu=False)
    assert name == "adamw_torch_fused"
    assert "needs a GPU" in why


def test_rows_stand_one_after_the_other_unless_the_model_or_the_person_says_otherwise() -> None:
    assert choose_batching(spec(), keeps_rows_apart=True)[0] == "padding_free"
    assert choose_batching(spec(), keeps_rows_apart=False)[0] == "by_length"
    assert choose_batching(spec(method={"objective": "continued"}), keeps_rows_apart=True)[0] == "packing"
    assert choose_batching(spec(optimisation={"batching": "padded"}), keeps_rows_apart=True)[0] == "padded"
    packed_pairs = spec(method={"objective": "dpo"}, optimisation={"batching": "packing"})
    assert choose_batching(packed_pairs, keeps_rows_apart=True)[0] == "padding_free"
