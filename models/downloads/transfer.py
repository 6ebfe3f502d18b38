"""One file from the Hub into its cache: begun where an earlier attempt ended, and kept only with the right checksum."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jobs.errors import BadInput, Missing
from models.downloads.failures import told
from models.downloads.files import HubFile, Repository

# A cut connection is taken up again. Attempts that bring nothing are counted, and wait longer each time.
FRUITLESS_ATTEMPTS = 6
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
TRY_AGAIN = (408, 429, 500, 502, 503, 504)


class Watch(Protocol):
    """Told what happens; what it raises ends the transfer, and what arrived until then is kept."""

    def came(self, count: int) -> None:
        """`count` bytes more are on the disk; below 0: that many were thrown away."""

    def says(self, message: str) -> None:
        """What is done now, or what happened."""

    def check_stop(self) -> None:
        """Raises Stopped when the user asked for it."""


@dataclass(frozen=True)
class Patience:
    """Seconds to wait before another attempt; tests have less of it."""

    first: float = FIRST_WAIT_SECONDS
    longest: float = LONGEST_WAIT_SECONDS

    def wait(self, fruitless: int, watch: Watch) -> None:
        until = time.monotonic() + min(self.longest, self.first * 2 ** max(0, fruitless - 1))
        while time.monotonic() < until:
            watch.check_stop()
            time.sleep(min(0.2, self.first))


def part_of(blobs: Path, file: HubFile) -> Path:
    """Where what arrived so far is kept. Earlier versions of huggingface_hub left theirs under the same name."""
    return blobs / f"{file.blob}.incomplete"


def fetch_blob(repository: Repository, file: HubFile, blobs: Path, watch: Watch, patience: Patience) -> None:
    """Have the content of `file` among `blobs`, checked. Raises Missing, BadInput, or what `watch` raises."""
    part = part_of(blobs, file)
    _fetch_all(repository, file, part, watch, patience)
    watch.says(f"Checking {file.path}")
    require_checksum(repository, file, part)
    os.replace(part, blobs / file.blob)


def require_checksum(repository: Repository, file: HubFile, part: Path) -> None:
    """Raises BadInput for a file that isn't what the Hub says, which is thrown away then."""
    found = file.checksum_of(part)
    if found == file.blob:
        return
    part.unlink()
    raise BadInput(
        f"{file.path} of {repository.hub_id} arrived damaged.",
        f"Its checksum is {found[:16]}…, the Hub says {file.blob[:16]}….",
        "It was thrown away. Press Resume to fetch it again; if this goes on, a proxy on the way alters it.",
    )


def _fetch_all(repository: Repository, file: HubFile, part: Path, watch: Watch, patience: Patience) -> None:
    fruitless = 0
    part.touch()
    while (have := part.stat().st_size) < file.size:
        why = _attempt(repository, file, part, watch)
        fruitless = 0 if part.stat().st_size > have else fruitless + 1
        if fruitless >= FRUITLESS_ATTEMPTS:
            raise Missing(
                f"The connection to the Hub broke off in {file.path}.",
                f"{FRUITLESS_ATTEMPTS} attempts brought nothing more ({why}).",
                f"The {part.stat().st_size:,} of {file.size:,} bytes that arrived are kept: press Resume to go on.",
            )
        if why:
            watch.says(f"Connection lost, trying again: {file.path}")
            patience.wait(fruitless, watch)
    if part.stat().st_size > file.size:  # left by something else than this file
        watch.came(-part.stat().st_size)
        part.unlink()
        _fetch_all(repository, file, part, watch, patience)


def _attempt(repository: Repository, file: HubFile, part: Path, watch: Watch) -> str:
    """Fetch as much as comes. Returns why it ended too early; empty when it didn't."""
    import httpx
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    have = part.stat().st_size
    # A packed answer could not be taken up again where the bytes on the disk end.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    url = hf_hub_url(repository.hub_id, file.path, revision=repository.commit)
    with told(repository.hub_id):
        try:
            with get_session().stream("GET", url, headers=headers, timeout=_timeout()) as response:
                if response.status_code >= 400:
                    response.read()
                hf_raise_for_status(response)
                with part.open("ab") as target:
                    if have and response.status_code == 200:  # the whole file again, whatever was asked for
                        watch.came(-have)
                        target.truncate(0)
                    _receive(response.iter_bytes, target, watch)
        except httpx.TransportError as error:
            return f"{type(error).__name__}: {error}".rstrip(": ")
        except HfHubHTTPError as error:
            if error.response.status_code in TRY_AGAIN:
                return f"the Hub answered {error.response.status_code}"
            raise
    return "" if part.stat().st_size >= file.size else "the answer ended too early"


def _receive(blocks: Callable[[], Any], target: Any, watch: Watch) -> None:
    try:
        for block in blocks():
            target.write(block)
            watch.came(len(block))
            watch.check_stop()
    finally:
        target.flush()
        os.fsync(target.fileno())


def _timeout() -> float:
    from huggingface_hub import constants

    return float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
