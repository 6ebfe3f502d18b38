"""ExportSpec: which files to make of a training job's result, and how thoroughly to check them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from export.checks import WHAT_IT_SHOWS, CheckName
from export.quantisations import FORMATS, Quantisation
from jobs.spec import Spec, option

Target = Literal["adapter", "adapter_gguf", "merged", "gguf", "vllm", "llama_server", "lm_studio", "transformers"]
# What each is, for the page.
TARGETS: dict[Target, str] = {
    "adapter": "Adapter (small; needs the base model)",
    "adapter_gguf": "Adapter as GGUF",
    "merged": "Merged model, 16 bit",
    "gguf": "GGUF files",
    "vllm": "Folder for vLLM",
    "llama_server": "Folder for llama.cpp's server",
    "lm_studio": "Folder for LM Studio",
    "transformers": "Folder for transformers",
}
# What a folder for another program is filled with.
KITS: dict[str, Literal["merged", "gguf"]] = {
    "vllm": "merged",
    "transformers": "merged",
    "llama_server": "gguf",
    "lm_studio": "gguf",
}


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
        help="adapter: the trained adapter alone (small; needs the base model); adapter_gguf: the same for llama.cpp "
        "and Ollama. merged: adapter and base as one 16-bit model. gguf: files for Ollama, llama.cpp and LM Studio. "
        "vllm, llama_server, lm_studio, transformers: a folder ready for that program, with its command.",
        depth="essential",
        min_length=1,
    )
    quantisations: list[Quantisation] = option(
        lambda: ["f16", "q8_0", "q4_k_m"],
        label="GGUF sizes",
        help="; ".join(f"{kind}: {made.cost}" for kind, made in FORMATS.items()) + ".",
        depth="essential",
        min_length=1,
    )
    importance_matrix: bool = option(
        False,
        label="Weigh by importance",
        help="Measure on training rows which weights matter (llama.cpp's llama-imatrix has to be installed), and round "
        "those with more care. Helps sizes below 4 bits most, and is needed for the smallest.",
        depth="everything",
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
    checks: list[CheckName] = option(
        lambda: list(WHAT_IT_SHOWS),
        label="Prove",
        help="; ".join(f"{name}: {shows}" for name, shows in WHAT_IT_SHOWS.items())
        + ". What is left out is said to be unverified.",
    )
    check_prompts: int = option(
        16,
        label="Prompts to compare",
        help="Held-out prompts that each GGUF answers beside the trained model.",
        ge=1,
        le=1000,
    )
    check_tokens: int = option(
        64,
        label="Longest compared answer",
        help="In tokens.",
        depth="everything",
        ge=1,
        le=2048,
    )
    check_rows: int = option(
        64,
        label="Rows for perplexity",
        help="Held-out rows on which probabilities are compared.",
        depth="everything",
        ge=1,
        le=10_000,
    )
    task: str | None = option(
        None,
        label="Task",
        help="Whose score is compared, as in an evaluation. Empty: the task of the newest evaluation of this training; "
        "without one there is none.",
    )
    task_items: int = option(
        100, label="Questions of the task", help="At most this many.", depth="everything", ge=1, le=100_000
    )

    @field_validator("to", "quantisations", "checks")
    @classmethod
    def _once_each(cls, values: list[str]) -> list[str]:
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise ValueError(f"names {', '.join(repeated)} more than once")
        return values

    @property
    def wants_gguf(self) -> bool:
        return "gguf" in self.to or any(KITS.get(target) == "gguf" for target in self.to)

    @property
    def wants_merged(self) -> bool:
        return "merged" in self.to or any(KITS.get(target) == "merged" for target in self.to)

    @model_validator(mode="after")
    def _no_nul(self) -> Self:
        if self.system_prompt is not None and "\0" in self.system_prompt:
            raise ValueError("the system prompt holds a NUL character, which no server accepts")
        return self
