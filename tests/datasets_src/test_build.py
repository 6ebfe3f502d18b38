"""Whole builds: canonical rows, counts, no leak, the same bits again, and errors that name rows."""

from __future__ import annotations

import csv
import errno
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from datasets_src import store, write
from datasets_src.build import build, run
from datasets_src.spec import DatasetSpec
from datasets_src.store import list_versions
from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing, OutOfRoom, Stopped
from jobs.workspace import Workspace

from .conftest import BuildRows, Rows, WriteRows


def prompt(row: dict[str, Any]) -> str:
    return " ".join(next(message["content"] for message in row["messages"] if message["role"] == "user").split())


def test_rows_are_canonical_and_keep_where_they_came_from(build_rows: BuildRows) -> None:
    rows = [
        {"question": f"q{n}", "answer": "a", "tag": "t", "group": n // 2, "level": n, "none": None} for n in range(8)
    ]
    version = build_rows(rows, system_prompt="Be brief.", eval_fraction=0.3)
    all_rows = sorted(version.train() + version.eval(), key=lambda row: int(row["row"]))
    assert all_rows[2] == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "q2"},
            {"role": "assistant", "content": "a"},
        ],
        "source": "rows.jsonl",
        "row": 3,
        "tag": "t",
        "extra": {"level": 2},
        "group": "1",
    }


def test_a_system_prompt_of_its_own_stays(build_rows: BuildRows) -> None:
    rows = [{"question": f"q{n}", "answer": "a", "system": "Own." if n else ""} for n in range(2)]
    version = build_rows(rows, system_prompt="Added.", eval_fraction=0)
    assert {row["row"]: row["messages"][0]["content"] for row in version.train()} == {1: "Added.", 2: "Own."}


def test_no_prompt_and_no_group_is_ever_in_both_parts(build_rows: BuildRows) -> None:
    for seed in range(25):
        generator = random.Random(seed)
        rows = [
            {
                "question": f"q{generator.randrange(150)}" + " " * generator.randrange(3),
                "answer": str(generator.random()),
                "document": generator.choice([None, *range(40)]),
            }
            for _ in range(120)
        ]
        for group_by in ("prompt", "document"):
            version = build_rows(rows, seed=seed, group_by=group_by, eval_fraction=0.3)
            train, held_out = version.train(), version.eval()
            assert train and held_out
            assert not {prompt(row) for row in train} & {prompt(row) for row in held_out}
            assert not {row["group"] for row in train} & {row["group"] for row in held_out}
            if group_by == "document":
                documents = [
                    {row.get("extra", {}).get("document") for row in part} - {None} for part in (train, held_out)
                ]
                assert not documents[0] & documents[1]


def test_the_same_spec_gives_the_same_bits_in_another_workspace(
    tmp_path: Path, sums: Rows, write_rows: WriteRows
) -> None:
    source = {"path": str(write_rows(sums)), "weight": 1.5, "max_rows": 150}
    spec = DatasetSpec.parse({"name": "toy", "sources": [source], "seed": 7})
    first, second = (build(spec, Workspace(tmp_path / name)) for name in ("one", "two"))
    assert first.version == second.version
    for name in store.FILES:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_the_spec_that_a_version_keeps_builds_it_again(build_rows: BuildRows, sums: Rows, tmp_path: Path) -> None:
    version = build_rows(sums, seed=5)
    again = build(DatasetSpec.load(version.folder / "spec.yaml"), Workspace(tmp_path / "elsewhere"))
    assert again.version == version.version


def test_another_order_of_rows_in_the_file_moves_no_row_to_the_other_part(build_rows: BuildRows, sums: Rows) -> None:
    before = {prompt(row) for row in build_rows(sums).eval()}
    more = [{"question": f"new {n}", "answer": "a"} for n in range(300)]
    after = {prompt(row) for row in build_rows((sums + more)[::-1]).eval()}
    assert {text for text in after if not text.startswith("new")} == before


def test_exact_duplicates_are_left_out_and_counted_by_source(
    build_rows: BuildRows, sums: Rows, write_rows: WriteRows
) -> None:
    spaced = [{**row, "answer": f" {row['answer']}\n"} for row in sums[:30]]
    first = write_rows(sums + spaced, "first.jsonl")
    second = write_rows([*sums[:10], {"question": "new?", "answer": "yes"}], "second.jsonl")
    sources = [{"path": str(first)}, {"path": str(second)}]
    report = build_rows([], sources=sources).report
    assert [(source["source"], source["read"], source["duplicates"]) for source in report["sources"]] == [
        ("first.jsonl", 230, 30),
        ("second.jsonl", 11, 10),
    ]
    kept = build_rows([], sources=sources, remedies={"exact_duplicate": "keep"})
    assert kept.train_rows + kept.eval_rows == 241


