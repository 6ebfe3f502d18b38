"""Nothing leaks: near-duplicates, given splits, contamination, oversampling; and remedies do what they say."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.rows import Row
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion
from jobs.errors import BadInput
from jobs.workspace import Workspace

from .conftest import BuildRows, Rows, WriteRows

WORDS = [f"{first}{second}" for first in ("ba", "ce", "di", "fo", "gu", "ha", "ki", "lo") for second in "nrstlmpd"]


def sentences(count: int, words: int = 30, seed: int = 0) -> Rows:
    """Rows of random words, none like another."""
    draw = random.Random(seed)
    say = lambda number: " ".join(draw.choices(WORDS, k=number))  # noqa: E731
    return [{"question": say(words // 2), "answer": say(words)} for _ in range(count)]


def changed(row: dict[str, Any], word: str = "other") -> dict[str, Any]:
    """The row with its first and its last word changed: another prompt, nearly equal in all."""
    _, *question = row["question"].split(" ")
    *answer, _ = row["answer"].split(" ")
    return {"question": " ".join([word, *question]), "answer": " ".join([*answer, word])}


def found(version: DatasetVersion, name: str) -> int:
    return next(check["count"] for check in version.report["checks"] if check["name"] == name)


def said(rows: list[Row]) -> set[str]:
    return {str(row["messages"]) for row in rows}


def test_nearly_equal_rows_stay_in_one_part(build_rows: BuildRows) -> None:
    rows = sentences(200)
    version = build_rows([*rows, *map(changed, rows)], eval_fraction=0.3)
    assert found(version, "near_duplicate") == 200
    parts = {row["row"]: name for name, part in (("t", version.train()), ("e", version.eval())) for row in part}
    assert all(parts[number] == parts[number + 200] for number in range(1, 201))
    assert set(parts.values()) == {"t", "e"}


def test_dropping_near_duplicates_leaves_the_first_of_each_cluster(build_rows: BuildRows) -> None:
    rows = sentences(100)
    version = build_rows([*rows, *map(changed, rows)], remedies={"near_duplicate": "drop"})
    assert {row["row"] for row in version.train() + version.eval()} == set(range(1, 101))
    assert version.report["sources"][0]["dropped"] == 100


def test_without_a_threshold_nothing_is_compared(build_rows: BuildRows) -> None:
    rows = sentences(50)
    assert found(build_rows([*rows, *map(changed, rows)], near_duplicates=None), "near_duplicate") == 0


def given_split(rows: Rows) -> Rows:
    return [{**row, "split": "test" if number % 5 == 0 else "train"} for number, row in enumerate(rows)]


def test_a_split_column_is_respected(build_rows: BuildRows) -> None:
    version = build_rows(given_split(sentences(100)))
    assert {row["row"] for row in version.eval()} == set(range(1, 101, 5))


def test_files_named_train_and_eval_are_respected_and_one_alone_is_not(
    build_rows: BuildRows, write_rows: WriteRows
) -> None:
    rows = sentences(120)
    train, held_out = write_rows(rows[:100], "my_train.jsonl"), write_rows(rows[100:], "my_eval.jsonl")
    version = build_rows([], sources=[{"path": str(train)}, {"path": str(held_out)}])
    assert (version.train_rows, {row["source"] for row in version.eval()}) == (100, {"my_eval.jsonl"})
    alone = build_rows([], sources=[{"path": str(train)}])
    assert 0 < alone.eval_rows < 30


def test_a_source_can_be_told_what_it_is_for(build_rows: BuildRows, write_rows: WriteRows) -> None:
    rows = sentences(60)
    first, second = write_rows(rows[:50], "a.jsonl"), write_rows(rows[50:], "b.jsonl")
    version = build_rows([], sources=[{"path": str(first), "part": "train"}, {"path": str(second), "part": "eval"}])
    assert {row["source"] for row in version.eval()} == {"b.jsonl"}
    assert version.eval_rows == 10


def test_a_leak_across_a_given_split_is_found_and_taken_out_of_training(build_rows: BuildRows) -> None:
    rows = given_split(sentences(100))
    same_prompt = [{**rows[number], "answer": "something else", "split": "train"} for number in (0, 5)]
    nearly = [{**changed(rows[number]), "split": "train"} for number in (10, 15, 20)]
    version = build_rows([*rows, *same_prompt, *nearly])
    assert found(version, "leakage") == 5
    assert not {row["row"] for row in version.train()} & set(range(101, 106))
    assert not {row["group"] for row in version.train()} & {row["group"] for row in version.eval()}
    kept = build_rows([*rows, *same_prompt, *nearly], remedies={"leakage": "keep"})
    assert {row["row"] for row in kept.train()} >= set(range(101, 106))
    assert "No group is in both parts" not in kept.report["summary"][0]


def test_training_rows_that_share_a_passage_with_the_evaluation_are_shown_and_dropped_if_asked(
    build_rows: BuildRows,
) -> None:
    rows = given_split(sentences(100))
    passage = " ".join(rows[0]["answer"].split()[4:18])
    sharing = {"question": "Say it.", "answer": f"They wrote {passage} and left.", "split": "train"}
    kept = build_rows([*rows, sharing])
    assert found(kept, "shared_passage") == 1
    assert 101 in {row["row"] for row in kept.train()}
    dropped = build_rows([*rows, sharing], remedies={"shared_passage": "drop"})
    assert {row["row"] for row in kept.train()} - {row["row"] for row in dropped.train()} == {101}
    assert dropped.report["sources"][0]["dropped"] == 1


def test_rows_that_overlap_with_a_named_set_are_left_out(
    build_rows: BuildRows, write_rows: WriteRows, workspace: Workspace
) -> None:
    benchmark = sentences(20, seed=9)
    passage = " ".join(benchmark[3]["answer"].split()[5:20])
    rows = [*sentences(100), {"question": "Say it.", "answer": f"Somebody wrote {passage} and left."}]
    path = write_rows(benchmark, "benchmark.jsonl")
    version = build_rows(rows, contamination=[str(path)])
    assert found(version, "contamination") == 1
    assert 101 not in {row["row"] for row in version.train() + version.eval()}
    example = next(check for check in version.report["checks"] if check["name"] == "contamination")["examples"][0]
    assert example["row"] == 101 and passage.split()[0] in example["what"]
    build(DatasetSpec.parse({"name": "bench", "sources": [{"path": str(path)}]}), workspace)
    assert build_rows(rows, contamination=["dataset:bench"]).version == version.version


@pytest.mark.parametrize("mix", [{"balance": True}, {"shares": {"few": 0.5}}])
def test_oversampling_repeats_training_rows_alone(
    mix: dict[str, Any], build_rows: BuildRows, write_rows: WriteRows
) -> None:
    rows = sentences(300)
    sources = [
        {"path": str(write_rows(rows[:260], "many.jsonl")), "tag": "many"},
        {"path": str(write_rows(rows[260:], "few.jsonl")), "tag": "few", "weight": 2},
    ]
    version = build_rows([], sources=sources, eval_fraction=0.3, **mix)
    lines = Counter(row["tag"] for row in version.train())
    assert abs(lines["few"] - lines["many"]) <= 1
    assert len(said(version.eval())) == version.eval_rows
    assert not said(version.train()) & said(version.eval())
    assert not {row["group"] for row in version.train()} & {row["group"] for row in version.eval()}


def test_contradictions_are_dropped_only_if_asked(build_rows: BuildRows, sums: Rows) -> None:
    rows = [*sums, *({"question": "Best colour?", "answer": colour} for colour in ("red", "blue", "blue ", "green"))]
    kept = build_rows(rows, remedies={"exact_duplicate": "keep"})
    assert kept.train_rows + kept.eval_rows == 204
    dropped = build_rows(rows, remedies={"exact_duplicate": "keep", "contradiction": "drop"})
    answers = [row["messages"][1]["content"] for row in dropped.train() + dropped.eval() if "colour" in str(row)]
    assert [answer.strip() for answer in answers] == ["blue", "blue"]


def test_unusual_lengths_are_found(build_rows: BuildRows) -> None:
    rows = [*sentences(200), {"question": "x", "answer": "y " * 20_000}]
    version = build_rows(rows)
    assert found(version, "length_outlier") == 1
    example = next(check for check in version.report["checks"] if check["name"] == "length_outlier")["examples"][0]
    assert example["row"] == 201 and "40,0" in example["what"]


def test_answers_cut_by_the_context_length_are_counted_with_the_real_tokenizer(build_rows: BuildRows) -> None:
    rows = [
        *({"question": f"Number {n}?", "answer": "short"} for n in range(50)),
        *({"question": f"Long answer {n}?", "answer": "word " * 200} for n in range(3)),
        *({"question": f"Long question {n} " + "word " * 200, "answer": "short"} for n in range(2)),
    ]
    version = build_rows(rows, model="embedded", max_length=128)
    assert (found(version, "answer_cut"), found(version, "nothing_trained")) == (3, 2)
    assert {row["row"] for row in version.train() + version.eval()} == set(range(1, 54))
    assert version.report["tokens"]["longer"] == 3
    assert version.report["tokens"]["row"]["longest"] > 200
    dropped = build_rows(rows, model="embedded", max_length=128, remedies={"answer_cut": "drop"})
    assert dropped.train_rows + dropped.eval_rows == 50


def test_a_row_that_the_template_refuses_stops_the_build(build_rows: BuildRows, sums: Rows) -> None:
    call = {"name": "look_up", "arguments": {"word": "x"}}
    turns = [{"from": "human", "value": "?"}, {"from": "function_call", "value": str(call).replace("'", '"')}]
    rows = [
        {"conversations": [{"from": "human", "value": row["question"]}, {"from": "gpt", "value": "2"}]} for row in sums
    ]
    with pytest.raises(BadInput, match=r"row 201.*tool calls"):
        build_rows([*rows, {"conversations": turns}], model="embedded")
    assert build_rows([*rows, {"conversations": turns}]).train_rows > 0


def test_edits_by_hand_are_a_layer_over_the_source(build_rows: BuildRows, sums: Rows) -> None:
    new = {"messages": [{"role": "user", "content": "Mended?"}, {"role": "assistant", "content": "yes"}]}
    edits = [{"source": "rows.jsonl", "row": 3, "value": new}, {"source": "rows.jsonl", "row": 4}]
    version = build_rows(
        [*sums, {"question": "broken", "answer": ""}], edits=[*edits, {"source": "rows.jsonl", "row": 201}]
    )
    rows = {row["row"]: row["messages"] for row in version.train() + version.eval()}
    assert rows[3] == new["messages"]
    assert 4 not in rows and 201 not in rows and len(rows) == 199
    assert DatasetSpec.load(version.folder / "spec.yaml").edits[0].value == new
    with pytest.raises(BadInput, match="which the dataset doesn't have"):
        build_rows(sums, edits=[{"source": "other.jsonl", "row": 1}])


@pytest.mark.parametrize("value", [{"question": "?"}, {"messages": "hello"}, {"messages": [{"content": "x"}]}])
def test_an_edit_that_is_no_row_is_refused(value: dict[str, Any], build_rows: BuildRows, sums: Rows) -> None:
    with pytest.raises(BadInput, match=r"edits\.0\.value"):
        build_rows(sums, edits=[{"source": "rows.jsonl", "row": 1, "value": value}])


def test_an_edit_to_another_kind_of_row_stops_the_build(build_rows: BuildRows, sums: Rows) -> None:
    with pytest.raises(BadInput, match="row 1: was changed to another kind"):
        build_rows(sums, edits=[{"source": "rows.jsonl", "row": 1, "value": {"text": "A story."}}])


def test_an_unknown_check_or_remedy_is_refused_with_the_known_ones(build_rows: BuildRows, sums: Rows) -> None:
    with pytest.raises(BadInput, match=r"`exact_duplicat` is no check \(did you mean exact_duplicate\?\)"):
        build_rows(sums, remedies={"exact_duplicat": "drop"})
    with pytest.raises(BadInput, match="`unreadable` can't be `keep`; possible: drop, stop"):
        build_rows(sums, remedies={"unreadable": "keep"})


def test_a_dataset_is_a_source_that_keeps_its_split_and_says_where_rows_came_from(
    build_rows: BuildRows, workspace: Workspace
) -> None:
    first = build_rows(sentences(100), eval_fraction=0.2)
    spec = DatasetSpec.parse({"name": "second", "sources": [{"path": "dataset:toy", "weight": 2}]})
    second = build(spec, workspace)
    assert said(second.eval()) == said(first.eval())
    assert second.train_rows == 2 * first.train_rows
    assert second.train()[0]["extra"]["parent"].startswith(f"{first.id}: rows.jsonl, row ")
    assert {row["group"] for row in second.eval()} == {row["group"] for row in first.eval()}


def test_pasted_rows_are_a_source(workspace: Workspace) -> None:
    text = "question,answer\n" + "".join(f"What is {n}?,{n}\n" for n in range(40))
    version = build(DatasetSpec.parse({"name": "toy", "sources": [{"text": text}]}), workspace)
    assert version.report["sources"][0]["source"] == "pasted"
    assert version.train_rows + version.eval_rows == 40


def test_rows_of_different_kinds_are_refused(build_rows: BuildRows, sums: Rows, write_rows: WriteRows) -> None:
    pairs = write_rows([{"prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(9)], "pairs.jsonl")
    with pytest.raises(BadInput, match="preference pairs"):
        build_rows([], sources=[{"path": str(write_rows(sums))}, {"path": str(pairs)}])


def test_preference_pairs_marked_answers_and_texts_build(build_rows: BuildRows) -> None:
    pairs = build_rows([{"prompt": f"What is {n}?", "chosen": f"{n}", "rejected": "no"} for n in range(30)])
    assert pairs.kind == "preference"
    assert set(pairs.train()[0]) >= {"prompt", "chosen", "rejected"}
    marked = build_rows([{"prompt": f"What is {n}?", "completion": "x", "label": n % 2 == 0} for n in range(30)])
    assert marked.kind == "unpaired" and {row["label"] for row in marked.train()} == {True, False}
    texts = build_rows([{"text": f"Story number {n}."} for n in range(30)])
    assert texts.kind == "text" and texts.report["characters"]["prompt"]["longest"] == 0


def test_a_capped_large_source_is_thinned_out_while_it_is_read(build_rows: BuildRows, write_rows: WriteRows) -> None:
    rows = [{"question": f"What is {n}?", "answer": str(n)} for n in range(30_000)]
    source = {"path": str(write_rows(rows)), "max_rows": 100}
    version = build_rows([], sources=[source], near_duplicates=None)
    counts = version.report["sources"][0]
    assert (counts["read"], counts["left_out"], counts["train"] + counts["eval"]) == (30_000, 29_900, 100)
    taken = [row["row"] for row in version.train() + version.eval()]
    # A sample of the whole, not its head; the same whether or not it was thinned out on the way.
    assert max(taken) > 25_000
    few = build_rows(
        [], sources=[{**source, "path": str(write_rows(rows[:20_000], "few.jsonl"))}], near_duplicates=None
    )
    assert {row["row"] for row in few.train()} & set(taken)
