"""The plain contestant of the GPU benchmark: PEFT, bitsandbytes and TRL as their documentation shows them.

    python -P benchmarks/gpu_plain.py SETTINGS.json      what benchmarks/gpu_runs.py writes; the result lies beside it

A script of its own that imports nothing of Hearth: weights in NF4 with double quantisation, made trainable by
`prepare_model_for_kbit_training`, PyTorch's own attention (SDPA), gradient checkpointing, padding, and a loss over all
logits at once. What it trains with (rows, batch, length, optimiser, adapter) is what Hearth trains with.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(path: Path) -> None:
    """Train as SETTINGS says; write the time at the start and after each step into result.json."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in Path(settings["rows"]).read_text(encoding="utf-8").splitlines()]
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_per_process_memory_fraction(settings["memory_fraction"])
    times: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            times.append(time.monotonic())

        # The loss of a step is read for its log entry, so the card has finished the step by then.
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:  # noqa: ARG002
            if "loss" in logs:
                times.append(time.monotonic())

    trainer = SFTTrainer(
        model=load(settings),
        args=SFTConfig(
            output_dir=str(path.parent / "out"),
            max_steps=settings["steps"],
            per_device_train_batch_size=settings["batch_size"],
            learning_rate=settings["learning_rate"],
            optim=settings["optimiser"],
            bf16=settings["precision"] == "bf16",
            fp16=settings["precision"] == "fp16",
            gradient_checkpointing=True,
            gradient_checkpointing_kwargs={"use_reentrant": False},
            loss_type="nll",
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            train_sampling_strategy="sequential",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not on_gpu,
            dataloader_pin_memory=on_gpu,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(settings["model"]),
        peft_config=adapter(settings),
        callbacks=[Clock()],
    )
    trainer.train()
    (path.parent / "result.json").write_text(json.dumps({"times": times}), encoding="utf-8")


def load(settings: dict[str, Any]) -> Any:
    """The model, in 4 bit for qlora."""
    import torch
    from peft import prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[settings["precision"]]
    four_bit = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    model = AutoModelForCausalLM.from_pretrained(
        settings["model"],
        dtype=dtype,
        attn_implementation="sdpa",
        device_map={"": "cuda:0" if torch.cuda.is_available() else "cpu"},
        quantization_config=four_bit if settings["adapter"] == "qlora" else None,
    )
    if settings["adapter"] != "qlora":
        return model
    return prepare_model_for_kbit_training(model, gradient_checkpointing_kwargs={"use_reentrant": False})


def adapter(settings: dict[str, Any]) -> Any:
    """LoRA on every linear layer."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        lora_dropout=0.0,
        target_modules="all-linear",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