def test_a_row_that_a_cap_left_out_may_come_from_a_later_source(
    build_rows: BuildRows, sums: Rows, write_rows: WriteRows
) -> None:
    sources = [
        {"path": str(write_rows(sums, "capped.jsonl")), "max_rows": 50},
        {"path": str(write_rows(sums, "whole.jsonl"))},
    ]
    version = build_rows([], sources=sources)
    assert version.train_rows + version.eval_rows == len(sums)
    counts = version.report["sources"]
    assert [(source["left_out"], source["duplicates"]) for source in counts] == [(150, 0), (0, 50)]


def test_counts_of_every_source_add_up(build_rows: BuildRows, sums: Rows, write_rows: WriteRows) -> None:
    messy = [*sums, *sums[:20], {"question": "unanswered?", "answer": ""}]
    version = build_rows([], sources=[{"path": str(write_rows(messy)), "max_rows": 120}], on_bad_rows="skip")
    source = version.report["sources"][0]
    parts = [source[name] for name in ("bad", "duplicates", "left_out", "train", "eval")]
    assert parts[:3] == [1, 20, 80]
    assert sum(parts) == source["read"] == 221
    assert (version.train_rows, version.eval_rows) == (source["train_weighted"], source["eval"])


def test_contradictions_are_counted_with_the_best_possible_agreement_and_kept(
    build_rows: BuildRows, sums: Rows
) -> None:
    rows = [
        *sums[:95],
        *({"question": "Best colour?", "answer": colour} for colour in ("red", "blue", "blue ", "green")),
    ]
    version = build_rows(rows)
    found = version.report["contradictions"]
    assert (found["prompts"], found["rows"]) == (1, 3)
    assert found["best_agreement"] == pytest.approx(96 / 98)
    assert found["examples"][0]["prompt"] == "Best colour?"
    assert {answer["row"] for answer in found["examples"][0]["answers"]} == {96, 97, 99}
    assert version.train_rows + version.eval_rows == 98
    assert any("1 prompt with different answers" in sentence for sentence in version.report["summary"])


def test_the_best_agreement_follows_the_most_frequent_answer(build_rows: BuildRows) -> None:
    rows = [{"question": "Best colour?", "answer": colour} for colour in ("red", "red", "red", "blue")]
    found = build_rows(rows, remedies={"exact_duplicate": "keep"}, eval_fraction=0).report["contradictions"]
    assert (found["prompts"], found["rows"], found["best_agreement"]) == (1, 4, 0.75)


def test_weights_touch_the_training_part_alone(build_rows: BuildRows, sums: Rows, write_rows: WriteRows) -> None:
    halves = [str(write_rows(sums[:100], "a.jsonl")), str(write_rows(sums[100:], "b.jsonl"))]
    plain = build_rows([], sources=[{"path": path} for path in halves])
    heavy = build_rows([], sources=[{"path": halves[0], "weight": 3}, {"path": halves[1], "weight": 0.5}])
    assert heavy.eval() == plain.eval()
    counts = Counter((row["source"], row["row"]) for row in heavy.train())
    assert {count for (source, _), count in counts.items() if source == "a.jsonl"} == {3}
    assert {count for (source, _), count in counts.items() if source == "b.jsonl"} == {1}
    of_b = sum(row["source"] == "b.jsonl" for row in plain.train())
    assert sum(source == "b.jsonl" for source, _ in counts) == round(of_b / 2)
    assert not {prompt(row) for row in heavy.train()} & {prompt(row) for row in heavy.eval()}
    assert any("Weights and shares make" in sentence for sentence in heavy.report["summary"])


def test_every_tag_has_rows_to_judge_by(build_rows: BuildRows, sums: Rows, write_rows: WriteRows) -> None:
    sources = [
        {"path": str(write_rows(sums[:190], "many.jsonl")), "tag": "many"},
        {"path": str(write_rows(sums[190:], "few.jsonl")), "tag": "few"},
    ]
    for seed in range(10):
        version = build_rows([], sources=sources, eval_fraction=0.02, seed=seed)
        assert {row["tag"] for row in version.eval()} == {"many", "few"}
        assert version.report["tags"]["few"]["eval"] >= 1


def test_files_with_the_same_name_are_told_apart(build_rows: BuildRows, sums: Rows, write_rows: WriteRows) -> None:
    paths = [write_rows(sums[:50], "bfs/rows.jsonl"), write_rows(sums[50:], "dfs/rows.jsonl")]
    version = build_rows([], sources=[{"path": str(path)} for path in paths])
    assert {row["source"] for row in version.train()} == {"bfs/rows.jsonl", "dfs/rows.jsonl"}


