"""Sending a file to an Ollama server: its digest, and the upload with progress that can be called off.

Ollama knows files by their SHA-256. It keeps whole ones only, so an upload that was cut off begins again, and one that
arrived is never sent twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import ollama

from export.ollama.failures import explained
from jobs.errors import BadInput
from jobs.files import read_json, write_json

CHUNK_BYTES = 1 << 20
# Nothing is said for so long while the server writes what it got to its disk.
ANSWER_SECONDS = 600.0
STALLED_SECONDS = 60.0

# Called with the bytes done and those to do. It may raise: that calls the work off.
Progress = Callable[[int, int], None]


def no_progress(_done: int, _total: int) -> None:
    """For callers that show none."""


@dataclass(frozen=True)
class Upload:
    """`sent`: bytes that went over the line, 0 where the server had the file already."""

    digest: str
    sent: int


def file_digest(path: Path, progress: Progress = no_progress) -> str:
    """`sha256:` and the hexadecimal SHA-256 of a file, as Ollama names it."""
    total, done, digest = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(done, total)
    return f"sha256:{digest.hexdigest()}"


def remembered_digest(path: Path, note: Path, progress: Progress = no_progress) -> str:
    """As `file_digest`, kept in the JSON file `note`; not computed again while the file looks the same."""
    status = path.stat()
    looks = {"file": str(path), "bytes": status.st_size, "changed": status.st_mtime_ns}
    known = read_json(note)
    if isinstance(known, dict) and {name: known.get(name) for name in looks} == looks:
        return str(known["digest"])
    digest = file_digest(path, progress)
    write_json(note, {**looks, "digest": digest})
    return digest


def has_blob(http: httpx.Client, address: str, digest: str) -> bool:
    """Whether the server has the file of that digest. Raises UserError."""
    with explained(address):
        response = http.head(f"/api/blobs/{digest}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return False
        if not response.is_success:
            raise ollama.ResponseError("invalid digest" if response.status_code == 400 else "", response.status_code)
    return True


def upload(http: httpx.Client, address: str, path: Path, digest: str, progress: Progress = no_progress) -> Upload:
    """Send a file unless the server has it. Raises UserError, and whatever `progress` raises.

    `progress` is also called right before and after, so that an upload that need not be is shown as done.
    """
    total = path.stat().st_size
    if has_blob(http, address, digest):
        progress(total, total)
        return Upload(digest, 0)
    progress(0, total)
    with explained(address, path.name):
        response = http.post(
            f"/api/blobs/{digest}",
            content=_chunks(path, total, progress),
            headers={"Content-Length": str(total), "Content-Type": "application/octet-stream"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=10.0, write=STALLED_SECONDS),
        )
        if not response.is_success:
            raise ollama.ResponseError(_said(response), response.status_code)
    return Upload(digest, total)


def _chunks(path: Path, total: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            done += len(chunk)
            if done > total:
                break
            yield chunk
            progress(done, total)
    if done != total:
        raise BadInput(
            f"{path.name} changed while it was sent to Ollama.",
            f"It had {total} bytes at the start.",
            "Wait until nothing writes to it any more, then press Resume.",
        )


def _said(response: httpx.Response) -> str:
    try:
        return str(json.loads(response.content)["error"])
    except (ValueError, KeyError, TypeError):
        return response.text
