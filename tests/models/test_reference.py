"""Names of models, the embedded default, and what is said when a model can't be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from models.embedded import NAME
from models.hardware import Gpu, Hardware
from models.precision import choose_precision
from models.reference import ModelRef, resolve


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("embedded", "embedded"),
        ("Qwen/Qwen3-0.6B", "hub"),
        ("job:20260101-abc", "job"),
        ("adapter:/some/where", "adapter"),
        ("models/snake.gguf", "gguf"),
        ("http://localhost:11434/v1#llama3", "endpoint"),
        ("ollama:llama3.2:3b", "ollama"),
    ],
)
def test_every_form_of_a_name_is_recognised_and_written_back(text: str, kind: str) -> None:
    ref = ModelRef.parse(text)
    assert (ref.kind, ref.text) == (kind, text)


def test_a_folder_is_a_local_model(tiny_model: Path) -> None:
    assert resolve(str(tiny_model)).folder == tiny_model


@pytest.mark.parametrize("text", ["", "no such thing", "a/b/c", "job:"])
def test_a_text_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="names no model"):
        ModelRef.parse(text)


def test_an_unknown_model_with_no_hub_reachable_says_so_and_what_to_do() -> None:
    with pytest.raises(Missing) as caught:
        resolve("someone/unknown-model")
    assert "can't be reached" in caught.value.why
    assert "embedded" in caught.value.fix


def test_weights_as_pickle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(Missing, match="holds no model"):
        resolve(str(tmp_path))


def test_an_unknown_job_is_said(workspace: Workspace) -> None:
    with pytest.raises(Missing, match="There is no job 'x1'"):
        resolve("job:x1", workspace)


@pytest.mark.slow
def test_the_embedded_model_is_converted_once_with_the_right_tokenizer() -> None:
    resolved = resolve("embedded")
    assert resolved.name == NAME
    tokenizer = ChatTokenizer.load(resolved.folder)
    assert tokenizer.stop_tokens == ["<|im_end|>"]
    digits = tokenizer.encode("2026")
    assert [tokenizer.decode([token]) for token in digits] == ["2", "0", "2", "6"]
    written = (resolved.folder / "model.safetensors").stat().st_mtime_ns
    assert resolve("embedded").folder == resolved.folder
    assert (resolved.folder / "model.safetensors").stat().st_mtime_ns == written


def machine(*computes: tuple[int, int]) -> Hardware:
    gpus = [Gpu(index, "Card", 12 << 30, 11 << 30, compute, "580") for index, compute in enumerate(computes)]
    return Hardware(gpus, 8, 32 << 30, 16 << 30, 1 << 40, "x86_64")


def test_precision_follows_the_hardware_and_says_why() -> None:
    assert choose_precision("auto", machine((8, 6))).value == "bf16"
    assert choose_precision("auto", machine((7, 5))).value == "fp16"
    assert choose_precision("auto", machine()).value == "bf16"
    with pytest.raises(BadInput):
        choose_precision("bf16", machine((7, 5)))
    with pytest.raises(BadInput):
        choose_precision("fp16", machine())


def test_the_lease_is_the_gpus_where_there_is_one() -> None:
    assert machine((8, 6)).resource == "gpu0"
    assert machine().resource == "cpu"