def test_bad_rows_stop_the_build_and_are_listed_with_file_row_and_field(
    build_rows: BuildRows, sums: Rows, write_rows: WriteRows, workspace: Workspace
) -> None:
    path = write_rows([*sums, {"question": "q", "answer": ""}, {"question": 5, "answer": "a"}])
    with path.open("a", encoding="utf-8") as file:
        file.write('{"question": "cut')
    with pytest.raises(BadInput) as error:
        build_rows([], sources=[{"path": str(path)}])
    message = error.value.what
    assert message.startswith("3 rows of 203 can't be used")
    assert "rows.jsonl, row 201, field answer: is empty (without an answer there is nothing to learn from)" in message
    assert "rows.jsonl, row 202, field question: is a number, not text" in message
    assert "rows.jsonl, row 203: broken JSON at line 203" in message
    assert "on_bad_rows: skip" in error.value.fix
    assert list_versions(workspace) == []


def test_bad_rows_can_be_skipped_and_are_listed_in_the_report(build_rows: BuildRows, sums: Rows) -> None:
    version = build_rows([*sums, {"question": "q", "answer": ""}], on_bad_rows="skip")
    assert version.train_rows + version.eval_rows == 200
    assert version.report["problems"][0]["row"] == 201
    assert any("1 unusable" in sentence for sentence in version.report["summary"])


def test_no_more_than_twenty_bad_rows_are_shown(build_rows: BuildRows) -> None:
    with pytest.raises(BadInput) as error:
        build_rows([{"question": "q", "answer": ""}] * 500)
    assert error.value.what.startswith("500 rows of 500")
    assert error.value.what.count("\n  - rows.jsonl, row") == 20
    assert error.value.what.endswith("… and more")


def test_a_row_too_deep_to_be_written_is_a_bad_row(build_rows: BuildRows, sums: Rows) -> None:
    deep: Any = []
    for _ in range(400):
        deep = [deep]
    version = build_rows([*sums, {"question": "q", "answer": "a", "deep": deep}], on_bad_rows="skip")
    assert version.report["problems"][0]["what"] == "is nested too deep"


def test_all_missing_files_are_named_at_once(build_rows: BuildRows, workspace: Workspace) -> None:
    with pytest.raises(Missing) as error:
        build_rows([], sources=[{"path": "one.jsonl"}, {"path": "two.csv"}])
    assert "one.jsonl" in error.value.what and "two.csv" in error.value.what
    assert not workspace.datasets.exists()


def test_relative_paths_start_at_the_base(sums: Rows, write_rows: WriteRows, workspace: Workspace) -> None:
    path = write_rows(sums, "deep/rows.jsonl")
    spec = DatasetSpec.parse({"name": "toy", "sources": [{"path": "rows.jsonl"}]})
    assert build(spec, workspace, base=path.parent).train_rows > 0


def test_one_prompt_cannot_be_split(build_rows: BuildRows) -> None:
    with pytest.raises(BadInput, match="only 1 group"):
        build_rows([{"question": "same", "answer": str(n)} for n in range(9)])


def test_an_unknown_group_column_is_refused_with_the_known_ones(build_rows: BuildRows, sums: Rows) -> None:
    with pytest.raises(BadInput, match="group_by names 'doc'") as error:
        build_rows(sums, group_by="doc")
    assert "answer, question" in error.value.why


def test_a_mapping_to_a_column_that_is_not_there_is_refused(
    build_rows: BuildRows, sums: Rows, write_rows: WriteRows
) -> None:
    source = {"path": str(write_rows(sums)), "columns": {"output": "reply"}}
    with pytest.raises(BadInput, match="has no column reply"):
        build_rows([], sources=[source])


def test_mapped_columns_are_read_and_faults_use_the_files_own_names(
    build_rows: BuildRows, write_rows: WriteRows
) -> None:
    rows = [{"task": f"t{n}", "reply": "r"} for n in range(30)]
    source = {"columns": {"instruction": "task", "output": "reply"}}
    version = build_rows([], sources=[{**source, "path": str(write_rows(rows))}])
    assert version.report["sources"][0]["format"] == "alpaca"
    with pytest.raises(BadInput, match="field reply: is missing"):
        build_rows([], sources=[{**source, "path": str(write_rows([*rows, {"task": "t"}]))}])


def test_csv_and_parquet_build_like_json_lines(build_rows: BuildRows, sums: Rows, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["question", "answer"])
        writer.writeheader()
        writer.writerows(sums)
    pq.write_table(pa.Table.from_pylist(sums), tmp_path / "rows.parquet")
    (tmp_path / "rows.json").write_text(json.dumps({"data": sums}), encoding="utf-8")
    texts = []
    for name in ("rows.jsonl", "rows.csv", "rows.parquet", "rows.json"):
        path = tmp_path / name
        version = build_rows(sums) if name == "rows.jsonl" else build_rows([], sources=[{"path": str(path)}])
        texts.append([sorted(str(row["messages"]) for row in part) for part in (version.train(), version.eval())])
    assert texts[0] == texts[1] == texts[2] == texts[3]


