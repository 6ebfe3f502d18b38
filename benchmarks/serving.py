"""What the server bears and how quick it is, on the embedded model, over HTTP.

python -m benchmarks.serving load [--clients 50] [--seconds 300]   streaming clients, one request after the other each
python -m benchmarks.serving gguf [--rounds 3]                     against llama.cpp's own server on the same file
python -m benchmarks.serving adapters [--rounds 3]                 4 adapters on one base, against switching one by one

Each server is a job of its own in a scratch workspace; the clients run in this process, on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.page import PROJECT
from jobs import launcher
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from models.embedded import wheel_weights
from serving.job import ADDRESS
from serving.spec import ServeSpec

TOKENS = 32
OPENING_SECONDS = 180
PATIENCE_SECONDS = 300.0
SETTLE_SHARE = 0.3

# llama.cpp's server by itself, with the settings that ours gives it; prints its address and waits.
PLAIN_SERVER = """
import sys, time
from pathlib import Path
from models.endpoints.embedded import llama_server
with llama_server(Path(sys.argv[1]), context_length=1024, slots=int(sys.argv[2])) as access:
    print(access.address + "/v1", flush=True)
    time.sleep(3600)
"""
# One load whose adapters are switched for each request, one after the other; prints tokens per second.
ONE_BY_ONE = """
import json, sys, time
from evaluation.decoding import Row, Sampling, decode
from evaluation.sharing import SharedLoad
from models.reference import resolve_adapter
from pathlib import Path
given = json.loads(sys.argv[1])
files = [resolve_adapter(Path(path)) for path in given["adapters"]]
shared = SharedLoad(files, quantisation="none", precision="auto")
started, written = time.perf_counter(), 0
for number in range(given["requests"]):
    with shared.answering(files[number % len(files)]) as loaded:
        asked = [{"role": "user", "content": f"Tell me story {number}."}]
        row = Row(loaded.tokenizer.encode_prompt(asked), frozenset())
        decode(loaded, [row], max_new_tokens=given["tokens"], sampling=Sampling())
        written += len(row.answer)
print(written / (time.perf_counter() - started))
"""
MAKE_ADAPTERS = """
import sys, torch
from pathlib import Path
from peft import LoraConfig, get_peft_model
from models.backends import LoadOptions
from models.backends.peft import PeftBackend
from models.embedded import embedded_folder
for number in range(4):
    torch.manual_seed(number)
    model = PeftBackend().load(embedded_folder(), LoadOptions(dtype="fp32", quantisation="none"))
    tuned = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear", init_lora_weights=False))
    folder = Path(sys.argv[1]) / str(number)
    tuned.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (embedded_folder() / name).exists():
            (folder / name).write_bytes((embedded_folder() / name).read_bytes())
    (folder / "hearth.json").write_text('{"base": "embedded"}')
"""


@dataclass
class Request:
    """One request of one client. Seconds; `ended`: how its stream ended: whole, told (an error event), refused (429),
    or cut."""

    first: float
    whole: float
    tokens: int
    ended: str


@contextmanager
def server(folder: Path, models: list[str], **options: Any) -> Iterator[tuple[str, psutil.Process]]:
    """A serve job: its address with /v1, and its process."""
    workspace = Workspace(folder / "workspace")
    spec = ServeSpec.parse({"models": models, "port": 0, "context_length": 1024, **options})
    job = launcher.start(workspace, "serve", spec.model_dump(mode="json"), title=spec.title, resource="cpu")
    try:
        yield f"{_address(job)}/v1", psutil.Process(job.status().pid)
    finally:
        launcher.stop(job, wait_seconds=60)


def _address(job: JobDirectory) -> str:
    deadline = time.monotonic() + OPENING_SECONDS
    while not (job.path / ADDRESS).exists():
        if not job.status().state.active or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {job.status()}\n{job.log_tail()}")
        time.sleep(0.1)
    return str(json.loads((job.path / ADDRESS).read_text())["address"])


async def ask(client: httpx.AsyncClient, url: str, model: str, text: str, tokens: int = TOKENS) -> Request:
    """One streamed chat."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        # llama.cpp's own server would otherwise answer equal beginnings from its cache, ours the same.
        "seed": 1,
    }
    started, first, written, ended = time.perf_counter(), None, 0, "cut"
    try:
        async with client.stream("POST", f"{url}/chat/completions", json=body) as answer:
            if answer.status_code != 200:
                return Request(0.0, time.perf_counter() - started, 0, "refused" if answer.status_code == 429 else "cut")
            async for line in answer.aiter_lines():
                if line == "data: [DONE]":
                    ended = "whole"
                elif line.startswith("data: "):
                    event = json.loads(line[6:])
                    ended = "told" if "error" in event else ended
                    written = (event.get("usage") or {}).get("completion_tokens", written)
                    if first is None and any(
                        (each.get("delta") or {}).get("content") for each in event.get("choices", [])
                    ):
                        first = time.perf_counter() - started
    except httpx.TransportError:
        ended = "cut"
    return Request(first or 0.0, time.perf_counter() - started, written, ended)


async def side_by_side(count: int, work: Callable[[httpx.AsyncClient, int], Awaitable[Any]]) -> list[Any]:
    limits = httpx.Limits(max_connections=count + 10)
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, limits=limits, trust_env=False) as client:
        return await asyncio.gather(*(work(client, number) for number in range(count)))


