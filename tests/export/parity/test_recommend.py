"""Which file is recommended: what fits, what passed, what it costs."""

from __future__ import annotations

from dataclasses import replace

from export.parity.answers import AnswerCheck
from export.parity.behaviour import Behaviour
from export.parity.recommend import Machine, cache_bytes, memory_to_run, recommend
from export.parity.report import FileReport, TaskResult
from models.hardware import GB

CARD = Machine("NVIDIA Card", 12 * GB)


def file(
    label: str, gigabytes: float, cost: float | None, *, stopped: int = 4, outcome: str | None = None
) -> FileReport:
    size = round(gigabytes * 1e9)
    found = None if cost is None else Behaviour(5.0, cost, cost, cost, 0.01, 0.98, 100, 100)
    answers = AnswerCheck(4, 4, 4, 4, stopped, 0, 30.0, False, ())
    task = None if outcome is None else TaskResult("snake", 0.5, 0.6, 60, outcome, "worse by 10 points")
    return FileReport(
        f"m-{label}.gguf", label, size, memory_to_run(size, 0), answers=answers, behaviour=found, task=task
    )


F16, Q8, Q4, Q3 = (
    file("F16", 16.1, 0.0),
    file("Q8_0", 8.5, 0.0003),
    file("Q4_K_M", 5.0, 0.004),
    file("Q3_K_M", 4.0, 0.041),
)


def test_the_smallest_file_whose_cost_nobody_notices() -> None:
    found = recommend([F16, Q8, Q4, Q3], CARD)
    assert found.file == "m-Q4_K_M.gguf"
    assert found.sentence == ("For NVIDIA Card (12 GB) use Q4_K_M: 5.0 GB, costs 0.4 % perplexity.")
    assert found.others == "Q8_0 costs nothing measurable; Q3_K_M costs 4.1 %."
    assert found.caution == "Not checked of it: prompts, the task's score."


def test_what_does_not_fit_the_card_is_not_recommended() -> None:
    assert recommend([F16, Q8], CARD).file == "m-Q8_0.gguf"
    none = recommend([F16], CARD)
    assert none.file is None
    assert "None of these files fits NVIDIA Card (12 GB)" in none.sentence


def test_where_all_cost_something_the_one_that_costs_least() -> None:
    assert recommend([Q3, file("Q2_K", 3.0, 0.2)], CARD).file == "m-Q3_K_M.gguf"


def test_a_file_that_does_not_stop_is_never_recommended() -> None:
    broken = file("Q4_K_M", 5.0, 0.004, stopped=0)
    assert recommend([Q8, broken], CARD).file == "m-Q8_0.gguf"
    assert recommend([broken], CARD).file is None


def test_a_file_that_is_worse_at_the_task_yields_to_one_that_is_not() -> None:
    worse = file("Q4_K_M", 5.0, 0.004, outcome="worse")
    found = recommend([Q8, worse], CARD)
    assert found.file == "m-Q8_0.gguf"
    assert "use Q8_0: 8.5 GB, costs no measurable perplexity." in found.sentence
    assert found.others == "Q4_K_M costs 0.4 % and is worse at the task."


def test_a_difference_within_the_noise_is_no_cost_and_no_gain() -> None:
    noisy = replace(Q4, behaviour=Behaviour(5.0, -0.009, -0.03, 0.012, 0.01, 0.98, 100, 100))
    found = recommend([Q8, noisy], CARD)
    assert "use Q4_K_M: 5.0 GB, costs no measurable perplexity." in found.sentence
    assert noisy.to_json()["table"]["Perplexity"] == "no loss measured"


def test_without_measurements_nothing_is_recommended() -> None:
    found = recommend([file("Q8_0", 1.0, None)], CARD)
    assert found.file is None
    assert "was not measured" in found.sentence


def test_keys_and_values_of_a_llama_of_eight_billion() -> None:
    config = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096}
    assert cache_bytes(config, 8192) == 1024**3
