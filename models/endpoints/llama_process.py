"""llama.cpp's server in a process of its own: a file that loads holds up nobody, and a crash there takes nothing along.

In this process, loading would hold Python's lock: whoever is being answered meanwhile would wait for the whole load.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from models.endpoints.embedded import llama_server
from models.endpoints.transport import Access

PROJECT = Path(__file__).resolve().parents[2]
# llama.cpp frees a model in well under a second; one that hangs is not waited for longer.
END_SECONDS = 10.0


@dataclass(frozen=True)
class LlamaProcess:
    """Where it answers, and the process that does."""

    access: Access
    process: asyncio.subprocess.Process

    @property
    def alive(self) -> bool:
        return self.process.returncode is None


@asynccontextmanager
async def llama_process(weights: Path, *, context_length: int, slots: int) -> AsyncIterator[LlamaProcess]:
    """Serve a GGUF file as `llama_server` does, until the block ends or this process dies.

    Raises RuntimeError when llama.cpp can't load the file.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "models.endpoints.llama_process", str(weights), str(context_length), str(slots),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=PROJECT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        told = json.loads(line) if line else {"error": "its process ended while it loaded the file"}
        if "error" in told:
            raise RuntimeError(f"llama.cpp can't load {weights.name}: {told['error']}")
        yield LlamaProcess(Access(told["address"], told["model"]), process)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Closing its input tells it to stop."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def main() -> None:
    """The process: one line of JSON tells where it answers, or why it doesn't; the end of its input ends it."""
    weights, context_length, slots = sys.argv[1:]
    # What llama.cpp prints goes to the log, not between the lines that are read.
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(**values: str) -> None:
        print(json.dumps(values), file=told, flush=True)

    try:
        with llama_server(Path(weights), context_length=int(context_length), slots=int(slots)) as access:
            tell(address=access.address, model=access.model)
            sys.stdin.buffer.read()
    except RuntimeError as error:
        tell(error=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
