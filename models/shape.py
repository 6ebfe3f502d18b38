"""The shape of a model: sizes of its layers and how many there are, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

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
