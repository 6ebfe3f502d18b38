"""Several registered adapters of one base behind one vLLM server: a folder to carry to the machine that runs it.

    launch.sh             the command, for a machine with vLLM
    docker-compose.yaml   the same in a container
    adapters/<name>-<n>/  the adapters (linked where the file system can do that)
    endpoints.txt         how a router names the models then
    README.md

Hearth starts nothing there itself. vLLM's limits are those of its `PEFTHelper` and `LoRAConfig` (version 0.27): plain
LoRA of one rank, no trained layers beside it, and a highest rank out of a fixed list.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jobs.errors import BadInput, Missing
from jobs.files import publish_folder, read_json, write_json, write_text
from models.embedded import HUB_ID
from models.folder import TOKENIZER_FILES
from models.reference import ModelRef, resolve
from serving.registry.fingerprint import files_of
from serving.registry.records import Version
from serving.registry.store import Registry

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# Adapters that one batch can mix; each takes memory on the card, others are swapped in.
MOST_AT_ONCE = 8
IMAGE = "vllm/vllm-openai:latest"
MARK = "launch.json"
_PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
_FILES = {"adapter_config.json", "adapter_model.safetensors", *TOKENIZER_FILES}


@dataclass(frozen=True)
class Adapter:
    """A registered LoRA adapter as vLLM would load it. `base`: a Hub id, or a folder's path."""

    version: Version
    folder: Path
    base: str
    rank: int

    @property
    def place(self) -> str:
        """Where it lies in the launch's folder."""
        return f"adapters/{self.version.name}-{self.version.number}"


@dataclass(frozen=True)
class VllmLaunch:
    """What was written: the folder, the command in it, and the models as a router names them."""

    folder: Path
    command: str
    base: str
    endpoints: tuple[str, ...]


def vllm_launch(
    registry: Registry, names: Sequence[str], folder: Path, *, host: str = "127.0.0.1", port: int = 8000
) -> VllmLaunch:
    """Write a launch of the named versions (`name`, `name@3`); `host` is where the router will find the server.

    Raises BadInput for what vLLM can't serve, with the reason of each version, or a folder that holds something else.
    """
    folder = folder.resolve()
    _require_free(folder)
    adapters = _adapters(registry, names)
    rank = next(allowed for allowed in RANKS if allowed >= max(adapter.rank for adapter in adapters))
    arguments = _arguments(adapters, rank)
    base = adapters[0].base
    command = shlex.join(["vllm", "serve", base, *arguments])
    endpoints = tuple(f"http://{host}:{port}/v1#{adapter.version.label}" for adapter in adapters)
    for endpoint in endpoints:
        ModelRef.parse(endpoint)  # refuses a host that can't be one
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    for adapter in adapters:
        _link(adapter.folder, temporary / adapter.place)
    write_text(temporary / "launch.sh", _script(base, arguments, port))
    write_text(temporary / "docker-compose.yaml", _compose(base, arguments, port))
    write_text(temporary / "endpoints.txt", "".join(f"{line}\n" for line in endpoints))
    write_text(temporary / "README.md", _readme(base, adapters, endpoints))
    refs = {adapter.version.label: adapter.version.ref for adapter in adapters}
    write_json(temporary / MARK, {"base": base, "models": refs, "max_lora_rank": rank})
    publish_folder(temporary, folder)
    return VllmLaunch(folder, command, base, endpoints)


