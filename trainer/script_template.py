"""The text of a stand-alone training script: blocks that read from top to bottom, for one run of one method.

What a script shares with Hearth (the order of rows, the collators, ORPO's loss) is Hearth's own source, so that the two
can't part.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from trainer import collate, orpo, sampler
from trainer.script_model import Constant, Script, trl_model, unsloth_model

WIDTH = 110


def text_of(script: Script) -> str:
    """The whole of train.py."""
    model = unsloth_model if script.library == "unsloth" else trl_model
    blocks = [
        f'"""{script.title}"""',
        _imports(script),
        _constants(script.constants),
        _order(),
        _batches(script),
        model(script),
        _trainer(script),
        _main(script),
    ]
    return "\n\n\n".join(block.strip("\n") for block in blocks) + "\n"


def source(*things: Callable[..., Any]) -> str:
    """Hearth's own source of functions and classes; what they import in themselves is imported at the top."""
    own_imports = re.compile(r"^ +import torch\n\n", re.MULTILINE)
    return "\n\n".join(own_imports.sub("", inspect.getsource(thing)) for thing in things)


def _imports(script: Script) -> str:
    lines = ["import json", "import random", "from collections.abc import Callable, Iterator"]
    lines += ["from pathlib import Path", "from typing import Any", ""]
    if script.library == "unsloth":
        # Unsloth patches the others as they are imported.
        lines = ["import os", *lines, 'os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")']
        lines += ["from unsloth import FastLanguageModel  # before trl and transformers", ""]
    lines += ["import torch", "from datasets import Dataset"]
    names = ["AutoTokenizer", *(["EarlyStoppingCallback"] if script.patience else [])]
    if script.library == "trl":
        quantised = script.spec.method.adapter == "qlora"
        names = ["AutoModelForCausalLM", *(["BitsAndBytesConfig"] if quantised else []), *names]
        peft = ["LoraConfig", "get_peft_model"] if script.fresh_adapter else []
        peft += ["PeftModel"] if script.adapter else []
        peft += ["prepare_model_for_kbit_training"] if quantised else []
        lines += [f"from peft import {', '.join(sorted(peft))}"] if peft else []
    lines += [f"from transformers import {', '.join(sorted(names))}"]
    lines += [f"from trl import {script.trainer}Config, {script.trainer}Trainer"]
    return "\n".join(lines)


def _constants(constants: list[Constant]) -> str:
    """Each with where it came from, beside it or above it."""
    lines = [
        "# What the run was made with, and where each value came from.",
        "",
        "HERE = Path(__file__).resolve().parent",
    ]
    for constant in constants:
        line, origin = f"{constant.name} = {constant.value}", " ".join(constant.origin.split())
        if len(line) + len(origin) + 4 <= WIDTH:
            lines.append(f"{line}  # {origin}")
        else:
            lines += [*(f"# {part}" for part in textwrap.wrap(origin, WIDTH - 2)), line]
    return "\n".join(lines)


def _order() -> str:
    comment = "# The order of rows depends on the seed and the epoch alone, so every step gets the rows that it had.\n"
    pool = f"BATCHES_PER_POOL = {sampler.BATCHES_PER_POOL}\n\n\n"
    return comment + pool + source(sampler.EpochSampler)


UNPACKED = '''
def unpacked(items: list[Item]) -> list[Item]:
    """The rows that were put together into packs, each by itself: the model computes the same from them."""
    rows = []
    for item in items:
        start = 0
        for length in item["row_lengths"]:
            part = slice(start, start + length)
            rows.append({"input_ids": item["input_ids"][part], "labels": item["labels"][part]})
            start += length
    return rows
'''


