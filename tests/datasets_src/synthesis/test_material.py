"""Reading the input of a synthesis: documents in pieces, conversations of every format, prompts alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets_src.synthesis.material import Material, load_material, split_document
from datasets_src.synthesis.spec import SynthesisSpec
from jobs.errors import BadInput, Missing
from tests.datasets_src.readers.files import pdf

PROMPT = "Why?\n\nThe sky is blue."


def material(folder: Path, mode: str, rows: list[dict[str, Any]], **options: Any) -> Material:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    values = {
        "name": "toy",
        "mode": mode,
        "teachers": [{"model": "embedded"}],
        "domains": [{"name": "law", "count": 3}],
        "input": "rows.jsonl",
    }
    return load_material(SynthesisSpec.parse({**values, **options}), folder)


def test_long_documents_are_cut_at_paragraphs_and_nothing_is_lost(tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {n}. " + "word " * 30 for n in range(10)]
    found = material(
        tmp_path, "question_answer", [{"text": "\n\n".join(paragraphs)}, {"text": "Short."}], document_characters=400
    )
    texts = [piece.text for piece in found.pieces]
    assert all(text.startswith("Paragraph") for text in texts[:-1])
    assert all(len(text) <= 400 for text in texts)
    assert " ".join(" ".join(texts).split()) == " ".join(" ".join([*paragraphs, "Short."]).split())
    assert [piece.parent for piece in found.pieces] == ["rows.jsonl:1"] * (len(texts) - 1) + ["rows.jsonl:2"]


@pytest.mark.parametrize("text", ["x" * 1000, "One. Two! " * 100, "字" * 1000, "a\nb\n" * 250, "  "])
def test_any_text_is_cut_into_pieces_of_the_length_allowed(text: str) -> None:
    pieces = list(split_document(text, 300))
    assert all(0 < len(piece) <= 300 for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Why?", "input": "The sky is blue.", "output": "So."},
        {
            "messages": [
                {"role": "user", "content": "Why?\n\nThe sky is blue."},
                {"role": "assistant", "content": "So."},
            ]
        },
        {"conversations": [{"from": "human", "value": "Why?\n\nThe sky is blue."}, {"from": "gpt", "value": "So."}]},
        {"prompt": "Why?\n\nThe sky is blue.", "chosen": "So.", "rejected": "No."},
    ],
)
def test_rows_of_the_known_formats_are_prompts_and_examples(tmp_path: Path, row: dict[str, Any]) -> None:
    (piece,) = material(tmp_path, "rewrite", [row]).pieces
    assert [message["content"] for message in piece.prompt] == [PROMPT]
    assert piece.answer == "So."


def test_prompts_may_stand_alone_with_a_system_prompt(tmp_path: Path) -> None:
    (piece,) = material(tmp_path, "answers", [{"prompt": "Why?", "system": "Be kind."}]).pieces
    assert [message["role"] for message in piece.prompt] == ["system", "user"]
    assert piece.answer == ""


def test_an_unanswered_task_keeps_its_input(tmp_path: Path) -> None:
    (piece,) = material(tmp_path, "answers", [{"instruction": "Why?", "input": "The sky is blue."}]).pieces
    assert piece.prompt[-1]["content"] == PROMPT


def test_an_unanswered_conversation_is_a_prompt_whole(tmp_path: Path) -> None:
    said = [("user", "A"), ("assistant", "B"), ("user", "C")]
    row = {"messages": [{"role": role, "content": content} for role, content in said]}
    (piece,) = material(tmp_path, "answers", [row]).pieces
    assert [message["content"] for message in piece.prompt] == ["A", "B", "C"]


def test_rows_that_the_mode_cannot_use_are_counted_by_reason(tmp_path: Path) -> None:
    rows = [{"instruction": "Why?", "output": "So."}, {"instruction": "Why?", "output": ""}, {"output": "So."}]
    found = material(tmp_path, "rewrite", rows)
    assert len(found.pieces) == 1
    assert found.left_out.total() == 2
    assert found.left_out["no answer to the prompt"] == 1


def test_an_input_without_a_usable_row_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no text in a column named text"):
        material(tmp_path, "question_answer", [{"title": "Nothing"}])
    with pytest.raises(BadInput, match="for the domain 'law'"):
        domains = [{"name": "law", "count": 1}, {"name": "art", "count": 1}]
        material(tmp_path, "question_answer", [{"text": "Paint.", "tag": "art"}], domains=domains)
    with pytest.raises(Missing, match=r"nowhere\.jsonl"):
        material(tmp_path, "question_answer", [{"text": "A"}], input="nowhere.jsonl")


def test_a_folder_is_read_file_by_file_and_a_changed_one_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "manuals"
    (folder / "more").mkdir(parents=True)
    (folder / "b.pdf").write_bytes(pdf("The lamp is red.", "The fan is green."))
    (folder / "more" / "a.txt").write_text("The kettle is blue.")
    (folder / "picture.png").write_bytes(b"no text")
    values = {
        "name": "toy",
        "mode": "question_answer",
        "teachers": [{"model": "embedded"}],
        "domains": [{"name": "home", "count": 3}],
        "input": "manuals",
    }
    spec = SynthesisSpec.parse(values)
    found = load_material(spec, tmp_path)
    assert {piece.parent for piece in found.pieces} == {"b.pdf:1", "b.pdf:2", "more/a.txt:1"}
    assert load_material(spec, tmp_path).sha256 == found.sha256
    (folder / "more" / "a.txt").write_text("The kettle is black.")
    assert load_material(spec, tmp_path).sha256 != found.sha256
    for path in (folder / "b.pdf", folder / "more" / "a.txt"):
        path.unlink()
    with pytest.raises(Missing, match="no file that can be read"):
        load_material(spec, tmp_path)