def load(options: argparse.Namespace) -> dict[str, Any]:
    """Many clients for a long time: errors, streams that don't end, memory, and fairness."""
    until = time.monotonic() + options.seconds
    memory: list[tuple[float, float]] = []

    async def client_of(client: httpx.AsyncClient, number: int, url: str) -> list[Request]:
        made = []
        while time.monotonic() < until:
            made.append(await ask(client, url, "small", f"Tell me story {number} {len(made)}."))
        return made

    async def watch(process: psutil.Process) -> None:
        while time.monotonic() < until:
            memory.append((time.monotonic(), process.memory_info().rss / 1e6))
            await asyncio.sleep(1)

    async def everything(url: str, process: psutil.Process) -> list[list[Request]]:
        watching = asyncio.create_task(watch(process))
        made = await side_by_side(options.clients, lambda client, number: client_of(client, number, url))
        await watching
        return made

    with tempfile.TemporaryDirectory() as folder, server(Path(folder), ["small=embedded"]) as (url, process):
        until = time.monotonic() + options.seconds
        made = asyncio.run(everything(url, process))
    return load_figures(made, [size for _, size in memory], options)


def load_figures(made: list[list[Request]], memory: list[float], options: argparse.Namespace) -> dict[str, Any]:
    """`fairness`: the longest mean wait of a client, as a multiple of the median client's."""
    requests = [each for own in made for each in own]
    waits = [statistics.mean(each.first for each in own if each.ended == "whole") for own in made if own]
    settled = memory[int(len(memory) * SETTLE_SHARE) :]
    ends = {kind: sum(each.ended == kind for each in requests) for kind in ("whole", "told", "refused", "cut")}
    return {
        "clients": options.clients,
        "seconds": options.seconds,
        "requests": len(requests),
        "streams by end": ends,
        "tokens/s": sum(each.tokens for each in requests) / options.seconds,
        "median seconds to the first text": statistics.median(each.first for each in requests),
        "longest seconds to the first text": max(each.first for each in requests),
        "longest wait of a request, times the median": max(each.first for each in requests)
        / statistics.median(each.first for each in requests),
        "longest mean wait of a client, times the median": max(waits) / statistics.median(waits),
        "memory after settling, MB": settled[0],
        "memory in the middle of what follows, MB": settled[len(settled) // 2],
        "memory at the end, MB": statistics.mean(settled[-5:]),
        "memory at most, MB": max(memory),
    }


def throughput(url: str, models: list[str], clients: int, requests: int, tokens: int) -> float:
    """Tokens per second of that many clients with that many requests each."""

    async def client_of(client: httpx.AsyncClient, number: int) -> int:
        written = 0
        for turn in range(requests):
            text = f"Tell me story {number} {turn}."
            written += (await ask(client, url, models[number % len(models)], text, tokens)).tokens
        return written

    started = time.perf_counter()
    written = asyncio.run(side_by_side(clients, client_of))
    return float(sum(written) / (time.perf_counter() - started))


def gguf(options: argparse.Namespace) -> dict[str, Any]:
    """The same file, slots and clients behind our server and behind llama.cpp's alone, in turn."""
    weights = wheel_weights()
    assert weights is not None
    found: dict[str, list[float]] = {"hearth": [], "llama.cpp": []}
    for number in range(options.rounds):
        for name in sorted(found, reverse=number % 2 == 1):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "small.gguf"
                file.symlink_to(weights)
                serving = server(Path(folder), [f"small={file}"], limits={"running": 8})
                with serving if name == "hearth" else plain_server(file, 8) as (url, _):
                    throughput(url, ["small"], 8, 1, 16)
                    found[name].append(throughput(url, ["small"], 8, options.requests, 64))
    shares = [ours / plain for ours, plain in zip(found["hearth"], found["llama.cpp"], strict=True)]
    return {"tokens/s": found, "share within a round": shares, "median share": statistics.median(shares)}


@contextmanager
def plain_server(file: Path, slots: int) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-c", PLAIN_SERVER, str(file), str(slots)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def adapters(options: argparse.Namespace) -> dict[str, Any]:
    """Four adapters in one server against one adapter in one (memory), and against switching one by one (speed)."""
    together: list[float] = []
    switched: list[float] = []
    memory: dict[str, list[float]] = {"one adapter": [], "four adapters": []}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", MAKE_ADAPTERS, folder], cwd=PROJECT, check=True)
        paths = [str(Path(folder) / str(number)) for number in range(4)]
        for number in range(options.rounds):
            for count, name in ((1, "one adapter"), (4, "four adapters")):
                models = [f"m{place}=adapter:{path}" for place, path in enumerate(paths[:count])]
                names = [f"m{place}" for place in range(count)]
                with server(Path(folder) / f"{name} {number}", models) as (url, process):
                    throughput(url, names, 16, 1, 16)
                    speed = throughput(url, names, 16, options.requests, 64)
                    memory[name].append(process.memory_info().rss / 1e6)
                if count == 4:
                    together.append(speed)
            given = json.dumps({"adapters": paths, "requests": 16, "tokens": 64})
            done = subprocess.run(
                [sys.executable, "-c", ONE_BY_ONE, given], cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
            )
            switched.append(float(done.stdout.split()[-1]))
    return {
        "tokens/s, four adapters in one batch": together,
        "tokens/s, switched one by one": switched,
        "times as quick": statistics.median(a / b for a, b in zip(together, switched, strict=True)),
        "memory, MB": memory,
        "times the memory of one": statistics.median(memory["four adapters"])
        / statistics.median(memory["one adapter"]),
    }


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="What the server bears and how quick it is.")
    parser.add_argument("what", choices=("load", "gguf", "adapters"))
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=3, help="of each client, in a round")
    options = parser.parse_args()
    figures = {"load": load, "gguf": gguf, "adapters": adapters}[options.what](options)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
