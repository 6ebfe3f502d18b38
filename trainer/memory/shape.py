"""The shape of a model, read from its config.json and the headers of its weights, without torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from jobs.errors import BadInput, Missing
from jobs.files import read_json
from jobs.workspace import Workspace
from models.folder import count_parameters
from models.local_files import local_folder

FOUR_NORMS = ("gemma2", "gemma3", "gemma3_text")
NORMED_HEADS = ("qwen3", "qwen3_moe", "gemma3", "gemma3_text", "olmo2")
# Its norms go over the heads of a token together, those of the others over each head.
WIDE_HEAD_NORMS = ("olmo2",)
FUSED_PROJECTIONS = ("phi3",)


@dataclass(frozen=True)
class Matrix:
    """A linear layer's weight: `inputs` × `outputs` values."""

    inputs: int
    outputs: int

    @property
    def size(self) -> int:
        return self.inputs * self.outputs


@dataclass(frozen=True)
class ModelShape:
    """What memory depends on. Sizes are numbers of values; `total` counts all parameters, 0 where that isn't known.

    A mixture of experts has `experts` feed-forward blocks in a layer, of `experts_per_token` of which a token takes
    part; `intermediate` is then the size of one.
    """

    name: str
    family: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    total: int = 0
    experts: int = 0
    experts_per_token: int = 0

    @property
    def query_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def active_width(self) -> int:
        """Values of one feed-forward activation of one token."""
        return self.intermediate * max(1, self.experts_per_token)

    @property
    def norms(self) -> int:
        """Norms over the hidden values in one layer."""
        return 4 if self.family in FOUR_NORMS else 2

    @property
    def normed_heads(self) -> bool:
        """Whether queries and keys are normed as well."""
        return self.family in NORMED_HEADS

    @cached_property
    def matrices(self) -> dict[str, Matrix]:
        """The linear layers of one layer by name; experts are not among them (see `expert_parameters`)."""
        hidden, query, kv, inner = self.hidden, self.query_width, self.kv_width, self.intermediate
        if self.family in FUSED_PROJECTIONS:
            return {
                "qkv_proj": Matrix(hidden, query + 2 * kv),
                "o_proj": Matrix(query, hidden),
                "gate_up_proj": Matrix(hidden, 2 * inner),
                "down_proj": Matrix(inner, hidden),
            }
        attention = {
            "q_proj": Matrix(hidden, query),
            "k_proj": Matrix(hidden, kv),
            "v_proj": Matrix(hidden, kv),
            "o_proj": Matrix(query, hidden),
        }
        if self.experts:
            return attention
        forward = {name: Matrix(hidden, inner) for name in ("gate_proj", "up_proj")}
        return {**attention, **forward, "down_proj": Matrix(inner, hidden)}

    @property
    def embedding(self) -> int:
        """Values of one table of the vocabulary."""
        return self.vocabulary * self.hidden

    @property
    def embedding_parameters(self) -> int:
        """Input embeddings and the output head, which are one table where they are tied."""
        return self.embedding * (1 if self.tied else 2)

    @property
    def linear_parameters(self) -> int:
        """Weights that 4-bit loading quantises."""
        return self.layers * sum(matrix.size for matrix in self.matrices.values())

    @property
    def expert_parameters(self) -> int:
        """Experts' weights. transformers 5 holds those of a layer in one tensor that is no linear layer, so that
        bitsandbytes leaves them in 16 bit and `all-linear` gives them no adapter."""
        return self.layers * self.experts * 3 * self.hidden * self.intermediate

    @property
    def other_parameters(self) -> int:
        """Norms, biases, routers, a vision tower: what the total holds besides; by its own count where unknown."""
        counted = self.embedding_parameters + self.linear_parameters + self.expert_parameters
        if self.total > counted:
            return self.total - counted
        wide = self.query_width + self.kv_width if self.family in WIDE_HEAD_NORMS else 2 * self.head_dim
        heads = wide if self.normed_heads else 0
        return self.layers * (self.norms * self.hidden + heads + self.experts * self.hidden) + self.hidden

    @property
    def parameters(self) -> int:
        """All of them."""
        counted = self.embedding_parameters + self.linear_parameters + self.expert_parameters
        return counted + self.other_parameters

    @property
    def largest_matrix(self) -> int:
        """Values of the largest weight that is quantised."""
        return max(matrix.size for matrix in self.matrices.values())

    def targets(self, modules: list[str] | Literal["all-linear"]) -> list[Matrix]:
        """The matrices of one layer that get an adapter."""
        if modules == "all-linear":
            return list(self.matrices.values())
        return [matrix for name, matrix in self.matrices.items() if name in modules]

    def adapter_parameters(self, modules: list[str] | Literal["all-linear"], rank: int, *, dora: bool = False) -> int:
        """Values of a LoRA adapter: two factors of each matrix (Hu et al. 2021); DoRA adds a length per output."""
        matrices = self.targets(modules)
        factors = sum(rank * (matrix.inputs + matrix.outputs) for matrix in matrices)
        lengths = sum(matrix.outputs for matrix in matrices) if dora else 0
        tables = 0 if modules == "all-linear" else sum(name in ("lm_head", "embed_tokens") for name in modules)
        return self.layers * (factors + lengths) + tables * rank * (self.hidden + self.vocabulary)

    def whole_parameters(self, modules: list[str]) -> int:
        """Values of modules that are trained in full beside an adapter."""
        tables = sum(name in ("lm_head", "embed_tokens") for name in modules)
        inner = sum(matrix.size for name, matrix in self.matrices.items() if name in modules)
        return tables * self.embedding + self.layers * inner


