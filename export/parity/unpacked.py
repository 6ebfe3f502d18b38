"""A merged folder or a GGUF file as a transformers model, whose weights are those that the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export.gguf_file import read_gguf
from export.source import Source
from jobs.errors import BadInput, OutOfRoom
from models.hardware import GB, probe
from models.precision import choose_precision

# A file's weights and their copy in the model, while it is unpacked.
_ROOM = 1.3
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


@contextmanager
def unpacked(path: Path, source: Source, precision: str) -> Iterator[Any]:
    """The model, in evaluation mode, until the block ends. Raises OutOfRoom where it doesn't fit, BadInput where
    transformers can't read the file's architecture."""
    import torch
    from transformers import AutoModelForCausalLM

    from evaluation.sharing import free_memory
    from models.backends.peft import torch_dtype
    from models.quiet import quiet_libraries

    quiet_libraries()
    hardware = probe(path)
    chosen = choose_precision(precision, hardware).value
    free = hardware.gpus[0].memory_free if hardware.gpus else hardware.memory_free
    _require_room(path, source.parameters * _BYTES[chosen], free)
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    options: dict[str, Any] = {"dtype": torch_dtype(chosen), "device_map": {"": device}}
    if path.is_dir():
        model = AutoModelForCausalLM.from_pretrained(path, **options)
    else:
        model = load_gguf(path, source.model.folder, **options)
    model.eval()
    try:
        yield model
    finally:
        del model
        free_memory()


def load_gguf(path: Path, base: Path, **options: Any) -> Any:
    """The model in a GGUF file, with the settings of `base` (a folder with its config.json); `options` go to
    transformers. Raises BadInput for a kind that transformers can't read."""
    from transformers import AutoModelForCausalLM

    _require_known(path)
    options["config"] = _settings(path, base)
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, **options)


def _settings(path: Path, base: Path) -> Any:
    """The base's own, since what transformers makes of the file's lacks some (Llama 3's scaled positions, the size of
    Qwen 3's heads); how many tokens there are and whether they share an embedding is the file's."""
    from transformers import AutoConfig, LlamaConfig

    config: Any = AutoConfig.from_pretrained(base).get_text_config()
    if config.model_type == "mistral":  # in a GGUF file it is a Llama
        values = config.to_dict()
        config = LlamaConfig(**{key: values[key] for key in values if key not in ("model_type", "architectures")})
    tensors = {tensor.name: tensor for tensor in read_gguf(path).tensors}
    config.vocab_size = tensors["token_embd.weight"].rows
    config.tie_word_embeddings = "output.weight" not in tensors
    return config


def _require_room(path: Path, size: int, free: int) -> None:
    if size * _ROOM > free:
        raise OutOfRoom(
            f"{path.name} would take {size * _ROOM / GB:.1f} GB of memory unpacked.",
            f"{free / GB:.1f} GB are free.",
            "Close other programs, or leave this check out.",
        )


def _require_known(path: Path) -> None:
    """Raise BadInput for an architecture that transformers can't read from GGUF."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    architecture = str(read_gguf(path).value("general.architecture"))
    if architecture not in GGUF_SUPPORTED_ARCHITECTURES:
        raise BadInput(
            f"{path.name} holds a model of the kind {architecture}.",
            "transformers, which unpacks the weights for this check, can't read that kind from GGUF.",
            "Rely on the other checks.",
        )
