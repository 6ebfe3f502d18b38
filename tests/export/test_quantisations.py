"""The list of number formats: sizes are near the truth, and what can't be made here is said with the reason."""

from __future__ import annotations

import subprocess
import sys
from math import prod
from pathlib import Path
from typing import get_args

import pytest

from export.gguf_file import GgufFile, GgufTensor
from export.quantisations import (
    FORMATS,
    QUANTISATIONS,
    Plain,
    Quantisation,
    available,
    estimated_bytes,
    source_kind,
)
from export.source import Source
from export.tensor_types import BLOCK_BYTES, BLOCK_LENGTH, GgmlType, Mix, choose_types
from models.reference import ResolvedModel
from tests.export.test_quantise import put_tool
from tests.export.toy_gguf import Toy

# Name: shape, width of a head, size of the vocabulary. As their makers published them.
REAL = {
    "SmolLM2-135M": (Toy("llama", 30, 576, 1536, 9, 3, tied=True), 64, 49152),
    "Qwen2.5-0.5B": (Toy("qwen2", 24, 896, 4864, 14, 2, tied=True), 64, 151936),
    "Gemma-3-1B": (Toy("gemma3", 26, 1152, 6912, 4, 1, tied=True), 256, 262144),
    "Llama-3.2-1B": (Toy("llama", 16, 2048, 8192, 32, 8, tied=True), 64, 128256),
    "SmolLM2-1.7B": (Toy("llama", 24, 2048, 8192, 32, 32, tied=True), 64, 49152),
    "Qwen3-4B": (Toy("qwen3", 36, 2560, 9728, 32, 8, tied=True), 128, 151936),
    "Mistral-7B": (Toy("llama", 32, 4096, 14336, 32, 8), 128, 32768),
}


def real_shape(name: str) -> GgufFile:
    """The tensors of a real model, without their numbers."""
    toy, head, vocabulary = REAL[name]
    rows = {
        "attn_q": head * toy.heads, "attn_k": head * toy.value_heads, "attn_v": head * toy.value_heads,
        "attn_output": toy.hidden, "ffn_gate": toy.inner, "ffn_up": toy.inner, "ffn_down": toy.hidden,
        "token_embd": vocabulary, "output": vocabulary,
    }  # fmt: skip
    tensors = []
    for tensor, shape in toy.shapes().items():
        part = tensor.split(".")[-2]
        length = head * toy.heads if part == "attn_output" else shape[0]
        tensors.append(GgufTensor(tensor, (length, rows[part]) if len(shape) > 1 else shape, GgmlType.F32, 0))
    return GgufFile(Path(name), toy.settings(), tuple(tensors))


@pytest.mark.parametrize("name", REAL)
def test_estimated_sizes_are_near_those_of_real_models(name: str) -> None:
    model = real_shape(name)
    parameters = sum(prod(tensor.shape) for tensor in model.tensors)
    toy, _, vocabulary = REAL[name]
    for mix in get_args(Mix):
        types = choose_types(model, mix)
        weights = sum(
            tensor.rows * tensor.row_length // BLOCK_LENGTH[types[tensor.name]] * BLOCK_BYTES[types[tensor.name]]
            for tensor in model.tensors
        )
        estimate = estimated_bytes(mix, parameters, vocabulary, toy.hidden % 256 == 0)
        assert weights * 0.9 < estimate - vocabulary * 37 < weights * 1.17, mix


def test_the_estimate_counts_the_vocabulary(f16_gguf: Path) -> None:
    parameters = 49152 * 64 + 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128)
    actual = f16_gguf.stat().st_size
    assert abs(estimated_bytes("f16", parameters, 49152, False) - actual) < 0.05 * actual


@pytest.mark.parametrize(
    ("wanted", "stored", "source"),
    [
        (["q4_k_m"], "bf16", "bf16"),
        (["q4_k_m"], "f16", "f16"),
        (["q4_k_m"], "f32", "f16"),
        (["f16", "q4_k_m"], "bf16", "f16"),
        (["f16", "bf16"], "bf16", "bf16"),
        (["bf16", "q8_0"], "f16", "f16"),
        (["bf16", "q8_0"], "f32", "f32"),
        (["f32", "f16", "q8_0"], "bf16", "f32"),
    ],
)
def test_all_kinds_come_from_one_that_holds_what_they_need(
    wanted: list[Quantisation], stored: Plain, source: Plain
) -> None:
    assert source_kind(wanted, stored) == source


def test_what_needs_llama_cpp_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = available()
    assert tuple(found) == QUANTISATIONS
    assert {kind for kind, why in found.items() if why} == {
        kind for kind, about in FORMATS.items() if about.maker == "llama.cpp"
    }
    assert found["iq4_xs"] == "needs llama.cpp's program llama-quantize"
    put_tool(tmp_path, "exit 1", monkeypatch)
    assert {kind for kind, why in available().items() if why} == {"iq3_xxs", "iq2_m"}
    put_tool(tmp_path, "exit 1", monkeypatch, "llama-imatrix")
    assert not any(available().values())


def test_programs_of_a_build_of_ones_own_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "llama.cpp" / "build" / "bin"
    folder.mkdir(parents=True)
    put_tool(folder, "exit 1", monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert available()["iq4_xs"] is None


def test_the_list_is_there_for_the_page_without_numpy_or_torch() -> None:
    code = "import sys, export.quantisations; print([name for name in ('numpy', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("adapter", "stored", "wanted", "whole"),
    [
        (True, "bf16", ["q8_0", "q4_k_m"], "f16"),
        (True, "bf16", ["f16", "q8_0"], "f16"),
        (True, "bf16", ["bf16", "q8_0"], "bf16"),
        (True, "f32", ["q8_0"], "f16"),
        (False, "bf16", ["q8_0"], "bf16"),
    ],
)
def test_what_an_adapter_changed_in_bf16_weights_goes_into_the_files_with_the_digits_of_f16(
    adapter: bool, stored: Plain, wanted: list[Quantisation], whole: Plain
) -> None:
    model = ResolvedModel("base", Path("base"), Path("adapter") if adapter else None)
    source = Source.__new__(Source)
    vars(source).update(model=model, stored=stored)
    assert source.source_kind(wanted) == whole
    assert source.merges_finely(wanted) == (adapter and stored == "bf16" and whole == "f16")
