"""Estimate and truth are kept line by line, and a probe corrects what is not exactly known."""

from __future__ import annotations

import pytest

from jobs.workspace import Workspace
from trainer.memory.estimate import MemoryEstimate, estimate
from trainer.memory.known_shapes import known_shape
from trainer.memory.records import corrected, read_records, record_run, records_path
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec


def estimated() -> MemoryEstimate:
    shape = known_shape("Qwen/Qwen3-8B")
    assert shape is not None
    return estimate(shape, TrainSpec.parse({"data": "any", "preset": "card_8gb"}), Setting())


def test_records_come_back_in_order_with_their_error_and_torn_lines_are_passed_over(workspace: Workspace) -> None:
    assert read_records(workspace) == []
    guess = estimated()
    for peak in (guess.total, None, round(guess.total / 1.1)):
        record_run(
            workspace, job="1", model="Qwen/Qwen3-8B", card="a card", settings={"batch_size": 1},
            estimated=guess, probed=peak, peak=peak,
        )  # fmt: skip
    with records_path(workspace).open("a", encoding="utf-8") as file:
        file.write('{"job": "2", "mod')
    records = read_records(workspace)
    assert [record.error for record in records] == [0, None, pytest.approx(0.1, abs=1e-6)]
    assert records[0].estimated["total"] == guess.total
    assert records[0].settings == {"batch_size": 1}


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0, 1.3])
def test_after_a_probe_the_estimate_is_what_it_measured(share: float) -> None:
    guess = estimated()
    measured = round(guess.total * share)
    result = corrected(guess, measured)
    assert result.total == measured
    assert all(part.bytes >= 0 for part in result.parts)
    assert (result.adapter, result.gradients, result.optimiser) == (guess.adapter, guess.gradients, guess.optimiser)
    if share > 0.8:
        assert result.weights == guess.weights