def _require_free(folder: Path) -> None:
    """An earlier launch is replaced, anything else is not touched."""
    if folder.exists() and not (folder / MARK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(
            f"{folder} is not written to.", "It holds something else than a launch.", "Choose a folder of its own."
        )


def _adapters(registry: Registry, names: Sequence[str]) -> list[Adapter]:
    """The versions as adapters; all that speaks against any of them in one error."""
    versions = list({version.label: version for version in map(registry.resolve, names)}.values())
    if not versions:
        raise BadInput("No model is named.", "There would be nothing to serve.", "Name registered adapters.")
    problems = [f"{version.label}: {why}" for version in versions for why in _unfit(registry, version)]
    if problems:
        raise BadInput(
            "vLLM can't serve this:\n" + "\n".join(f"  - {line}" for line in problems),
            "It takes plain LoRA adapters over one base.",
            "Leave these out, or export them merged (`--to vllm`): each is then a server of its own.",
        )
    adapters = [_adapter(registry, version) for version in versions]
    bases = {adapter.base for adapter in adapters}
    if len(bases) > 1:
        lines = "\n".join(f"  - {adapter.version.label}: {adapter.base}" for adapter in adapters)
        raise BadInput(
            f"These adapters have {len(bases)} different bases:\n{lines}",
            "One vLLM server holds one base.",
            "Write a launch for each base.",
        )
    return adapters


def _unfit(registry: Registry, version: Version) -> Iterator[str]:
    """Why vLLM can't take a version; nothing when it can."""
    folder = files_of(version.ref, registry.workspace)
    config = _config(folder) if folder is not None else None
    if folder is None or config is None:
        yield f"{version.ref} is no LoRA adapter's folder"
        return
    found = registry.check(version)
    if not found.usable:
        yield found.sentence
    if config.get("peft_type", "LORA") != "LORA":
        yield f"it is of the kind {config['peft_type']}, not LoRA"
    if config.get("use_dora"):
        yield "it is a DoRA adapter, which vLLM doesn't know"
    if config.get("modules_to_save"):
        yield f"it holds whole trained layers ({', '.join(config['modules_to_save'])}), which vLLM doesn't load"
    if config.get("trainable_token_indices"):
        yield "it holds trained rows of the vocabulary, which vLLM doesn't load"
    if config.get("bias", "none") != "none" or config.get("lora_bias"):
        yield "it trained biases, which vLLM leaves out"
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        yield "its layers have different ranks, which vLLM scales alike"
    if config.get("init_lora_weights") not in _PLAIN_STARTS:
        yield f"it began as {config['init_lora_weights']}, which changes the base's own weights too"
    if int(config.get("r", 0)) > RANKS[-1]:
        yield f"its rank is {config['r']}, and vLLM takes {RANKS[-1]} at most"


def _config(folder: Path) -> dict[str, Any] | None:
    config = read_json(folder / "adapter_config.json") if folder.is_dir() else None
    return dict(config) if config else None


def _adapter(registry: Registry, version: Version) -> Adapter:
    folder = files_of(version.ref, registry.workspace)
    config = _config(folder) if folder is not None else None
    if folder is None or config is None:
        raise Missing(f"{version.label} is gone.", f"{folder} was there a moment ago.", "Try another version.")
    base = version.lineage.base or config["base_model_name_or_path"]
    return Adapter(version, folder, _base_for_others(base, registry), int(config["r"]))


def _base_for_others(base: str, registry: Registry) -> str:
    """A Hub id where others can get the base from there, else the folder on this machine."""
    if base == "embedded":
        return HUB_ID
    ref = ModelRef.parse(base)
    return ref.target if ref.kind == "hub" else str(resolve(ref, registry.workspace).folder)


def _arguments(adapters: Sequence[Adapter], rank: int) -> list[str]:
    """Of `vllm serve`, beside the base and where it listens; paths are relative to the launch's folder."""
    modules = [f"{adapter.version.label}={adapter.place}" for adapter in adapters]
    at_once = min(MOST_AT_ONCE, len(adapters))
    limits = ["--max-lora-rank", str(rank), "--max-loras", str(at_once), "--max-cpu-loras", str(len(adapters))]
    return ["--enable-lora", "--lora-modules", *modules, *limits]


def _script(base: str, arguments: Sequence[str], port: int) -> str:
    """The command for a shell. Bound to this machine unless told otherwise, and then never without a key."""
    return f"""#!/bin/sh
# Needs vLLM (pip install vllm). sh launch.sh [BASE]; BASE: the base model, where it lies elsewhere on this machine.
# HOST=0.0.0.0 VLLM_API_KEY=… sh launch.sh   answers to other machines too.
set -eu
cd "$(dirname "$0")"
base={shlex.quote(base)}
[ $# -eq 0 ] || base=$1
host=${{HOST:-127.0.0.1}}
if [ "$host" != 127.0.0.1 ] && [ -z "${{VLLM_API_KEY:-}}" ]; then
    echo "Set VLLM_API_KEY: without a key anybody who reaches $host could use the server." >&2
    exit 2
fi
exec vllm serve "$base" --host "$host" --port "${{PORT:-{port}}}" \\
    {shlex.join(arguments)}
"""


def _compose(base: str, arguments: Sequence[str], port: int) -> str:
    """The same for Docker: vLLM's own image, the adapters (and a local base) mounted to be read only."""
    local = Path(base).is_absolute()
    # A dollar sign would begin a variable of the compose file.
    plain = [argument.replace("$", "$$") for argument in ["/base" if local else base, *arguments]]
    mounts = ["./adapters:/launch/adapters:ro", "models:/root/.cache/huggingface"]
    bind = {"type": "bind", "source": base.replace("$", "$$"), "target": "/base", "read_only": True}
    service = {
        "image": IMAGE,
        "entrypoint": ["vllm", "serve"],
        "command": [*plain, "--host", "0.0.0.0", "--port", "8000"],
        "working_dir": "/launch",
        "ports": [f"${{BIND:-127.0.0.1}}:{port}:8000"],
        "environment": {"VLLM_API_KEY": "${VLLM_API_KEY:?set a key that the router sends}"},
        "volumes": [*mounts, *([bind] if local else [])],
        "ipc": "host",
        "restart": "unless-stopped",
        "deploy": {
            "resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}}
        },
    }
    value = {"services": {"vllm": service}, "volumes": {"models": {}}}
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def _readme(base: str, adapters: Sequence[Adapter], endpoints: Sequence[str]) -> str:
    rows = "\n".join(
        f"| {adapter.version.label} | {adapter.version.stage} | {adapter.rank} | {adapter.version.lineage.data or ''} |"
        for adapter in adapters
    )
    lines = "\n".join(endpoints)
    return (
        f"# {len(adapters)} adapters of {base} in vLLM\n\n"
        "Copy this folder to the machine with the GPU. There: `sh launch.sh`, or "
        "`VLLM_API_KEY=… docker compose up`; both answer on that machine alone until HOST (launch.sh) or BIND "
        "(compose) names another address.\n\n"
        f"| Model | Stage | Rank | Data |\n|---|---|---|---|\n{rows}\n\n"
        "A Hearth server or router names the models so (the key stands in an environment variable there):\n\n"
        f"```\n{lines}\n```\n\n"
        "Hearth wrote these files and did not run them; ask each model something before you rely on it.\n"
    )


def _link(adapter: Path, place: Path) -> None:
    """The adapter's files under another name, without taking room where the file system can do that."""
    place.mkdir(parents=True)
    for file in sorted(adapter.iterdir()):
        if file.name not in _FILES:
            continue
        try:
            os.link(file, place / file.name)
        except OSError:
            shutil.copyfile(file, place / file.name)
