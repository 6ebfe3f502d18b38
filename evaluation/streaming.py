"""Several answers of one load written together, a token of each at a time: one forward pass for all of them.

Each row is computed with the adapter it names and has its own sampling, so that a base and its adapters answer at
little more than the price of one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evaluation.chat_spec import Sampling as ChatSampling
from evaluation.decoding import Sampling, Step, choose
from models.incremental_text import IncrementalText

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer
    from models.load import LoadedModel


@dataclass(frozen=True)
class Piece:
    """What one more token adds to an answer: text (empty while a character is incomplete), tokens so far.

    `end`: the answer is complete; such a piece has no text.
    """

    row: int
    text: str
    tokens: int
    end: bool = False


@dataclass
class Row:
    """One answer that is being written. `adapter`: PEFT's name of it in this load, `__base__` for none."""

    prompt: list[int]
    tokenizer: ChatTokenizer
    adapter: str
    sampling: ChatSampling
    text: IncrementalText = field(init=False)

    def __post_init__(self) -> None:
        self.text = IncrementalText(self.tokenizer)

    def add(self, token: int) -> str:
        """Take one more token; the text that it completes."""
        return self.text.add(token, last=len(self.tokens) + 1 >= self.sampling.max_new_tokens)

    @property
    def tokens(self) -> list[int]:
        """The answer so far."""
        return self.text.tokens


def can_mix(loaded: LoadedModel) -> bool:
    """Whether PEFT computes this load's adapters in one batch: all of them LoRA without DoRA."""
    configs = getattr(loaded.model, "peft_config", {})
    return all(config.peft_type == "LORA" and not config.use_dora for config in configs.values())


def stream_together(loaded: LoadedModel, rows: Sequence[Row]) -> Iterator[Piece]:
    """A piece for each row at each step, until all are complete; stop by not asking for the next one.

    The adapters have to be ones that can be mixed where rows name several. Raises what the model raises.
    """
    import torch

    running = list(range(len(rows)))
    drawing = [random.Random(str(row.sampling.seed)) for row in rows]
    longest = max(row.sampling.max_new_tokens for row in rows)
    with torch.inference_mode():
        step = Step(loaded, [row.prompt for row in rows], longest)
    while running:
        with torch.inference_mode():
            logits = step.forward([rows[index].adapter for index in running])
            tokens = [_next(logits[place], rows[index], drawing[index]) for place, index in enumerate(running)]
        kept: list[int] = []
        for place, index in enumerate(running):
            row = rows[index]
            if tokens[place] not in row.tokenizer.stop_ids:
                yield Piece(index, row.add(tokens[place]), len(row.tokens))
                if len(row.tokens) < row.sampling.max_new_tokens:
                    kept.append(place)
                    continue
            yield Piece(index, "", len(row.tokens), end=True)
        if kept:
            with torch.inference_mode():
                step.keep(kept, [tokens[place] for place in kept])
        running = [running[place] for place in kept]


def _next(logits: Any, row: Row, drawing: random.Random) -> int:
    sampling = Sampling(row.sampling.temperature, row.sampling.top_p, row.sampling.seed)
    return choose(logits[None], sampling, [drawing])[0]
