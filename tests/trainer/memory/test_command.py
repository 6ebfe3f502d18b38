"""`fit` from a terminal: the parts, what was given up, and values that can be pasted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from cli.fit import fit
from cli.shared import ANY_OPTION
from jobs.errors import BadInput, Missing
from models.hardware import probe
from trainer.spec import TrainSpec

app = typer.Typer()
app.command(context_settings=ANY_OPTION)(fit)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def run_json(*arguments: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return values


def test_what_was_given_up_is_said_and_the_values_can_be_pasted(tmp_path: Path) -> None:
    text = run("--model", "Qwen/Qwen3-8B", "--gpu-gb", "8", "--workspace", str(tmp_path))
    for words in ("Weights", "Overhead", "of 8.00 GB", "lora → qlora: saves"):
        assert words in text
    pasted = yaml.safe_load(text.split("To write into the spec:")[1])
    spec = TrainSpec.parse({"data": "any", "model": "Qwen/Qwen3-8B", **pasted})
    assert spec.method.adapter == "qlora"
    assert spec.optimisation.effective_batch == 8


def test_any_option_counts_and_json_carries_everything(tmp_path: Path) -> None:
    place = ("--workspace", str(tmp_path), "--gpu-gb", "16")
    low = run_json("--model", "Qwen/Qwen3-8B", "--preset", "card_16gb", *place, "--method.rank", "8")
    high = run_json("--model", "Qwen/Qwen3-8B", "--preset", "card_16gb", *place, "--method.rank", "64")
    assert low["fits"]
    assert low["values"] == {}
    assert high["asked"]["adapter"] == 8 * low["asked"]["adapter"]
    assert set(low["reasons"]) | {"total"} == set(low["estimate"])


def test_without_a_card_it_is_held_against_system_memory() -> None:
    hardware = probe()
    if hardware.gpus:
        pytest.skip("this machine has a card")
    found = run_json("--model", "embedded")
    assert "no NVIDIA GPU" in found["notes"][0]
    assert found["free"] == pytest.approx(hardware.memory_free, rel=0.3)


def test_an_unknown_model_and_two_limits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="Qwen/Qwen3-8B"):
        run("--model", "someone/unheard-of", "--gpu-gb", "8", "--workspace", str(tmp_path))
    with pytest.raises(BadInput, match="Keep one"):
        run("--model", "Qwen/Qwen3-8B", "--gpu-gb", "8", "--safety.memory_limit_gb", "6")
