"""The README of an export: what each file is, and the exact commands that run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.parity import OLLAMA_NOTE, FileCheck
from export.source import Source


@dataclass(frozen=True)
class Contents:
    """What an export holds: names of GGUF files, whether there is an adapter/ and a merged/ folder, the checks."""

    gguf: Sequence[str]
    adapter: bool
    merged: bool
    context_length: int
    checks: Sequence[FileCheck]


def modelfile_name(weights: str) -> str:
    """The Modelfile of `<name>-Q4_K_M.gguf` is Modelfile-Q4_K_M."""
    return "Modelfile-" + Path(weights).stem.rsplit("-", 1)[-1]


def ollama_name(weights: str) -> str:
    """A name that Ollama takes: lower case, no signs that it reads as a tag."""
    return Path(weights).stem.lower().replace("_", "-")


def readme(source: Source, contents: Contents) -> str:
    """The whole text. Commands are meant to be run inside the export's folder."""
    base = source.hub_id or source.base_text
    parts = [
        f"# {source.name}",
        f"Fine-tuned with Hearth from {base}" + (f" on {source.data}." if source.data else "."),
    ]
    if contents.gguf:
        parts += [_check_section(contents), _gguf_section(contents)]
    if contents.merged:
        parts.append(_merged_section())
    if contents.adapter:
        parts.append(_adapter_section(base))
    return "\n\n".join(parts) + "\n"


def _check_section(contents: Contents) -> str:
    if not contents.checks:
        return "## Check\n\nUnverified: the files were not compared with the trained model."
    lines = [
        f"- `{check.file}` ({check.size_bytes / 1e6:.0f} MB; {check.tokens_per_second:g} tokens/s): {check.verdict}."
        for check in contents.checks
    ]
    text = "Each file answered held-out prompts in llama.cpp beside the trained model; parity.json has the details."
    return f"## Check\n\n{text}\n\n" + "\n".join(lines) + f"\n- {OLLAMA_NOTE[0].upper()}{OLLAMA_NOTE[1:]}."


def _gguf_section(contents: Contents) -> str:
    ollama = "\n".join(f"ollama create {ollama_name(name)} -f {modelfile_name(name)}" for name in contents.gguf)
    smallest = contents.gguf[-1]
    return (
        f"## Ollama\n\n```\n{ollama}\nollama run {ollama_name(smallest)}\n```\n\n"
        f"## llama.cpp\n\n```\nllama-server -m {smallest} --jinja -c {contents.context_length}\n```\n\n"
        "## LM Studio\n\n"
        f"```\nlms import {smallest}\n```"
    )


def _merged_section() -> str:
    return (
        "## Merged model (transformers, vLLM)\n\n"
        "```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'model = AutoModelForCausalLM.from_pretrained("merged")\n'
        'tokenizer = AutoTokenizer.from_pretrained("merged")\n'
        "```\n\n"
        "```\nvllm serve ./merged\n```"
    )


def _adapter_section(base: str) -> str:
    return (
        f"## Adapter (PEFT)\n\nIt is added to {base}, which PEFT loads by itself.\n\n"
        "```python\n"
        "from peft import AutoPeftModelForCausalLM\n"
        "from transformers import AutoTokenizer\n\n"
        'model = AutoPeftModelForCausalLM.from_pretrained("adapter")\n'
        'tokenizer = AutoTokenizer.from_pretrained("adapter")\n'
        "```"
    )
