"""What a run may take: of the card, of system memory, of the disk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.errors import OutOfRoom
from models.hardware import GB, Gpu, Hardware
from trainer.memory.estimate import estimate
from trainer.memory.known_shapes import known_shape
from trainer.memory.limits import free_for_run, merge_bytes, require_disk, require_memory, run_limit
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec

CARD = Gpu(0, "a card", 8_585_740_288, 8_000_000_000, (8, 9), "580")
MACHINE = Hardware([CARD], 8, 32 * 10**9, 24 * 10**9, 500 * 10**9, "x86")
SMALL = known_shape("Qwen/Qwen3-0.6B")
LARGE = known_shape("Qwen/Qwen3-14B")
assert SMALL is not None
assert LARGE is not None


def described(**values: object) -> TrainSpec:
    return TrainSpec.parse({"data": "any", **values})


def test_a_run_stays_below_what_is_free_and_what_pytorch_gets_leaves_room_for_cuda() -> None:
    limit = run_limit(CARD, None)
    assert limit.bytes == CARD.memory_free - 200_000_000
    assert limit.bytes - limit.fraction * CARD.memory_total == pytest.approx(533_554_432)
    assert "8.0 GB are free" in limit.reason
    large = replace(CARD, memory_total=80 * 10**9, memory_free=79 * 10**9)
    assert run_limit(large, None).bytes == 79 * 10**9 - 1_600_000_000


def test_a_limit_rehearses_a_smaller_card_and_never_raises_what_is_free() -> None:
    large = replace(CARD, memory_total=80 * 10**9, memory_free=79 * 10**9)
    limit = run_limit(large, 8)
    assert limit.bytes == 8 * GB
    assert 0 < limit.fraction < 0.1
    assert run_limit(CARD, 24).bytes == run_limit(CARD, None).bytes
    assert free_for_run(replace(MACHINE, gpus=[large]), 8) == 8 * GB


def test_a_card_that_others_fill_is_refused_in_words() -> None:
    with pytest.raises(OutOfRoom, match="CUDA alone"):
        run_limit(replace(CARD, memory_free=600_000_000), None)


def test_without_a_card_system_memory_counts() -> None:
    machine = replace(MACHINE, gpus=[])
    assert free_for_run(machine, None) < machine.memory_free
    assert free_for_run(machine, 4) == 4 * GB


def test_training_on_a_cpu_needs_all_of_the_estimate_in_system_memory() -> None:
    assert SMALL is not None
    setting, spec = Setting(backend="peft", device="cpu"), described(max_length=256)
    estimated = estimate(SMALL, spec, setting)
    require_memory(SMALL, spec, setting, estimated, replace(MACHINE, memory_free=estimated.total))
    with pytest.raises(OutOfRoom, match="Training on the CPU"):
        require_memory(SMALL, spec, setting, estimated, replace(MACHINE, memory_free=estimated.total - 1))


def test_what_unsloth_moves_beside_the_card_has_to_fit_there() -> None:
    assert LARGE is not None
    spec = described(preset="card_16gb")
    setting = Setting(offloaded_embedding=True)
    estimated = estimate(LARGE, spec, setting)
    require_memory(LARGE, spec, setting, estimated, MACHINE)
    # 40 layers × 4,096 tokens × 5,120 values of 2 bytes, and the embeddings: 3.2 GB beside the libraries.
    with pytest.raises(OutOfRoom, match=r"4\.2 GB of system memory"):
        require_memory(LARGE, spec, setting, estimated, replace(MACHINE, memory_free=4 * 10**9))


def test_a_disk_too_small_for_checkpoints_is_refused_and_one_too_small_for_a_merge_is_said() -> None:
    assert LARGE is not None
    spec = described(preset="card_16gb")
    assert require_disk(LARGE, spec, MACHINE) == []
    [warning] = require_disk(LARGE, spec, replace(MACHINE, disk_free=40 * 10**9))
    assert "30 GB are its 16-bit weights" in warning
    assert merge_bytes(LARGE) > 2 * 2 * LARGE.parameters
    with pytest.raises(OutOfRoom, match=r"keep_checkpoints"):
        require_disk(LARGE, spec, replace(MACHINE, disk_free=2 * 10**9))


def test_training_all_weights_needs_room_for_whole_checkpoints() -> None:
    assert LARGE is not None
    spec = described(method={"adapter": "none"})
    with pytest.raises(OutOfRoom, match=r"177\.2 GB"):
        require_disk(LARGE, spec, MACHINE)
