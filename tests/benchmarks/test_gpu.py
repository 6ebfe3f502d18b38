"""The GPU benchmark where there is no GPU: its order, table, aims and resuming with made-up results, and a tiny run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gpu_aims import Aim, aims, best
from benchmarks.gpu_meter import BY_CARD, BY_PROCESS, Meter
from benchmarks.gpu_models import TINY as TINY_SHAPES
from benchmarks.gpu_models import config_of, shape_named, tensor_shapes, write_model
from benchmarks.gpu_plan import REAL, TINY, Result, Setting, make_plan, memory_aims, next_setting, same_batch
from benchmarks.gpu_report import Conditions, best_table, read_results, table, write_report
from jobs.errors import BadInput
from models.folder import count_parameters
from trainer.monitor import CardProcess

PROJECT = Path(__file__).resolve().parents[2]
GB = 1_000_000_000
MADE_UP = Conditions("A made-up card", True, False, "0", "3.11", {"torch": "0"}, 12, "16 bit")


def made_up(setting: Setting, speed: float = 1000.0, peak_gb: float = 6.0, estimated_gb: float | None = None) -> Result:
    """A run that fitted, with figures that no card ever gave."""
    estimated = round(estimated_gb * GB) if estimated_gb else None
    said = None if estimated is None else True
    return Result(setting, 60.0, speed, round(peak_gb * GB), BY_PROCESS, estimated, said, True)


def made_up_full(setting: Setting, *, said_fits: bool | None = None) -> Result:
    return Result(setting, 30.0, None, 8 * GB, BY_PROCESS, 7 * GB, said_fits, False, "Memory is full with batches of …")


def verdicts(results: list[Result], *, on_card: bool = True) -> list[str]:
    return [aim.verdict for aim in aims(results, REAL, on_card=on_card)]


def aim_of(results: list[Result], beginning: str) -> Aim:
    return next(aim for aim in aims(results, REAL, on_card=True) if aim.what.startswith(beginning))


def three_at_the_same_batch() -> list[Result]:
    unsloth, plain, peft = same_batch(REAL, "8B")
    return [made_up(unsloth, 2500, 9, 9.5), made_up(plain, 1000, 20), made_up(peft, 1500, 12, 12)]


def test_the_three_memory_aims_come_first_then_all_contestants_at_the_same_batch() -> None:
    first = [step.setting for step in make_plan(REAL, 24.0)[:6]]
    assert first == [*memory_aims(REAL), *same_batch(REAL, "8B")]
    assert [(each.model, each.objective, each.length, each.cap_gb) for each in first[:3]] == [
        ("8B", "sft", 2048, 8.0),
        ("8B", "dpo", 1024, 12.0),
        ("14B", "sft", 2048, 12.0),
    ]


def test_best_batches_are_looked_for_only_under_caps_that_the_card_has_room_for() -> None:
    def caps(card_gb: float | None) -> set[float | None]:
        plan = make_plan(REAL, card_gb)
        return {step.setting.cap_gb for step in plan if step.doubling and step.setting.model == "8B"}

    assert caps(12.9) == {8.0, 12.0}
    assert caps(24.0) == {8.0, 12.0, 16.0}
    assert all(step.setting.cap_gb is None for step in make_plan(TINY, None))


def test_batches_double_until_memory_is_full_and_a_known_result_is_not_run_again() -> None:
    step = next(step for step in make_plan(REAL, 24.0) if step.doubling)
    one, two, four = (replace(step.setting, batch_size=size) for size in (1, 2, 4))
    assert next_setting([step], {}, 64) == one
    assert next_setting([step], {one: made_up(one)}, 64) == two
    assert next_setting([step], {one: made_up(one), two: made_up(two)}, 64) == four
    assert next_setting([step], {one: made_up(one), two: made_up_full(two)}, 64) is None
    assert next_setting([step], {one: made_up(one)}, largest_batch=1) is None


def test_the_table_gives_each_run_against_the_plain_script_at_the_same_setting() -> None:
    text = table(three_at_the_same_batch())
    assert (
        "| 8B | qlora sft | 4 × 1,024 | none | unsloth | 2,500 | 9.00 GB | 2.50 × speed, 0.45 × memory "
        "| 9.50 GB | +6 % | yes | yes |"
    ) in text
    assert "| plain | 1,000 | 20.00 GB |  |  |  |  | yes |" in text


def test_a_run_that_did_not_fit_or_broke_shows_it_and_no_ratio() -> None:
    unsloth, plain, peft = same_batch(REAL, "8B")
    broken = Result(peft, 5.0, estimated=6 * GB, said_fits=True, problem="backend: it can't run here | at all")
    text = table([made_up_full(unsloth, said_fits=False), made_up(plain), broken])
    assert "| unsloth | memory full |  |  | 7.00 GB |  | no | no |" in text
    assert "| peft | backend: it can't run here / at all |  |  | 6.00 GB |  | yes |  |" in text
    assert "× speed" not in text


def test_without_a_card_or_on_tiny_shapes_no_aim_is_measured() -> None:
    assert set(verdicts(three_at_the_same_batch(), on_card=False)) == {"not measured"}
    assert set(verdicts([])) == {"not measured"}


def test_memory_aims_are_judged_by_the_better_backend_and_a_full_memory_misses_them() -> None:
    first, pairs, large = memory_aims(REAL)
    peft = replace(first, contestant="peft")
    results = [made_up(first, peak_gb=7.5), made_up(peft, peak_gb=7.1), made_up(pairs, peak_gb=11.3)]
    judged = aims([*results, made_up_full(large)], REAL, on_card=True)[:3]
    assert [aim.verdict for aim in judged] == ["met", "not met", "not met"]
    assert judged[0].found == "7.10 GB (peft)"
    assert judged[2].found == "memory was full within 12 GB"


def test_twice_the_speed_and_half_the_memory_are_ratios_to_the_plain_script() -> None:
    assert aim_of(three_at_the_same_batch(), "Twice plain PEFT's speed, 8B, 4 ×") == Aim(
        "Twice plain PEFT's speed, 8B, 4 × 1,024 tokens", "met", "2.50 ×"
    )
    assert aim_of(three_at_the_same_batch(), "Half plain").verdict == "met"
    slower = [replace(each, tokens_per_second=1000.0, peak=19 * GB) for each in three_at_the_same_batch()]
    assert aim_of(slower, "Twice plain PEFT's speed, 8B, 4 ×").verdict == "not met"
    assert aim_of(slower, "Half plain").verdict == "not met"
    _, plain, _ = same_batch(REAL, "8B")
    without = [each for each in slower if each.setting != plain]
    assert aim_of([*without, made_up_full(plain)], "Half plain").verdict == "not measured"


def test_a_best_batch_counts_only_once_its_search_has_ended() -> None:
    base = Setting("8B", "unsloth", cap_gb=12.0)
    one, two, four = (replace(base, batch_size=size) for size in (1, 2, 4))
    tried = [made_up(one, 900), made_up(two, 1200)]
    assert best(tried, base, 64) is None
    found = best([*tried, made_up_full(four)], base, 64)
    assert found is not None and found.setting == two
    plain = [
        replace(each, setting=replace(each.setting, contestant="plain"), tokens_per_second=500.0) for each in tried
    ]
    ended = [*tried, made_up_full(four), *plain, made_up_full(replace(four, contestant="plain"))]
    assert aim_of(ended, "Twice plain PEFT's speed, 8B, each") == Aim(
        "Twice plain PEFT's speed, 8B, each at its own best batch", "met", "2.40 × within 12 GB"
    )
    assert "| 8B | 2,048 | 12 GB | unsloth | 2 | 1,200 | 6.00 GB | 2.40 × speed, 1.00 × memory |" in best_table(
        ended, REAL
    )


def test_estimates_are_held_to_ten_per_cent_and_a_false_fits_is_named() -> None:
    setting = memory_aims(REAL)[0]
    close = made_up(setting, peak_gb=6.0, estimated_gb=6.5)
    assert aim_of([close], "Estimates").verdict == "met"
    assert aim_of([close], "Never").verdict == "met"
    far = made_up(replace(setting, batch_size=2), peak_gb=6.0, estimated_gb=5.0)
    assert aim_of([close, far], "Estimates").verdict == "not met"
    assert "1 of 2, at worst -17%" in aim_of([close, far], "Estimates").found
    wrong = made_up_full(replace(setting, batch_size=4), said_fits=True)
    assert aim_of([close, wrong], "Never").verdict == "not met"
    assert "8B qlora sft, 4 × 2,048" in aim_of([close, wrong], "Never").found
    careful = made_up_full(replace(setting, batch_size=4), said_fits=False)
    assert aim_of([close, careful], "Never").verdict == "met"


def test_results_are_read_again_but_runs_that_broke_are_tried_anew(tmp_path: Path) -> None:
    fitted, full, broken = same_batch(REAL, "8B")
    results = [made_up(fitted, estimated_gb=6.2), made_up_full(full), Result(broken, 1.0, problem="it broke")]
    write_report(tmp_path, MADE_UP, results, REAL)
    assert read_results(tmp_path, MADE_UP) == results[:2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-made-up-card.json", "a-made-up-card.md"]
    assert read_results(tmp_path / "elsewhere", MADE_UP) == []


def test_results_under_other_conditions_are_not_mixed(tmp_path: Path) -> None:
    write_report(tmp_path, MADE_UP, three_at_the_same_batch(), REAL)
    with pytest.raises(BadInput, match="steps: 12, now 20"):
        read_results(tmp_path, replace(MADE_UP, steps=20))


class FakeCard:
    """Stands in for a card whose answers the test sets; there is no driver here to ask."""

    def __init__(self) -> None:
        self.in_use = 2 * GB
        self.running: list[CardProcess] = []

    def used(self) -> int:
        return self.in_use

    def processes(self) -> list[CardProcess]:
        return self.running


def test_memory_is_the_process_s_own_at_its_peak() -> None:
    card = FakeCard()
    meter = Meter(0, card=card)  # type: ignore[arg-type]
    meter.watch(7)
    for own in (3 * GB, 5 * GB, 4 * GB):
        card.running = [CardProcess(7, own), CardProcess(8, 9 * GB)]
        meter.look()
    assert (meter.peak, meter.measured_by) == (5 * GB, BY_PROCESS)


def test_where_the_driver_does_not_know_the_process_the_whole_card_counts_less_what_was_in_use() -> None:
    card = FakeCard()
    meter = Meter(0, card=card)  # type: ignore[arg-type]
    meter.watch(7)
    card.in_use, card.running = 6 * GB, [CardProcess(4711, None)]
    meter.look()
    assert (meter.peak, meter.measured_by) == (4 * GB, BY_CARD)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1B", "14B"])
def test_models_have_as_many_parameters_as_the_published_ones(name: str) -> None:
    shape = shape_named(name)
    sizes = (first * rest[0] if rest else first for first, *rest in tensor_shapes(config_of(shape)).values())
    assert sum(sizes) == shape.total


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY_SHAPES)
def test_a_written_model_loads_and_computes(name: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    shape = shape_named(name)
    folder = write_model(shape, tmp_path / "model")
    assert count_parameters(folder) == shape.parameters
    model, about = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, output_loading_info=True)
    assert not about["missing_keys"] and not about["unexpected_keys"]
    logits = model(torch.tensor([[1, 2, 3]])).logits
    assert logits.shape == (1, 3, 49152) and logits.isfinite().all()
    query, key = (model.model.layers[0].self_attn.get_submodule(f"{part}_proj").weight for part in "qk")
    assert 0.015 < float(query.detach().float().std()) < 0.025
    assert not torch.equal(query[: len(key)], key)


def run_benchmark(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(out), *options]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=environment)


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = run_benchmark(tmp_path)
    assert done.returncode == 2
    assert "no NVIDIA GPU" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.heavy
@pytest.mark.timeout(1200)
def test_tiny_shapes_run_through_everything_without_a_gpu_and_a_second_call_finds_nothing_left(tmp_path: Path) -> None:
    done = run_benchmark(tmp_path, "--tiny")
    assert done.returncode == 0, done.stderr
    known = json.loads((tmp_path / "tiny-shapes-on-cpu.json").read_text())
    ran = {(each["setting"]["contestant"], each["setting"]["batch_size"]) for each in known["results"]}
    assert ran == {(contestant, size) for contestant in ("plain", "peft", "unsloth") for size in (1, 2)}
    assert {each["setting"]["objective"] for each in known["results"]} == {"sft", "dpo"}
    for each in known["results"]:
        assert each["did_fit"] and each["tokens_per_second"] > 0 and each["peak"] > 100_000_000, each
        plain = each["setting"]["contestant"] == "plain"
        assert (each["estimated"] is None) == (each["error"] is None) == plain
    assert {aim["verdict"] for aim in known["aims"]} == {"not measured"}
    report = (tmp_path / "tiny-shapes-on-cpu.md").read_text()
    assert report.count("× speed") >= 4
    assert "only show that the benchmark runs" in report
    again = run_benchmark(tmp_path, "--tiny", "--resume")
    assert again.returncode == 0 and "tokens/s," not in again.stderr
    assert report in again.stdout
