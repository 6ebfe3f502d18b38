"""Fixtures that every folder's tests share. Nothing here touches the user's own cache or workspace."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before anything of ours is imported: tests must not write into the user's folders nor look for a hub.
_CACHE = tempfile.mkdtemp(prefix="hearth-tests-")
# Each of several test processes has its own: what computes waits for its turn, machine-wide, by files in there.
os.environ["HEARTH_CACHE"] = _CACHE
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from jobs.workspace import Workspace  # noqa: E402

# The same examples at every run, so that a green commit stays green; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace of this test's own."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama, hidden size 64, with a ChatML template and a real tokenizer."""
    from tests.toys import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny-llama", hidden_size=64)


@pytest.fixture(scope="session")
def tiny_model_256(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with hidden size 256, so that K-quants apply to every matrix."""
    from tests.toys import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("tiny256") / "tiny-llama-256", hidden_size=256)
