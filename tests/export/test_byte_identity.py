"""What the pure-wheel quantiser writes is what llama.cpp itself writes, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from export.gguf_file import read_gguf
from export.quantisations import FORMATS
from export.quantise import quantise_by_rows
from export.row_quantisers import RowEngine, row_engine
from export.tensor_types import GgmlType, Mix
from tests.export.oracle import by_llama_cpp
from tests.export.toy_gguf import Toy

ROW_MIXES: tuple[Mix, ...] = get_args(Mix)

# Widths that are a multiple of 256 and that are not; two and four query heads to a value head; tied and untied;
# layers that divide by 8 and that don't; the 80 layers that have rules of their own; dense and expert models.
TOYS = [
    Toy("llama", 2, heads=4, value_heads=1),
    Toy("llama", 9, hidden=64, inner=192, tied=True),
    Toy("llama", 80, heads=8),
    Toy("llama", 9, experts=8),
    Toy("qwen2", 80),
    Toy("qwen2", 24, hidden=896, inner=4864, heads=14, tied=True),
    Toy("qwen3", 9, tied=True),
    Toy("qwen3", 32, heads=8, inner=768),
    Toy("qwen3moe", 9, experts=16),
    Toy("gemma3", 26, hidden=1152, inner=6912, heads=4, value_heads=1, tied=True),
    Toy("gemma3", 34, tied=True),
    Toy("phi3", 32, fused=True),
    Toy("falcon", 32, fused=True),
]


def assert_same_file(ours: Path, theirs: Path) -> None:
    """Names the first tensor or entry that differs before it compares all bytes."""
    left, right = read_gguf(ours), read_gguf(theirs)
    assert [(tensor.name, tensor.shape, GgmlType(tensor.type).name) for tensor in left.tensors] == [
        (tensor.name, tensor.shape, GgmlType(tensor.type).name) for tensor in right.tensors
    ]
    assert left.entries == right.entries
    contents = ours.read_bytes(), theirs.read_bytes()
    ends = [tensor.start for tensor in left.tensors[1:]] + [len(contents[0])]
    different = [
        tensor.name
        for tensor, end in zip(left.tensors, ends, strict=True)
        if contents[0][tensor.start : end] != contents[1][tensor.start : end]
    ]
    assert different == []
    assert contents[0] == contents[1]


def test_every_kind_that_is_made_without_llama_cpp_is_compared() -> None:
    made = {kind for kind, about in FORMATS.items() if about.maker != "llama.cpp"}
    assert set(ROW_MIXES) == made


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_every_byte_is_llama_cpps(toy: Toy, tmp_path: Path) -> None:
    compare(toy.write(tmp_path / "toy.gguf"), tmp_path, ROW_MIXES, row_engine())


@pytest.mark.parametrize("kind", [GgmlType.F32, GgmlType.BF16], ids=lambda kind: kind.name)
def test_every_byte_is_llama_cpps_from_other_sources(kind: GgmlType, tmp_path: Path) -> None:
    source = Toy("llama", 2, tied=True).write(tmp_path / "toy.gguf", kind)
    compare(source, tmp_path, ROW_MIXES, row_engine())


@pytest.mark.parametrize("toy", [TOYS[0], TOYS[1], TOYS[3], TOYS[9]], ids=lambda toy: toy.name)
def test_every_byte_is_llama_cpps_where_only_libgguf_is_there(toy: Toy, tmp_path: Path) -> None:
    compare(toy.write(tmp_path / "toy.gguf"), tmp_path, ROW_MIXES, "libgguf")


@pytest.mark.slow
@pytest.mark.parametrize("size", ["64", "256"])
def test_every_byte_is_llama_cpps_for_a_converted_model(
    request: pytest.FixtureRequest, tmp_path: Path, size: str
) -> None:
    source: Path = request.getfixturevalue("f16_gguf" if size == "64" else "f16_gguf_256")
    compare(source, tmp_path, ("q4_k_m", "q3_k_m"), row_engine())


def compare(source: Path, folder: Path, mixes: tuple[Mix, ...], engine: RowEngine) -> None:
    """Quantise `source` to each of `mixes` by llama.cpp and without it, and compare the files."""
    for mix, theirs in by_llama_cpp(source, folder, mixes).items():
        ours = folder / f"{mix}.gguf"
        quantise_by_rows(source, ours, mix, engine=engine)  # type: ignore[arg-type]
        assert_same_file(ours, theirs)
