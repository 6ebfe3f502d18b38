"""Versions of the training libraries, and what they were built for, read from their files, without importing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path

from models.doctor.facts import Libraries

PACKAGES = ("torch", "unsloth", "unsloth_zoo", "bitsandbytes", "xformers", "transformers", "trl", "peft")
CUDA_LINE = re.compile(r"""^cuda\b[^=]*=\s*['"](?P<version>[\d.]+)['"]""", re.MULTILINE)
VERSION_LINE = re.compile(r"""^__version__\s*=\s*['"](?P<version>[^'"]+)['"]""", re.MULTILINE)
KERNELS = re.compile(r"libbitsandbytes_cuda(?P<version>\d+)")


def read_libraries() -> Libraries:
    """What is installed beside this Python."""
    versions = {name: version for name in PACKAGES if (version := _version(name)) is not None}
    torch_file = _file("torch", "version.py")
    torch_says = torch_file.read_text(encoding="utf-8") if torch_file else ""
    kernels = _file("xformers", "cpp_lib.json")
    folder = _folder("bitsandbytes")
    return Libraries(
        # The file tells more than the package's version: whether it is a build for processors (+cpu).
        versions=versions | ({"torch": own} if (own := _found(VERSION_LINE, torch_says)) else {}),
        torch_cuda=_found(CUDA_LINE, torch_says),
        xformers_torch=_built_for(kernels.read_text(encoding="utf-8")) if kernels else None,
        bitsandbytes_cuda=cuda_versions([path.name for path in folder.iterdir()]) if folder else (),
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _folder(package: str) -> Path | None:
    """Where a package lies; finding it imports nothing."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def _file(package: str, name: str) -> Path | None:
    folder = _folder(package)
    return folder / name if folder and (folder / name).is_file() else None


def _found(line: re.Pattern[str], text: str) -> str | None:
    match = line.search(text)
    return match["version"] if match else None


def _built_for(text: str) -> str | None:
    """The torch that xformers says its kernels were compiled with."""
    version = json.loads(text).get("version", {}).get("torch")
    return str(version) if version else None


def cuda_versions(files: list[str]) -> tuple[str, ...]:
    """The CUDA versions that bitsandbytes has a library for, such as 128."""
    return tuple(sorted(match["version"] for name in files if (match := KERNELS.match(name))))
