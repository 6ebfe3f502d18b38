"""The command line: what it prints, how it ends, and what is said when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toys import write_rows

PROJECT = Path(__file__).resolve().parent.parent
ROW = {"instruction": "Say hello", "output": "hello"}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "cli.py", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)


def refused(*arguments: str | Path) -> str:
    """Run what must be refused: exit status 2, a message with reason and remedy, no traceback, nothing on stdout."""
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "why:" in done.stderr and "do:" in done.stderr
    assert done.stdout == ""
    return done.stderr


def test_inspect_shows_format_evidence_and_rows(tmp_path: Path) -> None:
    done = run("data", "inspect", write_rows(tmp_path / "rows.jsonl", [ROW, ROW]))
    assert done.returncode == 0
    assert "Alpaca" in done.stdout and "rows: 2" in done.stdout


def test_inspect_names_the_row_without_an_answer(tmp_path: Path) -> None:
    rows = [ROW, {"instruction": "What?", "output": ""}]
    done = run("data", "inspect", write_rows(tmp_path / "rows.jsonl", rows), "--json")
    problems = json.loads(done.stdout)["problems"]
    assert [problem["row"] for problem in problems] == [2]


def test_a_check_tells_what_each_health_check_found_and_builds_nothing(tmp_path: Path) -> None:
    rows = [{"instruction": f"Say {n}", "output": str(n)} for n in range(30)]
    rows += [{"instruction": "Who?", "output": "Write to anna@firma.de"}, {"instruction": "What?", "output": ""}]
    write_rows(tmp_path / "rows.jsonl", rows)
    (tmp_path / "data.yaml").write_text("name: toy\nsources:\n- path: rows.jsonl\n")
    done = run("data", "check", tmp_path / "data.yaml", "--workspace", tmp_path / "ws")
    assert done.returncode == 0, done.stderr
    assert "email (E-mail addresses): 1 row, remedy keep (or fix, drop)" in done.stdout
    assert "empty_turn (Empty turns): 1 row, remedy stop" in done.stdout
    assert "rows.jsonl, row 32, field output: is empty" in done.stdout
    assert not (tmp_path / "ws" / "datasets").exists()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "none.jsonl" in refused("data", "inspect", tmp_path / "none.jsonl")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    assert "empty" in refused("data", "inspect", tmp_path / "empty.jsonl")


def test_an_unknown_option_of_a_spec_is_refused_with_all_problems(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("dat: x\nmethod: {rnk: 4}\n")
    message = refused("train", tmp_path / "train.yaml", "--workspace", tmp_path / "ws")
    assert "dat: unknown option (did you mean data?)" in message
    assert "method.rnk: unknown option (did you mean rank?)" in message
    assert "data: is required" in message
    assert not (tmp_path / "ws").exists(), "nothing was written"


def test_an_unknown_dataset_and_an_unknown_job_are_refused(tmp_path: Path) -> None:
    assert "no dataset 'x'" in refused("train", "--data", "x", "--workspace", tmp_path)
    assert "no job 'nope'" in refused("jobs", "show", "nope", "--workspace", tmp_path)
    assert "no job 'nope'" in refused("export", "nope", "--workspace", tmp_path)


@pytest.mark.slow
def test_broken_json_fails_the_build_naming_the_line_and_earlier_versions_stay(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [{**ROW, "instruction": f"Say {number}"} for number in range(40)])
    (tmp_path / "data.yaml").write_text("name: mine\nsources: [{path: rows.jsonl}]\n")
    done = run("data", "build", tmp_path / "data.yaml", "--workspace", tmp_path / "ws", "--json")
    assert done.returncode == 0, done.stderr
    before = json.loads(done.stdout)["figures"]["dataset"]
    source.write_text(source.read_text() + '{"instruction": \n')
    done = run("data", "build", tmp_path / "data.yaml", "--workspace", tmp_path / "ws", "--json")
    assert done.returncode == 2
    assert "line 41" in json.loads(done.stdout)["error"]
    shown = run("data", "show", "mine", "--workspace", tmp_path / "ws", "--json")
    assert json.loads(shown.stdout)["id"] == before


@pytest.mark.slow
def test_train_by_dotted_options_then_list_show_and_logs(tmp_path: Path, tiny_model: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{**ROW, "instruction": f"Say {number}"} for number in range(40)])
    (tmp_path / "data.yaml").write_text("name: mine\nsources: [{path: rows.jsonl}]\n")
    place = ("--workspace", tmp_path / "ws")
    assert run("data", "build", tmp_path / "data.yaml", *place).returncode == 0
    options = ("--model", tiny_model, "--data", "mine", "--backend", "peft", "--method.rank", "4")
    done = run("train", *options, "--optimisation.max_steps", "2", *place, "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["figures"]["steps"] == 2
    (listed,) = [row for row in json.loads(run("jobs", "list", *place, "--json").stdout) if row["kind"] == "Train"]
    assert (listed["job"], listed["state"]) == (job["job"], "succeeded")
    shown = json.loads(run("jobs", "show", job["job"], *place, "--json").stdout)
    assert shown["spec"]["method"]["rank"] == 4
    assert shown["resolved"]["learning_rate"]["origin"].startswith("default for an adapter")
    assert "weights are trained" in run("jobs", "logs", job["job"], *place).stdout


@pytest.mark.slow
def test_an_unknown_model_without_a_hub_fails_the_job_with_a_hint(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{**ROW, "instruction": f"Say {number}"} for number in range(40)])
    (tmp_path / "data.yaml").write_text("name: mine\nsources: [{path: rows.jsonl}]\n")
    place = ("--workspace", tmp_path / "ws")
    assert run("data", "build", tmp_path / "data.yaml", *place).returncode == 0
    done = run("train", "--model", "someone/unknown", "--data", "mine", "--backend", "peft", *place)
    assert done.returncode == 2
    assert "can't be reached" in done.stderr and "embedded" in done.stderr