def read_shape(folder: Path) -> ModelShape:
    """The shape of the model in `folder`. Raises Missing without config.json, BadInput for a config with no layers."""
    config = read_json(folder / "config.json")
    if config is None:
        raise Missing(
            f"{folder} holds no model.", "There is no config.json in it.", "Give the folder that transformers saved."
        )
    shape = shape_from_config(config, folder.name)
    return shape if "quantization_config" in config else replace(shape, total=count_parameters(folder))


def shape_from_config(config: dict[str, Any], name: str) -> ModelShape:
    """The shape that a config.json describes; of a model that also sees, that of its language part."""
    text = {**config, **config.get("text_config", {})}
    wanted = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    lacking = [key for key in wanted if not isinstance(text.get(key), int)]
    if lacking:
        raise BadInput(
            f"{name}: its config.json can't be used.",
            f"It doesn't say {', '.join(lacking)}, from which memory is estimated.",
            "Use a decoder model in transformers' format, such as Llama, Mistral, Qwen, Gemma, Phi or SmolLM.",
        )
    heads = text["num_attention_heads"]
    experts = text.get("num_local_experts") or text.get("num_experts") or 0
    inner = text.get("moe_intermediate_size") if experts else None
    return ModelShape(
        name=name,
        family=text.get("model_type") or config.get("model_type") or "llama",
        layers=text["num_hidden_layers"],
        hidden=text["hidden_size"],
        intermediate=inner or text.get("intermediate_size") or 4 * text["hidden_size"],
        heads=heads,
        kv_heads=text.get("num_key_value_heads") or heads,
        head_dim=text.get("head_dim") or text["hidden_size"] // heads,
        # transformers leaves out of a saved config what is its class's default: Gemma's vocabulary and tied tables.
        vocabulary=text.get("vocab_size") or (262208 if "gemma3" in str(config.get("model_type")) else 32000),
        tied=_tied(config, text),
        experts=experts,
        experts_per_token=(text.get("num_experts_per_tok") or 1) if experts else 0,
    )


def _tied(config: dict[str, Any], text: dict[str, Any]) -> bool:
    said = text.get("tie_word_embeddings", config.get("tie_word_embeddings"))
    return bool(said) if said is not None else "gemma" in str(text.get("model_type"))


def shape_of(text: str, workspace: Workspace) -> ModelShape | None:
    """The shape of the model that `text` names: from its files where they are here, else as published; else None."""
    from trainer.memory.known_shapes import known_shape

    folder = local_folder(text, workspace)
    if folder is not None and (folder / "config.json").is_file():
        return read_shape(folder)
    return known_shape(_base_of(text, workspace))


def _base_of(text: str, workspace: Workspace) -> str:
    """The model that a train job began with, else `text` itself."""
    seen: set[str] = set()
    while text.startswith("job:") and text not in seen:
        seen.add(text)
        text = str(workspace.job(text.removeprefix("job:")).header["spec"].get("model"))
    return text
