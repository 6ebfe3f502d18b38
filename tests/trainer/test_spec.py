"""TrainSpec and what `auto` becomes."""

from __future__ import annotations

import pytest

from jobs.errors import BadInput
from trainer.sft import default_learning_rate, total_steps
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


def test_steps_count_incomplete_batches_and_accumulation() -> None:
    assert total_steps(spec(optimisation={"batch_size": 8}), 33) == 5
    assert total_steps(spec(optimisation={"batch_size": 8, "gradient_accumulation": 2}), 33) == 3
    assert total_steps(spec(optimisation={"batch_size": 8, "epochs": 2.5}), 33) == 13
    assert total_steps(spec(optimisation={"batch_size": 8, "max_steps": 4}), 33) == 4


def test_the_learning_rate_follows_size_and_method() -> None:
    small, why = default_learning_rate(135_000_000, "lora")
    assert small > default_learning_rate(8_000_000_000, "lora")[0] > default_learning_rate(8_000_000_000, "none")[0]
    assert "under 0.5B" in why
