"""The estimate: weights, adapter, gradients, optimiser, activations, logits and overhead of a run, each with a reason.

The parts are added up: the loss's blocks and the layers' blocks come one after the other but have different sizes, and
PyTorch's allocator keeps both. A row counts as long as `max_length` lets it be, so that the longest batch fits.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.hardware import GB
from models.shape import ModelShape
from trainer.memory import constants as c
from trainer.memory.layer import holds_32_bit, layer_bytes, score_bytes
from trainer.memory.setting import Setting, offloads_embedding
from trainer.spec import TrainSpec


@dataclass(frozen=True)
class Part:
    """One part of the memory: `name` for programs, `label` for people, `bytes`, and `reason` in words."""

    name: str
    label: str
    bytes: int
    reason: str


@dataclass(frozen=True)
class MemoryEstimate:
    """What a run takes at its peak, in bytes, in seven parts that add up to `total`."""

    weights: Part
    adapter: Part
    gradients: Part
    optimiser: Part
    activations: Part
    logits: Part
    overhead: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order of a bar: what the model costs, what learning costs, what a batch costs, the rest."""
        learning = (self.adapter, self.gradients, self.optimiser)
        return (self.weights, *learning, self.activations, self.logits, self.overhead)

    @property
    def total(self) -> int:
        return sum(part.bytes for part in self.parts)

    def explain(self) -> list[str]:
        """One line for each part, then the total."""
        lines = [f"{part.label}: {part.bytes / GB:.2f} GB ({part.reason})" for part in self.parts]
        return [*lines, f"Together: {self.total / GB:.2f} GB"]

    def as_json(self) -> dict[str, int]:
        """Bytes by part, and their total."""
        return {**{part.name: part.bytes for part in self.parts}, "total": self.total}


def estimate(shape: ModelShape, spec: TrainSpec, setting: Setting) -> MemoryEstimate:
    """The peak memory of a run of `spec` on a model of `shape`, computed as `setting` says."""
    adapter, gradients, optimiser = _learning(shape, spec, setting)
    activations = _activations(shape, spec, setting)
    logits = _logits(shape, spec, setting)
    passing = adapter.bytes + gradients.bytes + activations.bytes + logits.bytes
    return MemoryEstimate(
        weights=_weights(shape, spec, setting),
        adapter=adapter,
        gradients=gradients,
        optimiser=optimiser,
        activations=activations,
        logits=logits,
        overhead=_overhead(shape, spec, setting, passing),
    )


def tokens_at_once(spec: TrainSpec) -> int:
    """Tokens of the longest micro-batch; a pair is two rows, computed together."""
    return _rows(spec) * spec.max_length


def trained_parameters(shape: ModelShape, spec: TrainSpec) -> int:
    """Values that the optimiser changes."""
    method = spec.method
    if method.adapter == "none":
        return shape.parameters
    adapter = shape.adapter_parameters(method.target_modules, method.rank, dora=method.dora)
    return adapter + shape.whole_parameters(method.modules_to_save)


def _rows(spec: TrainSpec) -> int:
    pairs = spec.method.objective in ("dpo", "orpo")
    return spec.optimisation.batch_size * (2 if pairs else 1)


def _weights(shape: ModelShape, spec: TrainSpec, setting: Setting) -> Part:
    value, method = setting.value_bytes, spec.method
    away = shape.embedding if offloads_embedding(spec, setting) and not shape.tied else 0
    if method.adapter == "none":
        each = 4 if setting.master_weights else value
        size = float(shape.parameters * each)
        reason = f"{_billions(shape.parameters)} parameters in {8 * each} bit"
        if method.objective in ("dpo", "kto"):
            size += shape.parameters * value
            reason += ", and those of the model it is held against"
        return Part("weights", "Weights", round(size), reason)
    if method.adapter == "qlora":
        rest = shape.embedding_parameters + shape.expert_parameters + shape.other_parameters - away
        each = 4 if setting.float32_embeddings else value
        size = shape.linear_parameters * c.NF4_BYTES + rest * each
        four = _billions(shape.linear_parameters)
        reason = f"{four} parameters in 4 bit, {_billions(rest)} (embeddings above all) in {8 * each} bit"
    else:
        size = float(shape.parameters * value)
        reason = f"{_billions(shape.parameters)} parameters in {8 * value} bit"
    return Part("weights", "Weights", round(size), reason)


def _learning(shape: ModelShape, spec: TrainSpec, setting: Setting) -> tuple[Part, Part, Part]:
    """What is trained, its gradients and the optimiser's state."""
    trained, method = trained_parameters(shape, spec), spec.method
    full = method.adapter == "none"
    each = c.TRAINED_BYTES if not full or setting.master_weights else setting.value_bytes
    copies = setting.value_bytes if setting.value_bytes < each else 0
    own = trained * ((0 if full else each) + copies)
    reason = "the weights themselves are trained" if full else f"{_billions(trained)} parameters in {8 * each} bit"
    if not full and _has_frozen_copy(spec):
        own += trained * each
        reason += ", and its frozen copy that the run is held against"
    state, how = _optimiser_bytes(shape, spec, setting, trained, each)
    return (
        Part("adapter", "Adapter", own, reason + (", a 16-bit copy for computing" if copies else "")),
        Part("gradients", "Gradients", trained * each, f"one for each trained parameter, in {8 * each} bit"),
        Part("optimiser", "Optimiser", round(state), how),
    )