def _batches(script: Script) -> str:
    """The collator: rows side by side with padding, which changes no loss."""
    types = f"IGNORED = {collate.IGNORED}\nItem = dict[str, Any]\nBatch = dict[str, Any]\n"
    match script.objective:
        case "sft" | "continued":
            packed = script.plan.batching == "packing"
            made = source(collate.padded_rows, collate._padded)
            if packed:
                made = f"{UNPACKED.strip()}\n\n\n{made}"
        case "kto":
            made = source(collate.marked, collate._references, collate._masked, collate._padded)
        case _:
            made = source(collate.pairs, collate._references, collate._masked, collate._padded)
    read = (
        "def read(name: str) -> list[Item]:\n"
        '    """Rows as they were trained: token ids, and labels where something is learned."""\n'
        '    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]\n'
    )
    return f"{types}\n\n{read}\n\n{made}"


ORPO = '''
    def _precompute_ref_logps(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset  # no reference is needed

    def _compute_loss(self, model: Any, inputs: Batch, return_outputs: bool) -> Any:
        """Learn the chosen answers, and that they are likelier than the rejected ones."""
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
        mask = inputs["completion_mask"][:, 1:]
        logps = outputs.logits[:, :-1].float().log_softmax(-1)
        logps = logps.gather(2, inputs["input_ids"][:, 1:, None]).squeeze(2) * mask
        chosen, rejected = (logps.sum(dim=1) / mask.sum(dim=1)).chunk(2, dim=0)
        loss = orpo_loss(chosen, rejected, BETA)[0].mean()
        return (loss, outputs) if return_outputs else loss
'''


def _trainer(script: Script) -> str:
    before = source(orpo.orpo_loss, orpo._log_of_rest) + "\n\n" if script.objective == "orpo" else ""
    doc = "TRL's, over rows that are tokens already, in the run's own order."
    text = (
        f'{before}class Trainer({script.trainer}Trainer):\n    """{doc}"""\n\n    order: EpochSampler\n\n'
        "    def _get_train_sampler(self, *_: Any, **__: Any) -> EpochSampler:\n        return self.order\n"
    )
    if script.trainer != "SFT":
        text += "\n    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:\n        return dataset\n"
    return text + (ORPO if script.objective == "orpo" else "")


COMMON = """            output_dir=str(HERE / "output"),
            per_device_train_batch_size=BATCH_SIZE,
            per_device_eval_batch_size=BATCH_SIZE,
            gradient_accumulation_steps=GRADIENT_ACCUMULATION,
            gradient_checkpointing=False,  # where it is wanted, load_model has switched it on
            num_train_epochs=EPOCHS,
            max_steps=TOTAL_STEPS,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type=SCHEDULE,
            lr_scheduler_kwargs=SCHEDULE_OPTIONS,
            warmup_steps=WARMUP_STEPS,
            weight_decay=WEIGHT_DECAY,
            max_grad_norm=MAX_GRAD_NORM,
            optim=OPTIMISER,
            bf16={bf16},
            fp16={fp16},
            use_cpu=not torch.cuda.is_available(),
            logging_steps=1,
            logging_first_step=True,
            logging_nan_inf_filter=False,
            prediction_loss_only=True,
            remove_unused_columns=False,
            seed=SEED,
            data_seed=SEED,
            report_to="none",
            dataloader_pin_memory=torch.cuda.is_available(),
            max_length=None,  # the rows have been cut already
"""


def _own_arguments(script: Script) -> list[str]:
    """The arguments that the objective adds."""
    full = script.spec.method.adapter == "none"
    reference = (
        ["precompute_ref_log_probs=True,  # all weights change, so the reference is asked first"] if full else []
    )
    match script.objective:
        case "dpo":
            mixed = script.spec.preference.sft_weight > 0
            loss = 'loss_type=[LOSS, "sft"],' if mixed else "loss_type=[LOSS],"
            return ["beta=BETA,", loss, *(["loss_weights=[1.0, SFT_WEIGHT],"] if mixed else []), *reference]
        case "orpo":
            return ["beta=BETA,", *reference]
        case "kto":
            return ["beta=BETA,", "desirable_weight=GOOD_WEIGHT,", "undesirable_weight=BAD_WEIGHT,", *reference]
        case _:
            prepared = 'dataset_kwargs={"skip_prepare_dataset": True},  # tokens with labels already'
            noise = ["neftune_noise_alpha=NEFTUNE_ALPHA,"] if script.spec.optimisation.neftune_alpha else []
            loss = "nll" if script.library == "unsloth" else "chunked_nll"
            return [prepared, f'loss_type="{loss}",', *noise]


