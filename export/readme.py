"""What an export says about itself: a README with the exact commands, and a model card for the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.check import Checked
from export.checks import IN_WORDS, CheckName
from export.description import Description
from export.make import Made
from export.parity.report import FileReport, markdown
from export.rendering import NOT_VERIFIED
from export.source import Source
from export.spec import KITS, ExportSpec


@dataclass(frozen=True)
class Contents:
    """What an export holds. `targets` as the spec named them; `gguf`: names of files, the largest first; `files`: what
    the checks found; `recommended`: the file to use on this machine, with a sentence."""

    name: str
    targets: Sequence[str]
    gguf: Sequence[str]
    context_length: int
    files: Sequence[FileReport]
    unverified: dict[CheckName, str]
    recommended: str | None
    recommendation: str
    template_note: str

    @classmethod
    def of(cls, name: str, spec: ExportSpec, made: Made, checked: Checked | None, described: Description) -> Contents:
        found = checked.recommendation if checked else None
        return cls(
            name=name,
            targets=tuple(spec.to),
            gguf=[file.name for file in made.gguf],
            context_length=described.parameters.context_length,
            files=checked.files if checked else [],
            unverified=dict(checked.unverified) if checked else {},
            recommended=found.file if found else None,
            recommendation=" ".join(filter(None, (found.sentence, found.others, found.caution))) if found else "",
            template_note=described.template_note,
        )

    @property
    def best_gguf(self) -> str | None:
        """The recommended file, else the smallest."""
        return self.recommended or (self.gguf[-1] if self.gguf else None)

    @property
    def served_name(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def check_sentence(self) -> str:
        """How far the files are proven, in a sentence or two."""
        if not self.files:
            return "Unverified: the files were not compared with the trained model."
        missing = "; ".join(f"{IN_WORDS[check]} ({reason})" for check, reason in self.unverified.items())
        sentence = "Compared with the trained model; parity.json has the details."
        return f"{sentence} Unverified: {missing}." if missing else sentence


def modelfile_name(weights: str) -> str:
    """The Modelfile of `<name>-Q4_K_M.gguf` is Modelfile-Q4_K_M."""
    return "Modelfile-" + Path(weights).stem.rsplit("-", 1)[-1]


def ollama_name(weights: str) -> str:
    """A name that Ollama takes: lower case, no signs that it reads as a tag."""
    return Path(weights).stem.lower().replace("_", "-")


def readme(source: Source, contents: Contents) -> str:
    """The whole text. Commands are meant to be run inside the export's folder."""
    base = source.hub_id or source.model.folder.name
    parts = [
        f"# {source.name}",
        f"Fine-tuned with Hearth from {base}" + (f" on {source.data}." if source.data else "."),
    ]
    if contents.gguf:
        parts += [check_section(contents), _gguf_section(contents)]
    if "merged" in contents.targets:
        parts.append(_merged_section())
    if "adapter" in contents.targets:
        parts.append(_adapter_section(base))
    if "adapter_gguf" in contents.targets:
        parts.append(_adapter_gguf_section(source.name))
    kits = [target for target in contents.targets if target in KITS]
    if kits:
        lines = [f"- `for-{kit.replace('_', '-')}/`: its README.md has the command." for kit in kits]
        parts.append("## Folders for other programs\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def check_section(contents: Contents) -> str:
    """The table of the checks, the recommendation and what is unverified."""
    if not contents.files:
        return f"## Check\n\n{contents.check_sentence}"
    lines = ["## Check", contents.check_sentence, markdown(contents.files)]
    if contents.recommendation:
        lines.append(contents.recommendation)
    lines.append(f"{NOT_VERIFIED[0].upper()}{NOT_VERIFIED[1:]}. {contents.template_note}")
    return "\n\n".join(lines)


def _gguf_section(contents: Contents) -> str:
    ollama = "\n".join(f"ollama create {ollama_name(name)} -f {modelfile_name(name)}" for name in contents.gguf)
    best = contents.best_gguf or ""
    return (
        f"## Ollama\n\n```\n{ollama}\nollama run {ollama_name(best)}\n```\n\n"
        f"## llama.cpp\n\n```\nllama-server -m {best} --jinja -c {contents.context_length}\n```\n\n"
        "## LM Studio\n\n"
        f"```\nlms import {best}\n```"
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


def _adapter_gguf_section(name: str) -> str:
    file = f"{name}-adapter.gguf"
    return (
        "## Adapter as GGUF\n\nAdded to a GGUF file of the base when it is loaded.\n\n"
        f"```\nllama-server -m BASE.gguf --lora {file} --jinja\n```\n\n"
        f"In a Modelfile of Ollama: `FROM BASE` and `ADAPTER ./{file}`."
    )
