"""What this machine has, asked of NVML and psutil: no torch, so that the page can ask without taking GPU memory."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

GB = 1e9


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA card. Memory in bytes; `compute` is its compute capability, such as (8, 9)."""

    index: int
    name: str
    memory_total: int
    memory_free: int
    compute: tuple[int, int]
    driver: str


@dataclass(frozen=True)
class Hardware:
    """This machine. Memory and disk in bytes."""

    gpus: list[Gpu]
    cpu_cores: int
    memory_total: int
    memory_free: int
    disk_free: int
    processor: str

    @property
    def resource(self) -> str:
        """The lease that heavy work has to hold: the first visible GPU, else the machine itself."""
        return f"gpu{self.gpus[0].index}" if self.gpus else "cpu"

    @property
    def device(self) -> str:
        """What computes: the first card's name, else CPU."""
        return self.gpus[0].name if self.gpus else "CPU"

    def describe(self) -> str:
        """One line for people."""
        if self.gpus:
            gpu = self.gpus[0]
            return f"{gpu.name}, {gpu.memory_free / GB:.1f} of {gpu.memory_total / GB:.1f} GB free"
        memory = f"{self.memory_free / GB:.1f} of {self.memory_total / GB:.1f} GB memory free"
        return f"No NVIDIA GPU: {self.cpu_cores} CPU cores, {memory}"


def probe(workspace: Path | None = None) -> Hardware:
    """Look at the machine now; `workspace` chooses the disk."""
    memory = psutil.virtual_memory()
    place = workspace or Path.cwd()
    existing = next(folder for folder in [place.resolve(), *place.resolve().parents] if folder.exists())
    return Hardware(
        gpus=_gpus(),
        cpu_cores=_usable_cores(),
        memory_total=memory.total,
        memory_free=memory.available,
        disk_free=shutil.disk_usage(existing).free,
        processor=platform.processor() or platform.machine(),
    )


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[Gpu]:
    """The NVIDIA cards that CUDA programs may see; none without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return visible_gpus()
    finally:
        pynvml.nvmlShutdown()


def visible_gpus() -> list[Gpu]:
    """The cards that CUDA programs may see, while NVML is open."""
    import pynvml

    return [_gpu(index) for index in _visible_indices(pynvml.nvmlDeviceGetCount())]


def _visible_indices(count: int) -> list[int]:
    """`CUDA_VISIBLE_DEVICES` where it lists numbers, else all."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return list(range(count))
    numbers = [int(part) for part in chosen.split(",") if part.strip().isdigit()]
    return [number for number in numbers if number < count]


def _gpu(index: int) -> Gpu:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        index=index,
        name=str(pynvml.nvmlDeviceGetName(handle)),
        memory_total=int(memory.total),
        memory_free=int(memory.free),
        compute=tuple(pynvml.nvmlDeviceGetCudaComputeCapability(handle)),
        driver=str(pynvml.nvmlSystemGetDriverVersion()),
    )


def with_card(hardware: Hardware, gigabytes: float) -> Hardware:
    """This machine with one card of that size instead. A card sold as 8 GB has 8 GiB; the half gigabyte between the two
    is about what a desktop takes."""
    memory = round(gigabytes * GB)
    card = Gpu(0, f"a card of {gigabytes:g} GB", memory, memory, (8, 9), "")
    return replace(hardware, gpus=[card])