def _has_frozen_copy(spec: TrainSpec) -> bool:
    """Preferences after another training of an adapter are held against that adapter as it was."""
    return spec.method.objective in ("dpo", "kto") and spec.model.startswith(("job:", "adapter:"))


def _optimiser_bytes(
    shape: ModelShape, spec: TrainSpec, setting: Setting, trained: int, each: int
) -> tuple[float, str]:
    name = spec.optimisation.optimiser
    if name == "adafactor":
        # One value for each row and column of a matrix; a rank above 4 has more of neither than a LoRA factor.
        matrices = shape.targets("all-linear")
        lines = shape.layers * sum(matrix.inputs + matrix.outputs for matrix in matrices) * 2
        return 4 * (lines + 2 * (shape.vocabulary + shape.hidden)), "rows and columns of the second moment"
    if setting.device == "cpu" or name == "adamw":
        return trained * 2 * each, f"two moments in {8 * each} bit"
    if name == "adamw_8bit":
        return trained * c.ADAM_8BIT_BYTES, "two moments in 8 bit"
    return 0, "in system memory, on the card only while weights change"


def _activations(shape: ModelShape, spec: TrainSpec, setting: Setting) -> Part:
    tokens, layer = tokens_at_once(spec), layer_bytes(shape, spec, setting)
    scores = 0
    if setting.attention == "eager":
        scores = shape.heads * tokens * spec.max_length * score_bytes(setting)
    one = tokens * layer.kept + scores
    beside = tokens * (layer.passing + layer.edge)
    if not spec.optimisation.gradient_checkpointing:
        reason = f"{tokens:,} tokens, kept by {shape.layers} layers"
        return Part("activations", "Activations", shape.layers * one + beside, reason)
    carried = tokens * layer.carried
    if setting.backend == "unsloth" and setting.device == "gpu":
        held = shape.layers * min(carried, c.OFFLOAD_ABOVE) + c.OFFLOAD_BUFFERS * carried
        reason = f"{tokens:,} tokens of one layer; the others' inputs lie in system memory"
    else:
        held = shape.layers * carried
        reason = f"{tokens:,} tokens of one layer, and the inputs of {shape.layers}"
    return Part("activations", "Activations", held + one + beside, reason)


def _logits(shape: ModelShape, spec: TrainSpec, setting: Setting) -> Part:
    tokens, words = tokens_at_once(spec), shape.vocabulary
    if setting.logits != "chunked":
        each = c.FULL_LOGIT_BYTES if setting.logits == "full" else c.IN_PLACE_LOGIT_BYTES
        reason = f"{tokens:,} tokens × {words:,} words, {each} bytes each"
        return Part("logits", "Logits", tokens * words * each, reason)
    if spec.method.objective in ("dpo", "orpo", "kto"):
        tile = min(tokens, c.LOGPROB_TILE_ROWS) * min(words, c.LOGPROB_TILE_WORDS) * c.LOGPROB_TILE_BYTES
        size = tile + tokens * shape.hidden * 4
        reason = "a tile of words at a time, never all"
    elif setting.backend == "unsloth":
        size = min(tokens * words * c.UNSLOTH_LOGIT_BYTES, setting.loss_budget)
        reason = f"{words:,} words, as many tokens at a time as {setting.loss_budget / GB:.2f} GB hold"
    else:
        each = c.NLL_CHUNK_BYTES if spec.method.trains_head else c.FROZEN_CHUNK_BYTES
        size = min(tokens, c.NLL_CHUNK_ROWS) * words * each
        reason = f"{words:,} words, {c.NLL_CHUNK_ROWS} tokens at a time"
    head = shape.embedding * setting.value_bytes if holds_32_bit(spec, setting) else 0
    return Part("logits", "Logits", size + head, reason)


def _overhead(shape: ModelShape, spec: TrainSpec, setting: Setting, passing: int) -> Part:
    fragments = passing * (c.CPU_FRAGMENTATION if setting.device == "cpu" else c.FRAGMENTATION)
    matrix = 0
    if spec.method.adapter == "qlora":
        matrix = shape.largest_matrix * setting.value_bytes
    if spec.method.dora:
        matrix += shape.largest_matrix * c.DORA_MATRIX_BYTES
    if setting.device == "cpu":
        fixed, what = c.CPU_LIBRARIES, "Python and its libraries"
    else:
        fixed, what = c.CUDA_CONTEXT + c.CUBLAS_WORKSPACE, "CUDA and its kernels"
    reason = f"{what} {fixed / GB:.1f} GB" + (", the largest matrix unpacked" if matrix else "")
    return Part("overhead", "Overhead", round(fixed + matrix + fragments), f"{reason}, gaps between blocks")


def _billions(parameters: int) -> str:
    return f"{parameters / 1e9:.2f} billion" if parameters >= 1e9 else f"{parameters / 1e6:.1f} million"
