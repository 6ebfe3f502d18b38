"""Reading a machine's facts, quickly and without torch; what takes longer is in trying.py."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from pathlib import Path

import psutil

from jobs.errors import UserError
from models.doctor.facts import Facts, Ollama, System
from models.doctor.reading.cards import read_cards
from models.doctor.reading.libraries import read_libraries
from models.doctor.reading.place import read_place
from models.endpoints.client import EndpointFailure
from models.endpoints.ollama import Ollama as OllamaServer
from models.endpoints.ollama import ollama_address
from models.endpoints.transport import Access
from models.llama_programs import TOOLS, find_tool

# A server on this machine answers, or refuses, at once.
OLLAMA_SECONDS = 0.6


def read_facts(workspace: Path) -> Facts:
    """What can be read within a second. `workspace` need not be there yet."""
    system, memory, battery = this_system(), psutil.virtual_memory(), psutil.sensors_battery()
    return Facts(
        system=system,
        python=tuple(sys.version_info[:3]),
        program=sys.executable,
        cards=read_cards(),
        libraries=read_libraries(),
        place=read_place(workspace),
        ollama=read_ollama(),
        tools=tuple(tool for tool in TOOLS if find_tool(tool) is not None),
        memory_total=memory.total,
        memory_free=memory.available,
        on_battery=battery is not None and battery.power_plugged is False,
    )


def this_system() -> System:
    """Linux inside Windows says so in its kernel's name."""
    if "microsoft" in platform.release().lower():
        return "wsl"
    return {"win32": "windows", "darwin": "mac"}.get(sys.platform, "linux")  # type: ignore[return-value]


def read_ollama() -> Ollama:
    """Whether Ollama is installed here, and what its server says. One that says nothing in time isn't there."""
    program = shutil.which("ollama") is not None
    try:
        address = ollama_address()
        return Ollama(address, program, asyncio.run(_ollama_version(address)))
    except UserError:  # an address that can't be one
        return Ollama("the address in OLLAMA_HOST, which can't be used", program, None)


async def _ollama_version(address: str) -> str | None:
    server = OllamaServer(Access(address, ""))
    try:
        return await server.version(OLLAMA_SECONDS) or None
    except (EndpointFailure, UserError):
        return None
    finally:
        await server.close()