def test_the_card_has_front_matter_and_the_counts(build_rows: BuildRows, sums: Rows) -> None:
    version = build_rows(sums)
    _, front, text = version.card.split("---\n", 2)
    assert yaml.safe_load(front)["size_categories"] == ["n<1K"]
    assert [file["split"] for file in yaml.safe_load(front)["configs"][0]["data_files"]] == ["train", "test"]
    assert version.version in text and "rows.jsonl" in text and version.report["summary"][0] in text


def test_lengths_are_in_characters(build_rows: BuildRows) -> None:
    rows = [{"question": f"{n:03}", "answer": "x" * n} for n in range(1, 102)]
    lengths = build_rows(rows).report["characters"]
    assert lengths["prompt"] == {"shortest": 3, "median": 3, "p95": 3, "p99": 3, "longest": 3, "mean": 3.0}
    assert lengths["answer"] == {"shortest": 1, "median": 51, "p95": 96, "p99": 100, "longest": 101, "mean": 51.0}


def test_without_evaluation_every_row_trains(build_rows: BuildRows, sums: Rows) -> None:
    version = build_rows(sums, eval_fraction=0)
    assert (version.train_rows, version.eval()) == (200, [])


def job_context(workspace: Workspace, spec: dict[str, Any], attempt: int = 1) -> JobContext:
    path = workspace.jobs / "build-1"
    if attempt == 1:
        JobDirectory.create(path, kind="data.build", title="toy", spec=spec, resource=None)
    return JobContext(JobDirectory(path), attempt, started=0.0)


def test_the_job_names_its_version_records_decisions_and_leaves_report_and_card(
    workspace: Workspace, sums: Rows, write_rows: WriteRows
) -> None:
    context = job_context(workspace, {"name": "toy", "sources": [{"path": str(write_rows(sums))}]})
    figures = run(context)
    assert store.open_version(workspace, figures["dataset"]).train_rows == figures["train_rows"]
    assert figures["new"] is True
    resolved = context.directory.resolved
    assert resolved is not None
    assert resolved["rows.jsonl: format"] == {
        "value": "question_answer",
        "origin": "the columns question and answer",
    }
    assert len(resolved["rows.jsonl: identity"]["value"]) == 64
    assert [path.name for path in context.artifacts] == ["report.json", "card.md"]
    assert context.status.progress == 1.0
    assert run(context)["new"] is False


def test_a_resumed_job_refuses_a_file_that_changed(workspace: Workspace, sums: Rows, write_rows: WriteRows) -> None:
    spec = {"name": "toy", "sources": [{"path": str(write_rows(sums))}]}
    run(job_context(workspace, spec))
    write_rows(sums[:100])
    with pytest.raises(BadInput, match="was changed since this job was started"):
        run(job_context(workspace, spec, attempt=2))


def test_a_job_that_is_asked_to_stop_writes_no_version(workspace: Workspace, sums: Rows, write_rows: WriteRows) -> None:
    context = job_context(workspace, {"name": "toy", "sources": [{"path": str(write_rows(sums))}]})
    context.directory.request_stop()
    with pytest.raises(Stopped):
        run(context)
    assert list_versions(workspace) == []


def test_a_build_can_be_stopped_until_it_writes(workspace: Workspace, sums: Rows, write_rows: WriteRows) -> None:
    messages: list[str] = []

    def stop_after_the_split() -> None:
        if messages[-1:] == ["Comparing rows"]:
            raise Stopped

    spec = DatasetSpec.parse({"name": "toy", "sources": [{"path": str(write_rows(sums))}]})
    with pytest.raises(Stopped):
        build(spec, workspace, lambda _, message: messages.append(message), check_stop=stop_after_the_split)
    assert list_versions(workspace) == []


def test_a_job_on_a_full_disk_fails_with_a_hint(
    workspace: Workspace, sums: Rows, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = job_context(workspace, {"name": "toy", "sources": [{"path": str(write_rows(sums))}]})

    def disk_is_full(path: Path, _lines: Any, _digest: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(write, "write_lines", disk_is_full)
    with pytest.raises(OutOfRoom, match="The disk is full"):
        run(context)
    assert list_versions(workspace) == []


def test_building_imports_no_model_library() -> None:
    code = (
        "import sys, datasets_src.build, datasets_src.inspect\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'gradio'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
