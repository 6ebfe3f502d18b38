"""What the pure-wheel quantiser writes is what llama.cpp itself writes, byte for byte."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from export.gguf import GgufMetadata, convert
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


def random_toy(seed: int) -> Toy:
    """Any number of layers, any width that blocks of 32 fit in."""
    draw = random.Random(seed)
    architecture = draw.choice(
        ["llama", "qwen2", "qwen3", "gemma3", "phi3", "qwen3moe", "falcon", "granite", "smollm3"]
    )
    value_heads = draw.choice([1, 2, 4])
    moe = architecture == "qwen3moe" or (architecture == "llama" and draw.random() < 0.3)
    return Toy(
        architecture,
        draw.randint(1, 48),
        hidden=draw.choice([256, 512, 32 * draw.randint(1, 30)]),
        inner=draw.choice([256, 1024, 32 * draw.randint(1, 30)]),
        heads=value_heads * draw.choice([1, 2, 4, 8]),
        value_heads=value_heads,
        experts=draw.choice([4, 8, 16]) if moe else 0,
        tied=draw.random() < 0.5,
        fused=architecture in ("phi3", "falcon"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_every_byte_is_llama_cpps_for_any_shape(seed: int, tmp_path: Path) -> None:
    compare(random_toy(seed).write(tmp_path / "toy.gguf"), tmp_path, ROW_MIXES, row_engine())


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


def converted(folder: Path, tiny_model: Path, config: Any) -> Path:
    """A random model of this shape, with the tiny model's tokenizer, through llama.cpp's converter."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    model = folder / "model"
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(model)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(tiny_model / name, model / name)
    convert(model, folder / "F16.gguf", GgufMetadata("toy", "A toy.", {}, None))
    return folder / "F16.gguf"


@pytest.mark.slow
@pytest.mark.parametrize("family", ["Qwen3Config", "Gemma3TextConfig", "MixtralConfig"])
def test_every_byte_is_llama_cpps_for_converted_families(tiny_model: Path, tmp_path: Path, family: str) -> None:
    import transformers

    config = getattr(transformers, family)(
        vocab_size=49152, hidden_size=256, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=64, max_position_embeddings=512,
    )  # fmt: skip
    compare(converted(tmp_path, tiny_model, config), tmp_path, ("q4_k_m", "q2_k"), row_engine())


def compare(source: Path, folder: Path, mixes: tuple[Mix, ...], engine: RowEngine) -> None:
    """Quantise `source` to each of `mixes` by llama.cpp and without it, and compare the files."""
    for mix, theirs in by_llama_cpp(source, folder, mixes).items():
        ours = folder / f"{mix}.gguf"
        quantise_by_rows(source, ours, mix, engine=engine)  # type: ignore[arg-type]
        assert_same_file(ours, theirs)
