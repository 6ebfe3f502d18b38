"""The families' own tokenizers: byte-level vocabularies out of a Python package by their makers, or all from the Hub.

Such a package holds tokens in the order in which they are joined (tiktoken's format); which two make one follows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from models.folder import TOKENIZER_FILES
from tests.export.families.toy_tokenizers import write_settings

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class OwnBytes:
    """The vocabulary in `package`/`file`; `digits`: how numbers are split; `added` stand behind the vocabulary."""

    package: str
    file: str
    digits: str
    bos: str
    eos: str
    pad: str
    added: tuple[str, ...]
    tokenizer_class: str = "PreTrainedTokenizerFast"
    composed: bool = False

    def write(self, folder: Path) -> None:
        """tokenizer.json and tokenizer_config.json into `folder`. Skips the test where the package isn't installed."""
        vocabulary, merges = _read(self._place())
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=not self.composed))
        if self.composed:
            tokenizer.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(Regex(_WORDS.replace("DIGITS", self.digits)), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in self.added])
        if self.bos:
            tokenizer.post_processor = processors.TemplateProcessing(
                single=f"{self.bos} $A", special_tokens=[(self.bos, tokenizer.token_to_id(self.bos))]
            )
        tokenizer.save(str(folder / "tokenizer.json"))
        write_settings(folder, self.bos, self.eos, self.pad, self.tokenizer_class, {})

    def _place(self) -> Path:
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:
            pytest.skip(f"the vocabulary comes with the package {self.package} (requirements-dev.txt)")
        return Path(spec.origin).parent / self.file


@dataclass(frozen=True)
class FromHub:
    """The tokenizer and template of the model `hub_id`, as published."""

    hub_id: str
    bos: str
    eos: str
    pad: str

    def write(self, folder: Path) -> None:
        """All files into `folder`. Skips the test where the Hub is switched off."""
        from huggingface_hub import constants, snapshot_download

        if constants.HF_HUB_OFFLINE:
            pytest.skip("HF_HUB_OFFLINE is set: the tokenizer is on the Hub")
        snapshot_download(self.hub_id, local_dir=folder, allow_patterns=list(TOKENIZER_FILES))


def _read(file: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    ranks: dict[bytes, int] = {}
    for line in file.read_bytes().splitlines():
        token, _, rank = line.partition(b" ")
        ranks[base64.b64decode(token)] = int(rank)
    letters = _letters()
    spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
    vocabulary = {spelled[token]: rank for token, rank in ranks.items()}
    merges = [(spelled[left], spelled[right]) for left, right in _merges(ranks)]
    return vocabulary, merges


def _merges(ranks: dict[bytes, int]) -> Iterator[tuple[bytes, bytes]]:
    for token in sorted(ranks, key=lambda token: ranks[token]):
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [pair for pair in halves if pair[0] in ranks and pair[1] in ranks]
        yield from sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))


def _letters() -> dict[int, str]:
    """How byte-level tokenizers spell each byte."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    spelled: dict[int, str] = bytes_to_unicode()
    return spelled
