"""What was read from a machine. Nothing here reads anything, so that a test can play any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.hardware import Gpu

System = Literal["linux", "wsl", "windows", "mac"]
Version = tuple[int, ...]


@dataclass(frozen=True)
class Holder:
    """A process that has memory on a card, in bytes where the driver says. `ours`: a job of Hearth."""

    name: str
    bytes: int | None
    ours: bool = False


@dataclass(frozen=True)
class Cards:
    """The NVIDIA cards that programs may use, in NVML's order, with who holds memory on the first.

    `hidden`: how many more there are. `driver_cuda`: the newest CUDA version that the driver speaks. `silent`: a card
    is in the machine, but no driver answers for it.
    """

    usable: tuple[Gpu, ...] = ()
    hidden: int = 0
    driver_cuda: Version | None = None
    holders: tuple[Holder, ...] = ()
    silent: bool = False

    @property
    def first(self) -> Gpu | None:
        return self.usable[0] if self.usable else None


@dataclass(frozen=True)
class Libraries:
    """Installed versions by package. `torch_cuda`: what torch was built for, None where it can't use a card.

    `xformers_torch`: the torch that its kernels were built for. `bitsandbytes_cuda`: the CUDA versions it has kernels
    for, written as 128 for 12.8.
    """

    versions: Mapping[str, str]
    torch_cuda: str | None = None
    xformers_torch: str | None = None
    bitsandbytes_cuda: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """The disk of the workspace. `file_system` as the system calls it, such as ext4; sizes in bytes."""

    path: Path
    file_system: str
    total: int
    free: int


@dataclass(frozen=True)
class Ollama:
    """`program`: it is installed here. `version`: what the server said, None where none answered."""

    address: str
    program: bool
    version: str | None


@dataclass(frozen=True)
class Sleep:
    """After how many minutes without a key or mouse the machine goes to sleep; None for never."""

    minutes: int | None


@dataclass(frozen=True)
class Tried:
    """What only trying tells. `problems`: for each library that was imported, the last thing it said, None when all
    went well. `sees_card`: torch can use the card. `locks`: a lock in the workspace holds. None: not tried.
    """

    problems: Mapping[str, str | None] = field(default_factory=dict)
    sees_card: bool | None = None
    hub: bool | None = None
    offline_wanted: bool = False
    locks: bool | None = None
    sleep: Sleep | None = None


@dataclass(frozen=True)
class Facts:
    """A machine. Memory in bytes; `program` is the Python that runs Hearth; `tools`: llama.cpp's, by name."""

    system: System
    python: Version
    program: str
    cards: Cards
    libraries: Libraries
    place: Place
    ollama: Ollama
    tools: tuple[str, ...]
    memory_total: int
    memory_free: int
    on_battery: bool = False
    tried: Tried | None = None
