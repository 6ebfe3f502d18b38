"""Folders ready for other programs: the weights (linked, not copied), a README and the command that runs them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from export.readme import Contents
from export.spec import KITS, ExportSpec
from jobs.context import JobContext
from jobs.files import publish_folder, write_text

_PART = ".kit.part"


@dataclass(frozen=True)
class Kit:
    """How a program runs the model: the `commands` inside the folder, and what has to be installed for it.

    `place`: where in the folder the weights lie; `script`: a Python file to write, by its text.
    """

    program: str
    install: str
    commands: tuple[str, ...]
    place: str
    script: str | None = None
    note: str = ""


# Only what transformers itself needs: no Hearth, no Unsloth.
CHAT_SCRIPT = '''"""Chat with the model in this folder: python chat.py "Your question" """

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "model"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", device_map="auto")
messages = [{"role": "user", "content": " ".join(sys.argv[1:]) or "Hello!"}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
output = model.generate(**inputs.to(model.device), max_new_tokens=256, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
'''


def kit_for(target: str, contents: Contents) -> Kit:
    """The kit of one of `KITS`. GGUF kits take the recommended file, else the smallest."""
    name, length = contents.served_name, contents.context_length
    file = contents.best_gguf or ""
    kits = {
        "vllm": Kit(
            "vLLM",
            "pip install vllm",
            (f"vllm serve ./model --served-model-name {name} --max-model-len {length}",),
            "model",
            note="It answers on http://127.0.0.1:8000/v1 as an OpenAI-compatible server.",
        ),
        "transformers": Kit(
            "transformers",
            "pip install torch transformers accelerate",
            ('python chat.py "Hello!"',),
            "model",
            CHAT_SCRIPT,
        ),
        "llama_server": Kit(
            "llama.cpp's server",
            "llama.cpp from your package manager, or https://github.com/ggml-org/llama.cpp/releases",
            (f"llama-server -m {file} --jinja -c {length} --port 8080",),
            ".",
            note="It answers on http://127.0.0.1:8080/v1 as an OpenAI-compatible server, and has a chat page there.",
        ),
        "lm_studio": Kit(
            "LM Studio",
            "https://lmstudio.ai",
            (f"lms import --copy {file}", f"lms load {name} --context-length {length}"),
            ".",
            note="Or copy the .gguf file into LM Studio's models folder, as <you>/<model>/<file>.gguf.",
        ),
    }
    return kits[target]


def write_kits(context: JobContext, spec: ExportSpec, contents: Contents) -> None:
    """A folder for each kit that the spec asks for; one that is there already is kept."""
    for target in spec.to:
        if target not in KITS:
            continue
        final = context.artifact(context.path / kit_folder(target))
        if final.exists():
            continue
        temporary = context.path / _PART
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        kit = kit_for(target, contents)
        weights = context.path / ("merged" if KITS[target] == "merged" else contents.best_gguf or "")
        _link(weights, temporary / kit.place)
        if kit.script is not None:
            write_text(temporary / "chat.py", kit.script)
        write_text(temporary / "README.md", kit_text(kit, contents))
        publish_folder(temporary, final)


def kit_folder(target: str) -> str:
    return f"for-{target.replace('_', '-')}"


def kit_text(kit: Kit, contents: Contents) -> str:
    """What the folder's README says."""
    commands = "\n".join(kit.commands)
    note = f"\n{kit.note}\n" if kit.note else ""
    return (
        f"# {contents.name} in {kit.program}\n\nNeeded: {kit.install}\n\n"
        f"Inside this folder:\n\n```\n{commands}\n```\n{note}\n{contents.check_sentence}\n"
    )


def _link(weights: Path, place: Path) -> None:
    """The weights under another name, without taking room where the file system can do that."""
    place.mkdir(exist_ok=True)
    for file in sorted(weights.iterdir()) if weights.is_dir() else [weights]:
        try:
            os.link(file, place / file.name)
        except OSError:
            shutil.copyfile(file, place / file.name)
