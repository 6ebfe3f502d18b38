"""Each failure of an Ollama server becomes a message of its own that says what to do."""

from __future__ import annotations

import json
import re

import pytest

from export.ollama.failures import refusal
from jobs.errors import BadInput, Missing, OutOfRoom, UserError
from tests.export.ollama.conftest import RECORDED

ADDRESS = "http://127.0.0.1:11434"

SENTENCES: dict[str, tuple[type[UserError], str]] = {
    "write /root/.ollama/models/blobs/sha256-1: no space left on device": (OutOfRoom, "no room left on its disk"),
    "write C:\\x: There is not enough space on the disk.": (OutOfRoom, "no room left on its disk"),
    'digest mismatch, expected "sha256:00", got "sha256:2c"': (BadInput, "not the file that was announced"),
    "open ~/.ollama/models/blobs/sha256-00: no such file or directory": (Missing, "doesn't have the file"),
    "supplied file was not in GGUF format": (BadInput, "can't read the file"),
    "template error: template: :1: unclosed action": (BadInput, "refuses the TEMPLATE"),
    "quantization is only supported for F16, BF16 and F32 models": (BadInput, "can't quantise"),
    "invalid model name": (BadInput, "can't be the name of a model"),
    "neither 'from' or 'files' was specified": (Missing, "doesn't understand"),
    "path or Modelfile are required": (Missing, "doesn't understand"),  # said by 0.5.4
    "unable to push me/snake, make sure this namespace exists and you are authorized to push to it": (
        Missing,
        "doesn't let you push",
    ),
    "model 'snake' not found": (Missing, "has no model 'snake'"),
    'Head "https://registry.ollama.ai/v2/me/t1": dial tcp: lookup registry.ollama.ai: no such host': (
        Missing,
        "can't reach the model registry",
    ),
    "you are not authorized to push to this namespace, create the model under a namespace you own": (
        Missing,
        "doesn't let you push",
    ),
    "model requires more system memory (9.0 GiB) than is available (3.1 GiB)": (OutOfRoom, "too little memory"),
    "llama runner process has terminated: unknown model architecture: 'new'": (BadInput, "can't run 'snake'"),
    "registry.ollama.ai/library/snake:latest does not support tools": (BadInput, "can't do in Ollama"),
    'option "num_ctx" must be of type integer': (BadInput, "refuses a PARAMETER"),
}


@pytest.mark.parametrize("said", SENTENCES, ids=lambda said: re.sub(r"\W+", "-", said)[:40])
def test_a_known_sentence_becomes_a_message_of_its_own(said: str) -> None:
    kind, words = SENTENCES[said]
    error = refusal(ADDRESS, said, -1, "snake")
    assert (type(error), words in error.what) == (kind, True), str(error)
    assert said[:40] in error.why
    assert len(error.fix) > 20


def test_no_two_kinds_of_failure_share_a_message() -> None:
    told = [refusal(ADDRESS, said, -1, "snake").what for said in SENTENCES]
    assert len(set(told)) == len(SENTENCES) - 3  # three of them are there in two releases' or systems' words


def test_an_unknown_sentence_is_passed_on_as_it_is() -> None:
    error = refusal(ADDRESS, "the moon is in the wrong house", 500, "snake")
    assert "failed with status 500: the moon is in the wrong house" in str(error)
    assert "while it worked: (nothing more" in str(refusal(ADDRESS, "", -1, "snake"))


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded exchanges are not at hand")
def test_every_recorded_error_is_a_known_one() -> None:
    found = 0
    for path in sorted(RECORDED.glob("*.txt")):
        status = int(re.search(r"^HTTP/1.1 (\d+)", path.read_text(), re.M).group(1))  # type: ignore[union-attr]
        for line in path.read_text().splitlines():
            if line.startswith('{"error"'):
                found += 1
                error = refusal(ADDRESS, json.loads(line)["error"], status, "bad name!")
                assert type(error) is not UserError, f"{path.name}: {error}"
    assert found == 14
