"""What a run may take of this machine: the card, system memory and disk. Numbers in, numbers and sentences out."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.errors import OutOfRoom
from models.hardware import GB, Gpu, Hardware
from models.shape import ModelShape
from trainer.memory.constants import CPU_LIBRARIES, CUBLAS_WORKSPACE, CUDA_CONTEXT
from trainer.memory.estimate import MemoryEstimate, tokens_at_once, trained_parameters
from trainer.memory.layer import layer_bytes
from trainer.memory.setting import Setting, offloads_embedding
from trainer.spec import TrainSpec

# Some drivers move a full card's memory to system memory instead of failing, many times slower: what others may take
# while a run goes on (a desktop's windows, a browser) is left to them.
RESERVE_SHARE = 0.02
RESERVE_LEAST = 200_000_000
# A tokenizer, datasets and a log beside the weights.
DISK_BESIDE = 100_000_000
# K-quants of 4 to 5 bit, with what stays in more: 0.6 bytes a parameter.
QUANTISED_BYTES = 0.6


@dataclass(frozen=True)
class Limit:
    """Bytes that a run's process may take of the card, CUDA's own included; `fraction` of the card's memory is what
    that leaves for PyTorch (torch.cuda.set_per_process_memory_fraction); `reason` in words."""

    bytes: int
    fraction: float
    reason: str


def run_limit(gpu: Gpu, memory_limit_gb: float | None) -> Limit:
    """The smaller of what was asked for and what is free, less a reserve. To be asked before CUDA is started.

    Raises OutOfRoom where not even CUDA's own part fits.
    """
    reserve = max(RESERVE_LEAST, round(gpu.memory_total * RESERVE_SHARE))
    usable = gpu.memory_free - reserve
    limit, reason = usable, f"{gpu.memory_free / GB:.1f} GB are free, {reserve / GB:.1f} GB of it are left to others"
    if memory_limit_gb is not None and memory_limit_gb * GB <= usable:
        limit, reason = round(memory_limit_gb * GB), f"{memory_limit_gb:g} GB, as asked for"
    own = CUDA_CONTEXT + CUBLAS_WORKSPACE
    if limit <= own:
        raise OutOfRoom(
            f"{gpu.name} has no room for a run: {max(0, limit) / GB:.1f} GB.",
            f"CUDA alone takes {own / GB:.1f} GB ({reason}).",
            "Close what else uses the card (Ollama keeps models loaded for minutes), or raise safety.memory_limit_gb.",
        )
    return Limit(limit, min(1.0, (limit - own) / gpu.memory_total), reason)


def free_for_run(hardware: Hardware, memory_limit_gb: float | None) -> int:
    """Bytes to hold an estimate against: of the card, or of system memory where there is none."""
    if hardware.gpus:
        return run_limit(hardware.gpus[0], memory_limit_gb).bytes
    free = round(hardware.memory_free * (1 - RESERVE_SHARE))
    return min(free, round(memory_limit_gb * GB)) if memory_limit_gb is not None else free


def require_memory(
    shape: ModelShape, spec: TrainSpec, setting: Setting, estimated: MemoryEstimate, hardware: Hardware
) -> None:
    """Raises OutOfRoom where system memory can't hold what lies in it: all of a run on a CPU; else the libraries, the
    embeddings and layer inputs that Unsloth moves there, and paged state."""
    needed = estimated.total if setting.device == "cpu" else _beside_card(shape, spec, setting)
    if needed <= hardware.memory_free:
        return
    what = "Training on the CPU" if setting.device == "cpu" else "What a run on the card keeps beside it"
    raise OutOfRoom(
        f"{what} takes {needed / GB:.1f} GB of system memory; {hardware.memory_free / GB:.1f} GB are free.",
        "The system would end the run, or move it to the disk, many times slower.",
        "Close other programs, take fewer rows at once or shorter ones, or a smaller model.",
    )


def _beside_card(shape: ModelShape, spec: TrainSpec, setting: Setting) -> int:
    """Bytes of system memory beside a run on a card."""
    needed = CPU_LIBRARIES
    if setting.backend == "unsloth" and spec.optimisation.gradient_checkpointing:
        needed += shape.layers * tokens_at_once(spec) * layer_bytes(shape, spec, setting).carried
    if offloads_embedding(spec, setting) and not shape.tied:
        needed += shape.embedding * setting.value_bytes
    if spec.optimisation.optimiser.startswith("paged"):
        needed += trained_parameters(shape, spec) * (2 if spec.optimisation.optimiser.endswith("8bit") else 8)
    return needed


def checkpoint_bytes(shape: ModelShape, spec: TrainSpec) -> int:
    """One checkpoint: what is trained and the optimiser's two moments, in 32 bit each."""
    return 12 * trained_parameters(shape, spec)


def require_disk(shape: ModelShape, spec: TrainSpec, hardware: Hardware) -> list[str]:
    """Raises OutOfRoom where checkpoints and the result don't fit the disk; warns, in a sentence, of a later merge."""
    kept = spec.saving.keep_checkpoints + (1 if spec.saving.result == "best" else 0)
    # One more: a new checkpoint is there before an old one goes.
    checkpoints = (kept + 1) * checkpoint_bytes(shape, spec)
    needed = checkpoints + 4 * trained_parameters(shape, spec) + DISK_BESIDE
    if needed > hardware.disk_free:
        raise OutOfRoom(
            f"The run needs {needed / GB:.1f} GB of disk; {hardware.disk_free / GB:.1f} GB are free.",
            f"It keeps {kept} checkpoints of {checkpoint_bytes(shape, spec) / GB:.1f} GB, one more while saving, and "
            "the result.",
            "Free some space, or set saving.keep_checkpoints to less.",
        )
    left, later = hardware.disk_free - needed, merge_bytes(shape)
    if later <= left:
        return []
    return [
        f"Merging this model later, and making a GGUF of it, takes {later / GB:.0f} GB of disk "
        f"({2 * shape.parameters / GB:.0f} GB are its 16-bit weights); {left / GB:.0f} GB will be left. "
        "Training itself has room."
    ]


def merge_bytes(shape: ModelShape) -> int:
    """Disk for what an export makes: the merged 16-bit weights, the same as GGUF, and one quantised file."""
    return round(shape.parameters * (2 + 2 + QUANTISED_BYTES))
