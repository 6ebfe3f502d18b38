"""What a stand-alone script is written from, and its block that loads the model as the run's backend did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainer.plan import Plan
from trainer.spec import TrainSpec

Library = Literal["trl", "unsloth"]

TRAINERS = {"sft": "SFT", "continued": "SFT", "dpo": "DPO", "orpo": "DPO", "kto": "KTO"}


@dataclass(frozen=True)
class Constant:
    """A line `NAME = value  # origin`; `value` is Python text."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class Script:
    """What a script is written from. `title` is its docstring; `adapter`: it goes on from an earlier one."""

    title: str
    spec: TrainSpec
    plan: Plan
    library: Library
    constants: list[Constant]
    adapter: bool
    revision: bool
    measured: bool

    @property
    def objective(self) -> str:
        return self.spec.method.objective

    @property
    def trainer(self) -> str:
        return TRAINERS[self.objective]

    @property
    def fresh_adapter(self) -> bool:
        return self.spec.method.adapter != "none" and not self.adapter

    @property
    def patience(self) -> int | None:
        return self.spec.saving.early_stopping if self.measured else None

    @property
    def keeps_best(self) -> bool:
        return self.measured and self.spec.saving.result == "best"


KEEP_TRAINABLE = """\
    # On CPUs with AVX-512, bitsandbytes repacks 4-bit weights when they are measured and can't train them any more.
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
"""
QUANTISED = """BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=DTYPE,
        )"""


def trl_model(script: Script) -> str:
    """As the PEFT backend loads it (models/backends/peft.py)."""
    quantised, checkpointing = script.spec.method.adapter == "qlora", script.plan.gradient_checkpointing
    revision = "\n        revision=REVISION," if script.revision else ""
    quantisation = f"\n        quantization_config={QUANTISED}," if quantised else ""
    text = (
        'DEVICE = "cuda:0" if torch.cuda.is_available() else "cpu"\n\n\ndef load_model() -> Any:\n'
        f"    model = AutoModelForCausalLM.from_pretrained(\n        MODEL,{revision}\n        dtype=DTYPE,\n"
        f'        device_map={{"": DEVICE}},{quantisation}\n    )\n'
    )
    if quantised:
        options = (
            f'use_gradient_checkpointing={checkpointing}, gradient_checkpointing_kwargs={{"use_reentrant": False}}'
        )
        text += f"{KEEP_TRAINABLE}    model = prepare_model_for_kbit_training(\n"
        text += f"        model, {options}\n    )\n"
    elif checkpointing:
        text += '    model.gradient_checkpointing_enable({"use_reentrant": False})\n'
        text += "    model.enable_input_require_grads()\n"
    if script.adapter:
        return text + "    return PeftModel.from_pretrained(model, ADAPTER, is_trainable=True)\n"
    if not script.fresh_adapter:
        return text + "    return model\n"
    return text + FRESH_ADAPTER


FRESH_ADAPTER = """    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=DROPOUT,
        target_modules=TARGET_MODULES,
        use_rslora=RANK_STABILISED,
        use_dora=DORA,
        modules_to_save=MODULES_TO_SAVE,
    )
    torch.manual_seed(SEED)  # the adapter begins with the same random numbers
    return get_peft_model(model, adapter)
"""


def unsloth_model(script: Script) -> str:
    """As the Unsloth backend loads it (models/backends/unsloth.py)."""
    method = script.spec.method
    checkpointing = '"unsloth"' if script.plan.gradient_checkpointing else "False"
    revision = "\n        revision=REVISION," if script.revision else ""
    text = (
        "def load_model() -> Any:\n"
        "    model, _ = FastLanguageModel.from_pretrained(\n"
        f"        model_name={'ADAPTER' if script.adapter else 'MODEL'},{revision}\n"
        "        max_seq_length=MAX_LENGTH,\n"
        "        dtype=DTYPE,\n"
        f"        load_in_4bit={method.adapter == 'qlora'},\n"
        f"        full_finetuning={method.adapter == 'none'},\n"
        f"        use_gradient_checkpointing={checkpointing},\n"
        "    )\n"
    )
    if not script.fresh_adapter:
        return text + "    return model\n"
    return text + (
        "    return FastLanguageModel.get_peft_model(\n"
        "        model,\n"
        "        r=RANK,\n"
        "        target_modules=TARGET_MODULES,\n"
        "        lora_alpha=ALPHA,\n"
        "        lora_dropout=DROPOUT,\n"
        "        use_rslora=RANK_STABILISED,\n"
        "        use_dora=DORA,\n"
        "        modules_to_save=MODULES_TO_SAVE,\n"
        f"        use_gradient_checkpointing={checkpointing},\n"
        "        random_state=SEED,  # the adapter begins with the same random numbers\n"
        "    )\n"
    )
