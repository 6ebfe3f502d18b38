"""Plain transformers + PEFT (+ bitsandbytes for 4 and 8 bit): runs anywhere; Unsloth is measured against it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from models.attention import use_quickest_attention
from models.backends import LoadOptions, LoraOptions


class PeftBackend:
    """See `Backend`."""

    name = "peft"

    def load(self, folder: Path, options: LoadOptions) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        # Where all weights are trained they are held in 32 bit: 16 would swallow small steps. The computation is cast.
        dtype = torch_dtype("fp32" if options.full else options.dtype)
        device = _device() if torch.cuda.is_available() else "cpu"
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": device},
            quantization_config=_quantisation_config(options, dtype),
        )
        use_quickest_attention(model, options.max_length)
        _keep_4bit_trainable(model)
        if options.quantisation != "none":
            # Not PEFT's prepare_model_for_kbit_training: it turns embeddings and output layer into 32 bit, which takes
            # 2 GB more of a card for a vocabulary of 128,000.
            model.requires_grad_(False)
        if options.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        if options.adapter is None:
            return model
        from peft import PeftModel

        return PeftModel.from_pretrained(model, options.adapter, is_trainable=True)

    def add_adapter(self, model: Any, lora: LoraOptions, options: LoadOptions) -> Any:
        import torch
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.target_modules,
            use_rslora=lora.rslora,
            use_dora=lora.dora,
            modules_to_save=list(lora.modules_to_save) or None,
        )
        torch.manual_seed(options.seed)
        adapted = get_peft_model(model, config)
        if lora.loftq_from is not None:
            from models.backends.loftq import start_from_what_4bit_lost

            start_from_what_4bit_lost(adapted, lora.loftq_from)
        return adapted

    def prepare_for_generation(self, model: Any) -> None:
        model.eval()
        model.config.use_cache = True

    def prepare_for_training(self, model: Any) -> None:
        model.train()


def _device() -> str:
    """This process's own card, of several that accelerate started; FSDP shares the weights out from the CPU."""
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true"):
        return "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def _keep_4bit_trainable(model: Any) -> None:
    """On CPUs with AVX-512, bitsandbytes repacks 4-bit weights at the first answer and can't train them any more."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def torch_dtype(name: str) -> Any:
    """torch's type for bf16, fp16 or fp32."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[name]


def _quantisation_config(options: LoadOptions, dtype: Any) -> Any:
    """NF4 with double quantisation (Dettmers et al. 2023), or LLM.int8()."""
    from transformers import BitsAndBytesConfig

    if options.quantisation == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    if options.quantisation == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return None