def _measuring(script: Script) -> list[str]:
    """The arguments about held-out rows and what is kept."""
    measured = ['eval_strategy="steps",', "eval_steps=EVALUATE_EVERY,"] if script.measured else []
    if script.keeps_best or script.patience:
        measured += ['metric_for_best_model="eval_loss",', "greater_is_better=False,"]
    if script.keeps_best:
        kept = ['save_strategy="steps",', "save_steps=EVALUATE_EVERY,", "save_total_limit=2,"]
        return [*measured, *kept, "load_best_model_at_end=True,"]
    return [*measured, 'save_strategy="no",']


def _collator(script: Script) -> str:
    match script.objective:
        case "sft" | "continued" if script.plan.batching == "packing":
            return "lambda items: padded_rows(PAD_ID)(unpacked(items))"
        case "sft" | "continued":
            return "padded_rows(PAD_ID)"
        case "kto":
            return "marked(PAD_ID)"
        case _:
            return "pairs(PAD_ID)"


LENGTHS = {
    "sft": 'len(row["input_ids"])',
    "continued": 'len(row["input_ids"])',
    "dpo": 'len(row["chosen_ids"]) + len(row["rejected_ids"])',
    "orpo": 'len(row["chosen_ids"]) + len(row["rejected_ids"])',
    "kto": 'len(row["ids"]) + len(row["other_ids"])',
}


def _main(script: Script) -> str:
    common = COMMON.replace("{bf16}", str(script.plan.dtype == "bf16")).replace(
        "{fp16}", str(script.plan.dtype == "fp16")
    )
    own = "".join(f"            {line}\n" for line in [*_own_arguments(script), *_measuring(script)])
    revision = ", revision=REVISION" if script.revision else ""
    held_out = '\n        eval_dataset=Dataset.from_list(read("held_out.jsonl")),' if script.measured else ""
    stop = f"\n        callbacks=[EarlyStoppingCallback({script.patience})]," if script.patience else ""
    by_length = script.plan.batching == "by_length"
    full = script.spec.method.adapter == "none"
    saved = (
        'model.save_pretrained(HERE / "model")'
        if full
        else 'model.save_pretrained(HERE / "adapter", selected_adapters=["default"])'
    )
    return (
        "def main() -> None:\n"
        '    rows = read("rows.jsonl")\n'
        f"    tokenizer = AutoTokenizer.from_pretrained(MODEL{revision})\n"
        "    trainer = Trainer(\n"
        "        model=load_model(),\n"
        f"        args={script.trainer}Config(\n{common}{own}        ),\n"
        f"        train_dataset=Dataset.from_list(rows),{held_out}\n"
        f"        data_collator={_collator(script)},\n"
        f"        processing_class=tokenizer,{stop}\n"
        "    )\n"
        f"    lengths = [{LENGTHS[script.objective]} for row in rows]\n"
        f"    trainer.order = EpochSampler(lengths, BATCH_SIZE * GRADIENT_ACCUMULATION, SEED, by_length={by_length})\n"
        "    trainer.train()\n"
        "    trainer.save_state()  # output/trainer_state.json holds the loss of every step\n"
        f"    trainer.accelerator.unwrap_model(trainer.model).{saved.removeprefix('model.')}\n"
        f'    tokenizer.save_pretrained(HERE / "{"model" if full else "adapter"}")\n'
        "\n\n"
        'if __name__ == "__main__":\n'
        "    main()"
    )
