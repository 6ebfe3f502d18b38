"""The importance matrix is asked of llama-imatrix, here a fake one, and handed to llama-quantize."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.importance import measure_importance
from export.llama_tools import ToolFailed
from export.quantise import quantise
from jobs.errors import BadInput, Missing, Stopped
from tests.export.test_quantise import put_tool
from tests.export.toy_gguf import Toy

# Prints what the real one prints (tools/imatrix/imatrix.cpp), and writes down what it was asked.
FAKE_IMATRIX = """
echo "compute_imatrix: computing over 4 chunks, n_ctx=512, batch_size=2048, n_seq=4"
printf '[1]12.3456,[2]11.0,'
printf '[3]10.9,[4]nan,\\n'
cp "$4" "$6.texts"
echo "$@" > "$6"
"""


def test_the_texts_are_measured_and_the_result_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_tool(tmp_path, FAKE_IMATRIX, monkeypatch, "llama-imatrix")
    put_tool(tmp_path, 'echo "$@" > "$2.asked"; cp "$3" "$4"', monkeypatch)
    source = Toy("llama").write(tmp_path / "model.gguf")
    fractions: list[float] = []
    measured = tmp_path / "importance.gguf"
    measure_importance(source, ["one\n", "two"], measured, fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1.0]
    assert Path(f"{measured}.texts").read_text() == "one\ntwo\n"
    asked = measured.read_text().split()
    assert asked[:2] == ["-m", str(source)]
    assert "--parse-special" in asked
    assert not Path(f"{measured}.txt").exists()
    quantise(source, tmp_path / "small.gguf", "iq3_xxs", importance=measured)
    command = Path(f"{measured}.asked").read_text().split()
    assert command == ["--imatrix", str(measured), str(source), str(tmp_path / "small.gguf"), "IQ3_XXS"]


def test_only_as_much_text_as_is_needed_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_tool(tmp_path, FAKE_IMATRIX, monkeypatch, "llama-imatrix")
    measure_importance(tmp_path / "model.gguf", ("x" * 300_000 for _ in range(100)), tmp_path / "out.gguf")
    assert 2_000_000 <= Path(f"{tmp_path / 'out.gguf'}.texts").stat().st_size < 2_001_000


def test_without_llama_imatrix_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="llama-imatrix"):
        measure_importance(tmp_path / "model.gguf", ["one"], tmp_path / "out.gguf")


def test_too_few_rows_are_told_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_tool(
        tmp_path, 'echo "you need at least 1024 tokens for a context of 512"; exit 1', monkeypatch, "llama-imatrix"
    )
    with pytest.raises(BadInput, match="too few"):
        measure_importance(tmp_path / "model.gguf", ["one"], tmp_path / "out.gguf")
    put_tool(tmp_path, 'echo part > "$6"; echo "failed to load model"; exit 1', monkeypatch, "llama-imatrix")
    with pytest.raises(ToolFailed, match="failed to load model"):
        measure_importance(tmp_path / "model.gguf", ["one"], tmp_path / "out.gguf")
    assert [file.name for file in tmp_path.iterdir()] == ["llama-imatrix"]


def test_a_stop_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_tool(tmp_path, 'echo part > "$6"; echo "[1]9.5,"; exec sleep 60', monkeypatch, "llama-imatrix")

    def stop(_fraction: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        measure_importance(tmp_path / "model.gguf", ["one"], tmp_path / "out.gguf", stop)
    assert [file.name for file in tmp_path.iterdir()] == ["llama-imatrix"]
