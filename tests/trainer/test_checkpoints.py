"""Checkpoints on the disk: which are whole, which are good, which are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from trainer.checkpoints import (
    checkpoints_in,
    find_checkpoint,
    is_intact,
    prune,
    rises_since_best,
    set_aside,
    write_hashes,
)
from trainer.loop import is_over


def save(folder: Path, step: int) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "deeper").mkdir(parents=True)
    (checkpoint / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 10)
    (checkpoint / "deeper" / "optimizer.pt").write_bytes(b"state" * 100)
    write_hashes(checkpoint)
    return checkpoint


def flip_a_byte(checkpoint: Path) -> None:
    path = checkpoint / "adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def cut(checkpoint: Path) -> None:
    path = checkpoint / "deeper" / "optimizer.pt"
    path.write_bytes(path.read_bytes()[:-1])


def lose_a_file(checkpoint: Path) -> None:
    (checkpoint / "deeper" / "optimizer.pt").unlink()


def lose_the_hashes(checkpoint: Path) -> None:
    (checkpoint / "hashes.json").unlink()


def cut_the_hashes(checkpoint: Path) -> None:
    path = checkpoint / "hashes.json"
    path.write_bytes(path.read_bytes()[:20])


def empty_the_hashes(checkpoint: Path) -> None:
    (checkpoint / "hashes.json").write_bytes(b"\0" * 50)


DAMAGES = [flip_a_byte, cut, lose_a_file, lose_the_hashes, cut_the_hashes, empty_the_hashes]


@pytest.mark.parametrize("damage", DAMAGES)
def test_any_damage_is_noticed_and_the_checkpoint_before_is_taken(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    older, newer = save(tmp_path, 9), save(tmp_path, 10)
    assert find_checkpoint(tmp_path).checkpoint == newer
    damage(newer)
    found = find_checkpoint(tmp_path)
    assert (found.checkpoint, found.damaged) == (older, [newer])
    set_aside(found.damaged)
    assert [step for step, _ in checkpoints_in(tmp_path)] == [9]
    assert (tmp_path / "damaged-checkpoint-10").is_dir(), "kept for whoever wants to look"


def test_where_all_are_damaged_there_is_none_to_go_on_from(tmp_path: Path) -> None:
    for step in (2, 4):
        flip_a_byte(save(tmp_path, step))
    found = find_checkpoint(tmp_path)
    assert found.checkpoint is None
    assert [path.name for path in found.damaged] == ["checkpoint-4", "checkpoint-2"]
    assert find_checkpoint(tmp_path / "nothing").checkpoint is None


def test_the_same_checkpoint_can_be_set_aside_twice(tmp_path: Path) -> None:
    for _ in range(2):
        set_aside([save(tmp_path, 4)])
    assert not is_intact(tmp_path / "checkpoint-4")


def test_a_half_written_checkpoint_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-10").mkdir()
    (tmp_path / ".saving" / "checkpoint-20").mkdir(parents=True)
    (tmp_path / "checkpoint-9").mkdir()
    (tmp_path / "checkpoint-12.part").mkdir()
    assert [step for step, _ in checkpoints_in(tmp_path)] == [9, 10]


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8, 10):
        save(tmp_path, step)
    prune(tmp_path, keep=2, best_step=4)
    assert [step for step, _ in checkpoints_in(tmp_path)] == [4, 8, 10]
    prune(tmp_path, keep=1, best_step=None)
    assert [step for step, _ in checkpoints_in(tmp_path)] == [10]


def test_a_run_is_over_after_its_last_step_or_when_the_loss_rose_for_long_enough() -> None:
    history = [{"loss": 1.0, "step": 1}, *({"eval_held_out_loss": 1.0 + step, "step": step} for step in (2, 4, 6))]
    state = SimpleNamespace(global_step=6, best_global_step=2, log_history=history)
    assert rises_since_best(state) == 2
    assert is_over(state, total_steps=6, patience=None)
    assert not is_over(state, total_steps=7, patience=None)
    assert is_over(state, total_steps=7, patience=2)
    assert not is_over(state, total_steps=7, patience=3)
