"""Nava rows: what they ask for is what they answer, the given split is kept, expansions run, and scores are fair."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.expansion.expand import expand
from datasets_src.expansion.spec import ExpansionSpec
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion
from evaluation.tasks import checked_items, checked_score, load_task
from jobs.errors import BadInput
from jobs.files import read_json_lines
from jobs.workspace import Workspace
from recipes.nava import task
from recipes.nava.checker import does_the_same, maps, run
from recipes.nava.generate import generate, is_held_out
from recipes.nava.language import read_program
from recipes.nava.prompt import program_in
from recipes.nava.words import explain, facts, named_share

FOLDER = Path(task.__file__).parent
ROWS = 200


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nava")
    generate(folder, ROWS, seed=0)
    return folder


def rows_of(place: Path, part: str) -> list[dict[str, Any]]:
    return list(read_json_lines(place / f"{part}.jsonl"))


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(place: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    generate(again, ROWS, seed=0)
    generate(other, ROWS, seed=1)
    for name in ("train.jsonl", "eval.jsonl", "data.yaml", "expansions.yaml"):
        assert (again / name).read_bytes() == (place / name).read_bytes()
    assert (other / "train.jsonl").read_bytes() != (place / "train.jsonl").read_bytes()


def test_both_kinds_both_audiences_and_all_families_come_in_both_files(place: Path) -> None:
    for part in ("train", "eval"):
        rows = rows_of(place, part)
        assert {row["tag"] for row in rows} == {"program", "explanation"}
        assert {row["audience"] for row in rows} == {"beginner", "expert"}
        assert {row["family"] for row in rows} == {"walk", "reach", "shape", "loop", "wall"}
        assert set(rows[0]) >= {"instruction", "input", "output"}
    counts = Counter(row["tag"] for part in ("train", "eval") for row in rows_of(place, part))
    assert counts == {"program": ROWS, "explanation": ROWS}


def test_no_program_of_the_eval_file_occurs_in_the_train_file(place: Path) -> None:
    train, held_out = ({row["group"] for row in rows_of(place, part)} for part in ("train", "eval"))
    assert held_out and not train & held_out
    assert all(is_held_out(group) for group in held_out)


def test_wishes_say_in_words_what_their_programs_do(place: Path) -> None:
    """Read back by independent means: a square that is named is where the walk ends, steps and turns are as told."""
    checked = 0
    for row in rows_of(place, "train"):
        if row["tag"] != "program":
            continue
        walk = run(read_program(row["output"]), maps()["yard" if row["family"] == "wall" else "open"])
        words = row["instruction"].split(": ", 1)[1].split()
        if row["family"] == "reach":
            east = next(place for place, word in enumerate(words) if word in ("east", "west"))
            north = next(place for place, word in enumerate(words) if word in ("north", "south"))
            signs = {"east": 1, "north": 1, "west": -1, "south": -1}
            target = (int(words[east - 1]) * signs[words[east]], int(words[north - 1]) * signs[words[north]])
            assert walk.end == target
            checked += 1
        if row["family"] == "walk":
            told = [int(word) for word in words if word.isdigit()]
            assert walk.steps == sum(told) and walk.turns == len(told) - 1
            checked += 1
    assert checked > 40


def test_only_beginners_get_a_comment_and_it_does_not_change_the_walk(place: Path) -> None:
    for row in rows_of(place, "train"):
        if row["tag"] == "program":
            assert row["output"].startswith("# ") == (row["audience"] == "beginner")
            assert does_the_same(row["output"], row["group"])


def test_an_explanation_names_all_its_facts_and_another_programs_does_not(place: Path) -> None:
    rows = [row for row in rows_of(place, "train") if row["tag"] == "explanation"]
    for row in rows:
        assert named_share(row["output"], row["facts"]) == 1.0
    others = [named_share(rows[0]["output"], row["facts"]) for row in rows[1:] if row["group"] != rows[0]["group"]]
    assert sum(others) / len(others) < 0.4
    assert named_share("it walks 12 steps", ["walks 2 steps"]) == 0.0
    assert named_share("It WALKS  2 steps!", ["walks 2 steps"]) == 1.0


def test_sums_for_experts_are_those_of_the_walk() -> None:
    program = read_program("repeat 3\n  go 4\n  left\nend")
    assert explain(program, "expert") == "Loop of 3 rounds: 12 steps and 3 turns."
    assert facts(program, "beginner") == ["3 times", "walks 4 steps", "turns left"]
    wall = read_program("until wall\n  go 1\nend\nback\ngo 5")
    assert explain(wall, "expert") == "Loop until a wall: 5 steps and 1 turn."


def test_expansions_ask_and_answer_with_programs_that_do_as_they_say() -> None:
    rows = list(expand(ExpansionSpec.load(FOLDER / "expansions.yaml")))
    assert {row["tag"] for row in rows} == {"shorten", "mend", "conversation", "machines"}
    for row in rows:
        *_, asked, answer = (message["content"] for message in row["messages"])
        steps = row["scenario"]["steps"]
        assert read_program(answer)
        if row["tag"] == "shorten":
            assert does_the_same(answer, program_in(asked)) and len(answer) <= len(asked)
        if row["tag"] == "mend":
            assert run(read_program(answer), maps()["open"]).end == (0, 0)
            assert not does_the_same(program_in(asked), answer)
        if row["tag"] == "conversation":
            assert len(row["messages"]) == 5
            assert run(read_program(answer), maps()["open"]).steps == steps * row["scenario"]["times"]["count"]
        if row["tag"] == "machines":
            assert run(read_program(answer), maps()["open"]).steps == steps


@pytest.fixture
def version(place: Path, workspace: Workspace) -> DatasetVersion:
    return build(DatasetSpec.load(place / "data.yaml").with_absolute_paths(place), workspace)


def test_the_given_split_is_kept_and_training_lines_are_mixed_70_to_30(place: Path, version: DatasetVersion) -> None:
    given = {(row["instruction"], row["input"]) for row in rows_of(place, "eval")}
    held_out = [row for row in version.eval() if row["source"].endswith("eval.jsonl")]
    assert len(held_out) == len(given)
    assert not any(row["source"].endswith("eval.jsonl") for row in version.train())
    lines = Counter(row["tag"] for row in version.train())
    assert lines["explanation"] / lines.total() == pytest.approx(0.3, abs=0.01)
    assert lines["program"] / lines.total() == pytest.approx(0.46, abs=0.01)
    assert set(lines) == {"program", "explanation", "shorten", "mend", "conversation", "machines"}
    assert {row["tag"] for row in version.eval()} == set(lines), "a part of every expansion is held out"
    assert all(row["messages"][0] == {"role": "system", "content": "You know Nava."} for row in version.train())


def test_the_reference_answers_of_the_built_dataset_score_full_marks(version: DatasetVersion) -> None:
    loaded = load_task("nava")
    items = checked_items(loaded, version.eval(), version.train() + version.eval())
    for item in items:
        assert checked_score(loaded, item.reference, item) == {"right": 1.0, "lenient": 1.0, "audience": 1.0}, item


def test_answers_are_scored_by_what_they_do(version: DatasetVersion) -> None:
    loaded = load_task("recipes.nava.task")
    items = checked_items(loaded, version.eval(), [])
    item = next(each for each in items if each.tag == "program" and each.extra["audience"] == "expert")
    wordy = f"Of course!\n```\n{item.reference}\n```\nHave fun."
    assert checked_score(loaded, wordy, item) == {"right": 0.0, "lenient": 1.0, "audience": 1.0}
    assert checked_score(loaded, f"Here:\n{item.reference}\nDone.", item)["lenient"] == 1.0
    assert checked_score(loaded, "# so\n" + item.reference, item) == {"right": 1.0, "lenient": 1.0, "audience": 0.0}
    assert checked_score(loaded, "", item)["right"] == 0.0
    told = next(each for each in items if each.tag == "explanation")
    assert checked_score(loaded, "I don't know.", told)["right"] == 0.0


def test_an_explanation_without_facts_is_refused() -> None:
    row = {
        "messages": [{"role": "user", "content": "Explain"}, {"role": "assistant", "content": "It walks."}],
        "tag": "explanation",
    }
    with pytest.raises(BadInput, match="facts"):
        task.items([row], [row])


def test_a_size_of_nothing_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="0 rows"):
        generate(tmp_path / "none", 0, seed=0)
    assert not (tmp_path / "none").exists()


def test_the_specs_of_the_recipe_can_be_read() -> None:
    from evaluation.spec import EvaluateSpec
    from export.spec import ExportSpec
    from trainer.spec import TrainSpec

    assert TrainSpec.load(FOLDER / "train.yaml").data == "nava"
    assert EvaluateSpec.load(FOLDER / "evaluate.yaml").task == "recipes.nava.task"
    assert ExportSpec.load(FOLDER / "export.yaml").wants_merged
    assert json.dumps(DatasetSpec.load(FOLDER / "data.yaml").shares)
