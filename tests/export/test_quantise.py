"""Which type each tensor gets, which quantiser is used, and how one that fails or is stopped ends.

That the bytes are llama.cpp's is compared in test_byte_identity.py.
"""

from __future__ import annotations

import errno
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from export.gguf_file import GgufTensor, read_gguf
from export.llama_tools import ToolFailed
from export.quantise import quantise, quantise_by_rows
from export.row_quantisers import row_engine
from export.tensor_types import GgmlType, choose_types, in_llama_order
from jobs.errors import BadInput, Missing, Stopped
from tests.export.oracle import library_folder
from tests.export.toy_gguf import Toy


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
    quantise_by_rows(f16_gguf, tmp_path / "q8.gguf", "q8_0")
    with pytest.raises(BadInput, match="quantised already"):
        quantise_by_rows(tmp_path / "q8.gguf", tmp_path / "q4.gguf", "q4_k_m")


def put_tool(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch, name: str = "llama-quantize") -> None:
    """A fake of one of llama.cpp's programs, in front of PATH."""
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_an_installed_llama_quantize_is_used_and_its_failure_shown(
    f16_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, 'echo "[   1/   2] a"; echo "[   2/   2] b"; test "$3" = Q4_K_M && cp "$1" "$2"', monkeypatch)
    fractions: list[float] = []
    assert quantise(f16_gguf, tmp_path / "a.gguf", "q4_k_m", fractions.append).engine == "llama-quantize"
    assert fractions == [0.5, 1.0]
    put_tool(tmp_path, 'echo part > "$2"; echo "cannot do $3" >&2; exit 1', monkeypatch)
    with pytest.raises(ToolFailed, match="cannot do Q4_K_M"):
        quantise(f16_gguf, tmp_path / "b.gguf", "q4_k_m")
    assert not (tmp_path / "b.gguf").exists()


def test_a_stop_ends_llama_quantize_and_removes_what_it_wrote(
    f16_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, f'echo $$ > {tmp_path}/id; echo part > "$2"; echo "[ 1/ 9] a"; exec sleep 60', monkeypatch)

    def stop(_fraction: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        quantise(f16_gguf, tmp_path / "a.gguf", "q4_k_m", stop)
    assert not (tmp_path / "a.gguf").exists()
    assert not psutil.pid_exists(int((tmp_path / "id").read_text()))


def test_a_full_disk_that_llama_quantize_calls_a_stream_error_is_told_as_such(
    f16_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, 'echo "failed to quantize: basic_ios::clear: iostream error"; exit 1', monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 4096))
    with pytest.raises(OSError, match="No space left") as error:
        quantise(f16_gguf, tmp_path / "a.gguf", "q4_k_m")
    assert error.value.errno == errno.ENOSPC


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full: a file on a full disk")
def test_a_full_disk_is_told_as_such_without_llama_cpp(f16_gguf: Path) -> None:
    with pytest.raises(OSError, match="No space left") as error:
        quantise_by_rows(f16_gguf, Path("/dev/full"), "q8_0")
    assert error.value.errno == errno.ENOSPC


def test_without_the_tool_a_wheel_does_it(f16_gguf_256: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fractions: list[float] = []
    report = quantise(f16_gguf_256, tmp_path / "a.gguf", "q4_k_m", fractions.append)
    assert report.engine == row_engine()
    assert report.types == {"F32": 5, "Q4_K": 12, "Q6_K": 3}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_on_linux_rows_are_quantised_by_ggml_itself() -> None:
    if sys.platform != "linux":
        pytest.skip("only there is ggml's function visible in xllamacpp's library")
    assert row_engine() == "xllamacpp"


def test_a_stop_without_the_tool_leaves_nothing(
    f16_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    def stop(fraction: float) -> None:
        if fraction > 0.3:
            raise Stopped

    with pytest.raises(Stopped):
        quantise(f16_gguf, tmp_path / "a.gguf", "q8_0", stop)
    assert list(tmp_path.iterdir()) == []


def test_llama_cpps_library_is_used_where_its_package_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = library_folder()
    monkeypatch.setattr("export.quantise.find_library", lambda: folder)
    source = Toy("llama", 2).write(tmp_path / "toy.gguf")
    fractions: list[float] = []
    report = quantise(source, tmp_path / "a.gguf", "iq4_xs", fractions.append)
    assert report.engine == "llama-cpp-python"
    assert report.types["IQ4_XS"] > 0
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_what_only_llama_cpp_makes_is_refused_without_it(
    f16_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="IQ4_XS can't be made here"):
        quantise(f16_gguf, tmp_path / "a.gguf", "iq4_xs")
    with pytest.raises(Missing, match="needs an importance matrix"):
        quantise(f16_gguf, tmp_path / "a.gguf", "iq3_xxs")
    with pytest.raises(Missing, match="Q4_K_M with an importance matrix can't be made here"):
        quantise(f16_gguf, tmp_path / "a.gguf", "q4_k_m", importance=tmp_path / "importance.gguf")


@pytest.mark.parametrize("kind", [GgmlType.BF16, GgmlType.F32], ids=lambda kind: kind.name)
def test_numbers_that_do_not_fit_are_refused(kind: GgmlType, tmp_path: Path) -> None:
    source = Toy("llama", 2).write(tmp_path / "large.gguf", kind, scale=1e5)
    with pytest.raises(BadInput, match="too large for an F16 file"):
        quantise_by_rows(source, tmp_path / "a.gguf", "f16")
    quantise_by_rows(source, tmp_path / "b.gguf", "q8_0")
    undefined = Toy("llama", 2).write(tmp_path / "undefined.gguf", kind, scale=float("nan"))
    with pytest.raises(BadInput, match="infinite or undefined"):
        quantise_by_rows(undefined, tmp_path / "c.gguf", "q8_0")
