"""A run as a stand-alone Python script that trains the same with plain TRL or Unsloth, without anything of Hearth.

The folder holds train.py, rows.jsonl (token ids and labels as they are trained) and held_out.jsonl (those measured on).
The script gives each step the rows that it had, the same learning rate and, with the same library, the same first
adapter. Rows stand side by side with padding there, which leaves the loss as it is but for rounding.
"""

from __future__ import annotations

import json
import random
import shutil
import textwrap
from pathlib import Path

from datasets_src.store import open_version
from jobs.directory import JobDirectory
from jobs.errors import BadInput
from jobs.files import publish_folder, write_text
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from trainer.rows import Item, pack, rows_of
from trainer.script_constants import Decided, constants_of, read_decided, revision_of
from trainer.script_model import Library, Script
from trainer.script_template import text_of

WIDTH = 110


def write_script(job: JobDirectory, workspace: Workspace, folder: Path, library: Library | None = None) -> Path:
    """Write the folder; returns its train.py. `library` None: the one that the run was trained with.

    Raises BadInput when the job is no training run or `folder` holds something, Missing when the run didn't get as far
    as deciding its settings or its dataset or model is gone.
    """
    if job.header["kind"] != "train":
        raise BadInput(
            f"{job.id} is no training run.", f"It is a job of kind {job.header['kind']}.", "Name a train job."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(
            f"{folder} holds something already.", "A script never overwrites what is there.", "Name another folder."
        )
    decided = read_decided(job)
    tokenizer = ChatTokenizer.load(
        Path(decided.value("base")["folder"]), needs_template=decided.spec.method.objective != "continued"
    )
    train, held_out = _items(decided, tokenizer, workspace)
    library = library or own_library(decided)
    script = Script(
        title=_title(job, decided, library),
        spec=decided.spec,
        plan=decided.plan,
        library=library,
        constants=constants_of(decided, tokenizer, library, measured=bool(held_out)),
        adapter=bool(decided.value("base").get("adapter")),
        revision=revision_of(decided.value("base")) is not None,
        measured=bool(held_out),
    )
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write_text(temporary / "train.py", text_of(script))
    _write_rows(temporary / "rows.jsonl", train)
    _write_rows(temporary / "held_out.jsonl", held_out)
    publish_folder(temporary, folder)
    return folder / "train.py"


def _items(decided: Decided, tokenizer: ChatTokenizer, workspace: Workspace) -> tuple[list[Item], list[Item]]:
    """The rows (or packs) that were trained, and those measured on, as trainer/rows.py has them."""
    spec, plan = decided.spec, decided.plan
    version = open_version(workspace, decided.value("data"))
    train = rows_of(spec, version, "train", tokenizer, workspace)
    items = (pack(train, plan.max_length) if plan.batching == "packing" else train).items
    measured = rows_of(spec, version, "eval", tokenizer, workspace).items
    held_out = random.Random(spec.seed).sample(measured, min(spec.saving.evaluate_rows, len(measured)))
    if plan.batching == "packing":
        return items, held_out
    return [_without_lengths(item) for item in items], [_without_lengths(item) for item in held_out]


def _without_lengths(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "row_lengths"}


def _write_rows(path: Path, rows: list[Item]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def own_library(decided: Decided) -> Library:
    """The library that the run was trained with."""
    return "unsloth" if decided.plan.backend == "unsloth" else "trl"


WHAT = {
    "sft": "learns the answers of",
    "continued": "learns the text of",
    "dpo": "learns which answers are preferred (DPO) from",
    "orpo": "learns answers and which are preferred (ORPO) from",
    "kto": "learns from answers marked good or bad (KTO) of",
}
HOW = {"lora": "a LoRA adapter on", "qlora": "a LoRA adapter on the 4-bit weights of", "none": "all weights of"}


def _title(job: JobDirectory, decided: Decided, library: Library) -> str:
    """The script's docstring: what it trains, what it needs, and what about the run it doesn't repeat."""
    method, versions = decided.spec.method, decided.value("libraries") if "libraries" in decided.resolved else {}
    needed = ["torch", "transformers", "trl", "peft", "datasets"]
    needed += ["unsloth"] if library == "unsloth" else []
    needed += ["bitsandbytes"] if method.adapter == "qlora" or "8bit" in decided.plan.optimiser else []
    with_versions = ", ".join(f"{name} {versions.get(name, '')}".strip() for name in needed)
    paragraphs = [
        f"Trains {HOW[method.adapter]} {decided.value('base')['name']}: {WHAT[method.objective]} "
        f"{decided.value('data')}.",
        f"The training run {job.id} of Hearth as a script of its own. Run it with `python train.py`, beside rows.jsonl "
        f"and held_out.jsonl. It needs {with_versions} (the versions of the run).",
        *_remarks(decided, library),
    ]
    return "\n\n".join(textwrap.fill(_plain(text), WIDTH, break_on_hyphens=False) for text in paragraphs) + "\n"


def _plain(text: str) -> str:
    """Text that can stand in a docstring."""
    return text.replace("\\", "/").replace('"""', "'''")


def _remarks(decided: Decided, library: Library) -> list[str]:
    """What the script does otherwise than the run did."""
    spec, remarks = decided.spec, []
    if decided.changes:
        changed = " ".join(f"{change['what']} ({change['why']})." for change in decided.changes)
        remarks.append(
            f"The run was changed on the way: {changed} The script trains with the last settings from its first step, "
            "so losses before that differ."
        )
    if library != own_library(decided):
        remarks.append(
            f"The run was trained with {decided.plan.backend}; here its figures differ by rounding and more."
        )
    if spec.method.loftq:
        remarks.append("The run's adapter began with LoftQ, which this script doesn't do: it begins with a plain one.")
    if spec.method.dropout or spec.optimisation.neftune_alpha:
        remarks.append("Dropout and noise on inputs draw other random numbers here, as rows stand side by side.")
    if spec.saving.evaluate_on:
        remarks.append(f"The run also measured on {', '.join(spec.saving.evaluate_on)}, which is left out here.")
    return remarks
