"""The converted file says what it is, runs in plain llama.cpp, and failures have clear messages."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from export.gguf import GgufMetadata, convert, read_card, stored_kind
from export.gguf_file import read_gguf
from export.llama_tools import run_tool
from export.quantise import quantise_by_rows
from export.tensor_types import GgmlType
from export.tensors import ShardWriter
from jobs.errors import BadInput, Stopped
from tests.export.conftest import BASE

GENERATE = """
import json, sys, urllib.request
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.warmup = sys.argv[1], 256, 1, False
server = xllamacpp.Server(params)
body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
request = urllib.request.Request(
    server.listening_address + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
)
print("ANSWER", urllib.request.urlopen(request).read().decode())
"""


def test_the_file_carries_name_licence_language_and_template(f16_gguf: Path, tiny_model: Path) -> None:
    model = read_gguf(f16_gguf)
    assert model.value("general.name") == "tiny-player"
    assert model.value("general.license") == "apache-2.0"
    assert model.value("general.languages") == ["en"]
    assert model.value("general.description") == "A toy."
    assert model.value("general.base_model.0.repo_url") == f"https://huggingface.co/{BASE}"
    assert model.value("general.organization") is None
    assert model.value("tokenizer.chat_template") == (tiny_model / "chat_template.jinja").read_text()
    assert model.value("llama.block_count") == 2
    assert model.value("no.such.key") is None


def test_the_file_generates_in_plain_llama_cpp(f16_gguf: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GENERATE, str(f16_gguf)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=f16_gguf.parent,
    )
    answers = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert len(answers) == 1, done.stderr[-2000:]
    assert json.loads(answers[0].removeprefix("ANSWER"))["usage"]["completion_tokens"] > 0


def copy_with(model: Path, folder: Path, **changes: object) -> Path:
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


def test_an_architecture_that_llama_cpp_does_not_know_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    model = copy_with(tiny_model, tmp_path / "model", architectures=["CounterfactualForCausalLM"])
    with pytest.raises(BadInput, match="CounterfactualForCausalLM can't be written as GGUF"):
        convert(model, tmp_path / "out.gguf", GgufMetadata("x", "", {}, None))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_another_failure_shows_the_converters_last_lines(tiny_model: Path, tmp_path: Path) -> None:
    model = copy_with(tiny_model, tmp_path / "model")
    (model / "model.safetensors").write_bytes(b"\x08" + bytes(7) + b"not json")
    with pytest.raises(RuntimeError, match=r"last lines:\n(.*\n)+.*Error"):
        convert(model, tmp_path / "out.gguf", GgufMetadata("x", "", {}, None))


def test_a_full_disk_in_the_converter_reaches_the_caller_as_such(tmp_path: Path) -> None:
    said = "Traceback …; OSError: [Errno 28] No space left on device"
    with pytest.raises(OSError, match="No space left") as error:
        run_tool(["sh", "-c", f"echo '{said}'; exit 1"], tmp_path / "out.gguf", lambda _text: None)
    assert error.value.errno == errno.ENOSPC


@pytest.mark.slow
def test_a_stop_ends_the_converter(tiny_model: Path, tmp_path: Path) -> None:
    def stop(_fraction: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        convert(tiny_model, tmp_path / "out.gguf", GgufMetadata("x", "", {}, None), progress=stop)
    assert list(tmp_path.iterdir()) == []


def contents(file: Path) -> dict[str, tuple[int, bytes]]:
    """Type number and bytes of each tensor."""
    model = read_gguf(file)
    size = {GgmlType.F32: 4, GgmlType.F16: 2, GgmlType.BF16: 2}
    raw = file.read_bytes()
    return {
        tensor.name: (
            tensor.type,
            raw[tensor.start : tensor.start + tensor.rows * tensor.row_length * size[tensor.type]],
        )
        for tensor in model.tensors
    }


@pytest.mark.slow
def test_a_conversion_to_f32_serves_all_kinds(tiny_model: Path, f16_gguf: Path, tmp_path: Path) -> None:
    metadata = GgufMetadata("tiny-player", "A toy.", {}, None)
    fractions: list[float] = []
    convert(tiny_model, tmp_path / "f32.gguf", metadata, "f32", fractions.append)
    assert fractions[-1] == 1.0
    convert(tiny_model, tmp_path / "bf16.gguf", metadata, "bf16")
    for kind, converted in (("f16", f16_gguf), ("bf16", tmp_path / "bf16.gguf")):
        quantise_by_rows(tmp_path / "f32.gguf", tmp_path / "made.gguf", kind)
        assert contents(tmp_path / "made.gguf") == contents(converted)


def test_what_the_weights_are_stored_in_is_seen(tiny_model: Path, tmp_path: Path) -> None:
    assert stored_kind(tiny_model) == "f32"
    with ShardWriter(tmp_path / "model.safetensors", [("a", "F32", (2,)), ("b", "BF16", (8,))]) as writer:
        writer.write([memoryview(bytes(8))])
        writer.write([memoryview(bytes(16))])
    assert stored_kind(tmp_path) == "bf16"


def test_a_files_beginning_or_end_that_is_wrong_is_named(tmp_path: Path, f16_gguf: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(BadInput, match="no GGUF file"):
        read_gguf(tmp_path / "a.gguf")
    (tmp_path / "b.gguf").write_bytes(f16_gguf.read_bytes()[:5000])
    with pytest.raises(BadInput, match="cut short"):
        read_gguf(tmp_path / "b.gguf")


def test_the_card_gives_licence_and_languages(tmp_path: Path) -> None:
    assert read_card(tmp_path) == {}
    (tmp_path / "README.md").write_text("---\nlicense: mit\nlanguage: [de]\nwidget: []\n---\n# Model\n")
    assert read_card(tmp_path) == {"license": "mit", "language": ["de"]}
    (tmp_path / "README.md").write_text("---\nlicense: [mit\n---\n")
    assert read_card(tmp_path) == {}
