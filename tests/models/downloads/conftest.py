"""A fake Hub with a small model, and this process turned to it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.downloads.fake_hub import BLOCK, FakeHub

MODEL = "someone/small"
WEIGHTS = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def small_model() -> dict[str, bytes]:
    """Two shards of weights, of 20 and 3 blocks, what stands beside them, and what a model doesn't need."""
    content = random.Random(8).randbytes(23 * BLOCK + 17)
    index = {"metadata": {}, "weight_map": {"a": WEIGHTS[0], "b": WEIGHTS[1]}}
    return {
        "config.json": b'{"model_type": "llama"}',
        "tokenizer.json": b"{}",
        "tokenizer_config.json": b'{"eos_token": "</s>"}',
        "model.safetensors.index.json": json.dumps(index).encode(),
        WEIGHTS[0]: content[: 20 * BLOCK],
        WEIGHTS[1]: content[20 * BLOCK :],
        "consolidated.safetensors": content,
        "pytorch_model.bin": content[:1000],
        "onnx/config.json": b"{}",
        "README.md": b"---\nlicense: mit\n---\n",
    }


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Running, with `MODEL`; its cache is in `tmp_path`, and nothing of the user's own is seen."""
    from huggingface_hub import constants, hf_api

    fake = FakeHub(models={MODEL: small_model()})
    fake.start()
    home = tmp_path / "hub-home"
    environment = {
        "HF_ENDPOINT": fake.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HOME": str(home),
        "HEARTH_CACHE": str(tmp_path / "hearth-cache"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    constant = {
        "ENDPOINT": fake.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": fake.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_OFFLINE": False,
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
    }
    for name, value in constant.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(hf_api.api, "endpoint", fake.url)
    yield fake
    fake.stop()
