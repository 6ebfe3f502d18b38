"""The classifier: what it learns from tagged rows, how it is judged, kept and loaded, what can't be learned from."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets_src.store import DatasetVersion
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.router.classifier.features import BUCKETS, count_runs
from serving.router.classifier.fitting import temperature_for
from serving.router.classifier.model import Classifier, list_classifiers, load, read_report, save
from serving.router.classifier.training import Trained, train
from tests.toys import publish_rows

PROJECT = Path(__file__).resolve().parents[3]
SUBJECTS = {
    "code": ["python function", "recursive loop", "sorting algorithm", "unit test", "database query", "compiler bug"],
    "cooking": ["tomato soup", "roasted chicken", "chocolate cake", "pasta sauce", "vegetable curry", "bread dough"],
    "travel": ["train to Vienna", "cheap hotel", "mountain hike", "airport transfer", "city museum", "island ferry"],
}
OPENINGS = ["Please help me with the", "What is a good", "Explain the", "I need a", "Tell me about a", "Improve my"]
ENDINGS = ["today", "for beginners", "in short", "step by step", "for my team", "before Monday", "again", "with care"]


def row(text: str, tag: str | None, group: str = "") -> dict[str, Any]:
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return {"messages": messages, "source": "made", "row": 1, "group": group or text, **({"tag": tag} if tag else {})}


def rows_of(tags: dict[str, list[str]], seed: int) -> list[dict[str, Any]]:
    """Every combination of opening, subject and ending, in an order drawn by the seed."""
    made = [
        row(f"{opening} {subject} {ending}", tag, group=f"{subject} {ending}")
        for tag, subjects in tags.items()
        for subject in subjects
        for opening in OPENINGS
        for ending in ENDINGS
    ]
    random.Random(seed).shuffle(made)
    return made


def version_of(workspace: Workspace, rows: list[dict[str, Any]], held_out: int) -> DatasetVersion:
    return publish_rows(workspace, "topics", rows[held_out:], rows[:held_out])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    workspace = Workspace(tmp_path_factory.mktemp("topics"))
    return train(version_of(workspace, rows_of(SUBJECTS, 0)[:400], 100))


def test_tags_are_told_from_texts_and_held_out_rows_say_how_well(trained: Trained) -> None:
    assert trained.report.accuracy > 0.95
    assert trained.report.low > trained.report.always
    assert (trained.report.learned, trained.report.held_out) == (300, 100)
    assert sum(sum(guesses.values()) for guesses in trained.report.confusion.values()) == 100
    assert trained.classifier.labels == ("code", "cooking", "travel")
    guess = trained.classifier.classify("Which algorithm sorts a python list?")
    assert guess.label == "code"
    assert sum(guess.probabilities.values()) == pytest.approx(1)


def test_words_it_never_saw_are_told_by_their_parts_and_texts_of_none_by_what_is_frequent(trained: Trained) -> None:
    assert trained.classifier.classify("CHOCOLATES and SOUPS").label == "cooking"
    assert trained.classifier.classify("pythonic databases").label == "code"
    for text in ("", "   ", "漢字かな", "\ud800", "x" * 10**6):
        guess = trained.classifier.classify(text)
        assert np.isfinite(list(guess.probabilities.values())).all()
    assert max(trained.classifier.classify("漢字かな").probabilities.values()) < 0.7


def test_probabilities_are_true_also_where_tags_can_not_be_told_apart(workspace: Workspace) -> None:
    draw = random.Random(1)
    texts = [f"{draw.choice(OPENINGS)} {draw.choice(SUBJECTS['code'])} number {n}" for n in range(900)]
    rows = [row(text, "a" if draw.random() < 0.7 else "b") for text in texts]
    report = train(version_of(workspace, rows, 400)).report
    # Nothing tells a from b, so the best there is to say is "a, 70 % sure".
    assert 0.62 < report.accuracy < 0.78
    assert report.calibration_error < 0.08
    assert "not shown to be better" in report.text


def test_a_classifier_saved_and_loaded_is_the_same_and_needs_no_torch(trained: Trained, workspace: Workspace) -> None:
    save(workspace, "topics", trained.classifier, trained.report.as_json())
    text = "Improve my pasta sauce function"
    expected = trained.classifier.classify(text)
    assert load(workspace, "topics").classify(text) == expected
    assert read_report(workspace, "topics") == json.loads(json.dumps(trained.report.as_json()))
    code = (
        "import sys; from pathlib import Path; from jobs.workspace import Workspace\n"
        "from serving.router.classifier.model import load\n"
        f"guess = load(Workspace(Path({str(workspace.root)!r})), 'topics').classify({text!r})\n"
        "print(repr(guess.probabilities)); print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    probabilities, modules = done.stdout.splitlines()
    assert probabilities == repr(expected.probabilities)
    assert modules == "False False"
    assert not [path for path in workspace.root.rglob("*") if path.suffix in (".pkl", ".npy", ".part")]


def test_training_twice_gives_the_same_weights(workspace: Workspace) -> None:
    version = version_of(workspace, rows_of(SUBJECTS, 3)[:150], 50)
    first, second = train(version).classifier, train(version).classifier
    assert first.temperature == second.temperature
    assert (first.coefficients == second.coefficients).all()


def test_a_new_training_replaces_the_earlier_one(trained: Trained, workspace: Workspace) -> None:
    for temperature in (1.0, 2.0):
        changed = Classifier(
            trained.classifier.labels,
            trained.classifier.coefficients,
            trained.classifier.intercepts,
            trained.classifier.rarity,
            temperature,
        )
        save(workspace, "topics", changed, {})
    assert load(workspace, "topics").temperature == 2.0
    assert list_classifiers(workspace) == ["topics"]


def test_one_tag_alone_is_refused_with_the_reason(workspace: Workspace) -> None:
    rows = rows_of({"code": SUBJECTS["code"]}, 0)[:50] + [row(f"rare {n}", "travel") for n in range(3)]
    with pytest.raises(BadInput, match=r"has 1 tags to learn.*code \(40\), travel \(3\)") as error:
        train(version_of(workspace, rows, 10))
    assert "at least two tags" in error.value.why


def test_rows_without_tags_texts_and_too_few_held_out_rows_are_refused(workspace: Workspace) -> None:
    texts = [{"text": f"text {n}", "tag": f"t{n % 2}", "source": "made", "row": n} for n in range(40)]
    untagged = [row(f"question {n}", None) for n in range(40)]
    for rows in (texts, untagged):
        with pytest.raises(BadInput, match="has 0 tags to learn"):
            train(version_of(workspace, rows, 20))
    with pytest.raises(BadInput, match="keeps 4 tagged rows for evaluation"):
        train(version_of(workspace, rows_of(SUBJECTS, 0)[:60], 4))


def test_rare_tags_and_rows_without_one_are_left_out_and_told(workspace: Workspace) -> None:
    rows = [*rows_of(SUBJECTS, 0)[:150], row("odd one", "odd"), row("no tag", None), row("twice", "odd")]
    report = train(version_of(workspace, rows, 50)).report
    assert report.learned == 100
    assert "Tags with fewer than 5 rows were left out: odd." in report.text
    assert "1 training rows without a tag" in report.text


def test_copies_of_a_row_are_learned_once(workspace: Workspace) -> None:
    rows = rows_of(SUBJECTS, 0)[:150]
    report = train(version_of(workspace, rows + rows[50:] * 4, 50)).report
    assert report.learned == 100


def test_rows_that_are_all_of_one_group_can_still_be_learned(workspace: Workspace) -> None:
    rows = [{**each, "group": "one"} for each in rows_of(SUBJECTS, 0)[:120]]
    assert train(version_of(workspace, rows, 40)).report.accuracy > 0.8


def test_a_few_rows_that_are_all_right_are_no_proof_of_certainty() -> None:
    def sureness(rows: int) -> float:
        scores = np.tile([3.0, 0.0], (rows, 1))
        scaled = scores / temperature_for(scores, np.zeros(rows, dtype=np.int64))
        return float(1 / (1 + np.exp(-(scaled[0, 0] - scaled[0, 1]))))

    assert sureness(8) == pytest.approx(0.9, abs=0.01)
    assert sureness(98) == pytest.approx(0.99, abs=0.005)


def test_the_same_text_falls_into_the_same_buckets_on_every_machine() -> None:
    found = count_runs("Hello  WORLD")
    assert found.buckets.max() < BUCKETS
    assert found.counts.sum() == 12 + 11 + 10
    assert (found.buckets == count_runs("hello world").buckets).all()
    assert found.buckets.tolist()[:5] == [191, 1002, 3782, 4096, 4459]


def test_what_is_missing_damaged_or_badly_named_is_explained(trained: Trained, workspace: Workspace) -> None:
    with pytest.raises(Missing, match="no classifier 'topics'"):
        load(workspace, "topics")
    for name in ("../topics", "Topics", "", "a" * 65, "a\nb"):
        with pytest.raises(BadInput, match="can't be a classifier's name"):
            load(workspace, name)
    folder = save(workspace, "topics", trained.classifier, {})
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(whole) == {"weights.safetensors", "classifier.json"}
    broken = {
        "weights.safetensors": [b"", whole["weights.safetensors"][:5000], b"\x80\x04pickle"],
        "classifier.json": [b"", b"{}", b"[]", whole["classifier.json"].replace(b'"code",', b""), b"\xff"],
    }
    for name, contents in broken.items():
        for content in contents:
            (folder / name).write_bytes(content)
            with pytest.raises(BadInput, match="can't be read"):
                load(workspace, "topics")
        (folder / name).unlink()
        with pytest.raises(BadInput, match="can't be read"):
            load(workspace, "topics")
        (folder / name).write_bytes(whole[name])
    assert load(workspace, "topics").labels == trained.classifier.labels
