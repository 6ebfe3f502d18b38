"""The NVIDIA cards as NVML tells of them, and which processes have memory on the first."""

from __future__ import annotations

from pathlib import Path

import psutil

from models.doctor.facts import Cards, Holder, Version
from models.hardware import Gpu, visible_gpus

NVIDIA = "0x10de"
DISPLAY_CLASS = "0x03"
PCI = Path("/sys/bus/pci/devices")
# How a job's process is started (jobs/launcher.py).
WORKER = "jobs.worker"


def read_cards() -> Cards:
    """What the driver says; where none answers, whether there is a card for it."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return Cards(silent=has_nvidia_card(PCI))
    try:
        usable = tuple(visible_gpus())
        return Cards(
            usable=usable,
            hidden=pynvml.nvmlDeviceGetCount() - len(usable),
            driver_cuda=_cuda(int(pynvml.nvmlSystemGetCudaDriverVersion())),
            holders=_holders(usable[0]) if usable else (),
        )
    finally:
        pynvml.nvmlShutdown()


def has_nvidia_card(devices: Path) -> bool:
    """Whether Linux lists a display device of NVIDIA's on the PCI bus."""
    found = devices.glob("*/vendor") if devices.is_dir() else ()
    ours = [vendor.parent for vendor in found if vendor.read_text().strip() == NVIDIA]
    return any((device / "class").read_text().startswith(DISPLAY_CLASS) for device in ours)


def _cuda(number: int) -> Version:
    """NVML writes 12.8 as 12080."""
    return number // 1000, number % 1000 // 10


def _holders(card: Gpu) -> tuple[Holder, ...]:
    """The processes on a card; one that draws and computes is listed twice."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(card.index)
    held: dict[int, int | None] = {}
    for ask in (pynvml.nvmlDeviceGetComputeRunningProcesses, pynvml.nvmlDeviceGetGraphicsRunningProcesses):
        try:
            held |= {int(each.pid): each.usedGpuMemory for each in ask(handle)}
        except pynvml.NVMLError:  # some cards and drivers don't tell, or not everybody
            continue
    return tuple(_holder(pid, size) for pid, size in held.items())


def _holder(pid: int, size: int | None) -> Holder:
    try:
        process = psutil.Process(pid)
        return Holder(process.name(), size, WORKER in process.cmdline())
    except psutil.AccessDenied:
        return Holder("another user's program", size)
    except psutil.NoSuchProcess:  # gone since, or outside this container
        return Holder("a program", size)
