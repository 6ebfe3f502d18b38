"""`python cli.py doctor`: on this machine, and what it prints for machines that tests play."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from models.doctor.facts import Facts
from tests.models.doctor import machines

PROJECT = Path(__file__).resolve().parents[2]


def play(facts: Facts, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Exit status and what the quick command prints on that machine."""
    monkeypatch.setattr("models.doctor.reading.read_facts", lambda _workspace: facts)
    done = CliRunner().invoke(app, ["doctor", "--quick", *arguments])
    return done.exit_code, done.stdout


def test_this_machine_is_examined_without_writing_anything(tmp_path: Path) -> None:
    command = [sys.executable, "cli.py", "doctor", "--quick", "--json", "--workspace", str(tmp_path / "w")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    document = json.loads(done.stdout)
    assert done.returncode == (0 if document["well"] else 1)
    assert {"Python", "PyTorch", "Disk", "Workspace"} <= {finding["name"] for finding in document["findings"]}
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("facts", "status", "said"),
    [
        (machines.NO_CARD, 0, "No NVIDIA card was found."),
        (machines.one_card(8), 0, "with 8.0 GB"),
        (machines.one_card(24), 0, "with 24.0 GB"),
        (machines.SEVERAL, 0, "run: CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=1 python app.py"),
        (machines.OLD_DRIVER, 1, "driver 470.256 speaks CUDA 11.4 at most"),
        (machines.PROCESSOR_TORCH, 1, "run: .venv/bin/python -m pip install --force-reinstall torch==2.10.0"),
        (machines.FULL_DISK, 1, "✗ Disk"),
        (machines.NO_NETWORK, 0, "The Hub doesn't answer."),
        (machines.ON_WINDOWS_DRIVE, 1, "The workspace lies on a Windows drive"),
    ],
)
def test_each_machine_gets_its_findings_and_its_exit_status(
    facts: Facts, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, printed = play(facts, monkeypatch)
    assert ended == status, printed
    assert said in printed


def test_what_is_bad_stands_first_with_its_reason_and_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    _, printed = play(machines.FULL_DISK, monkeypatch)
    first, why, todo, run = printed.splitlines()[:4]
    assert first.startswith("✗ Disk") and "why: A run pauses" in why
    assert "do:  Remove" in todo and run.strip() == "run: python cli.py exports list"
    assert printed.strip().endswith("1 to mend.")
