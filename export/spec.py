"""ExportSpec: which files to make of a training job's result, and how thoroughly to check them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from jobs.spec import Spec, option

Target = Literal["adapter", "merged", "gguf"]
Quantisation = Literal["f16", "q8_0", "q4_k_m"]


class ExportSpec(Spec):
    """What an export job makes. Sampling options go into the Modelfile; they don't change the weights."""

    job: str = option(
        label="Training job",
        help="Id of the training job whose result is exported; its beginning is enough.",
        depth="essential",
        min_length=1,
    )
    to: list[Target] = option(
        lambda: ["gguf"],
        label="Make",
        help="adapter: the trained adapter alone (small; needs the base model). merged: adapter and base as one "
        "16-bit model. gguf: files for Ollama, llama.cpp and LM Studio.",
        depth="essential",
        min_length=1,
    )
    quantisations: list[Quantisation] = option(
        lambda: ["f16", "q8_0", "q4_k_m"],
        label="GGUF sizes",
        help="f16: as trained, largest. q8_0: half of that, almost no loss. q4_k_m: under a third, a small loss.",
        depth="essential",
        min_length=1,
    )
    name: str | None = option(
        None,
        label="Name",
        help="What the files are called. Empty: taken from the training job.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
    )
    system_prompt: str | None = option(
        None,
        label="System prompt",
        help="Written into the Modelfile. Empty: the one that all held-out rows share, else the one that the chat "
        "template adds by itself.",
    )
    context_length: int = option(
        4096,
        label="Context length",
        help="Tokens that Ollama keeps in view; never more than the model was made for. Longer takes more memory.",
        ge=64,
        le=1_048_576,
    )
    temperature: float = option(
        0.0,
        label="Temperature",
        help="0: always the likeliest answer, which is what the check compares. About 0.7 suits free conversation.",
        ge=0.0,
        le=2.0,
    )
    top_p: float = option(
        0.95,
        label="Top p",
        help="Above temperature 0: choose among the likeliest tokens that hold this share of the probability.",
        depth="everything",
        gt=0.0,
        le=1.0,
    )
    top_k: int = option(
        40,
        label="Top k",
        help="Above temperature 0: choose among this many tokens at most; 0 is no limit.",
        depth="everything",
        ge=0,
        le=1000,
    )
    repeat_penalty: float = option(
        1.0,
        label="Repeat penalty",
        help="1 leaves the model as trained; above 1 makes repeated words rarer.",
        depth="everything",
        ge=0.5,
        le=2.0,
    )
    check_prompts: int = option(
        16,
        label="Prompts to check",
        help="Held-out rows that each GGUF answers beside the trained model. 0: no check, and the files are said "
        "to be unverified.",
        ge=0,
        le=1000,
    )
    check_tokens: int = option(
        64,
        label="Answer length in the check",
        help="Tokens of each answer that are compared at most.",
        depth="everything",
        ge=1,
        le=2048,
    )

    @field_validator("to", "quantisations")
    @classmethod
    def _once_each(cls, values: list[str]) -> list[str]:
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise ValueError(f"names {', '.join(repeated)} more than once")
        return values

    @model_validator(mode="after")
    def _no_nul(self) -> Self:
        if self.system_prompt is not None and "\0" in self.system_prompt:
            raise ValueError("the system prompt holds a NUL character, which no server accepts")
        return self
