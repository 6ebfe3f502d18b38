"""Several answers of one load written together, a token of each at a time: one forward pass for all of them.

Rows are padded on the left, each keeps its own positions, and each is computed with the adapter it names (PEFT's mixed
batches), so that a base and its adapters answer at little more than the price of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evaluation.chat_spec import Sampling
from models.attention import use_quickest_attention

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer
    from models.load import LoadedModel

BASE = "__base__"


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
    sampling: Sampling
    tokens: list[int] = field(default_factory=list)
    shown: int = 0
    decoded: int = 0

    def add(self, token: int) -> str:
        """Take one more token; the text that it completes (`tokens[shown:decoded]` are context for the next)."""
        self.tokens.append(token)
        before = self.tokenizer.decode(self.tokens[self.shown : self.decoded])
        now = self.tokenizer.decode(self.tokens[self.shown :])
        if now.endswith("\ufffd") and len(self.tokens) < self.sampling.max_new_tokens:
            return ""
        self.shown, self.decoded = self.decoded, len(self.tokens)
        return now[len(before) :]


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
    generators = [torch.Generator().manual_seed(row.sampling.seed) for row in rows]
    step = _Step(loaded, rows)
    while running:
        logits = step.forward([rows[index].adapter for index in running])
        chosen = [choose(logits[place], rows[index].sampling, generators[index]) for place, index in enumerate(running)]
        kept: list[int] = []
        for place, (index, token) in enumerate(zip(running, chosen, strict=True)):
            row = rows[index]
            if token in row.tokenizer.stop_ids:
                yield Piece(index, "", len(row.tokens), end=True)
                continue
            yield Piece(index, row.add(token), len(row.tokens))
            if len(row.tokens) >= row.sampling.max_new_tokens:
                yield Piece(index, "", len(row.tokens), end=True)
                continue
            kept.append(place)
        if kept:
            step.keep(kept, [chosen[place] for place in kept])
        running = [running[place] for place in kept]


def choose(logits: Any, sampling: Sampling, generator: Any) -> int:
    """The likeliest token, or one drawn from the likeliest that together reach `top_p` (Holtzman et al. 2020)."""
    import torch

    if sampling.temperature == 0:
        return int(logits.argmax())
    probabilities, order = torch.softmax(logits / sampling.temperature, dim=-1).sort(descending=True)
    beyond = probabilities.cumsum(dim=-1) - probabilities >= sampling.top_p
    probabilities[beyond] = 0.0
    return int(order[torch.multinomial(probabilities, 1, generator=generator)])


class _Step:
    """The state between two tokens: what each row is given next, its mask, and the keys and values so far."""

    def __init__(self, loaded: LoadedModel, rows: Sequence[Row]) -> None:
        import torch

        self._loaded = loaded
        self._cache: Any = None
        width = max(len(row.prompt) for row in rows)
        use_quickest_attention(loaded.model, width + max(row.sampling.max_new_tokens for row in rows))
        self._ids = torch.full((len(rows), width), loaded.tokenizer.pad_id)
        self._mask = torch.zeros((len(rows), width), dtype=torch.long)
        for place, row in enumerate(rows):
            self._ids[place, width - len(row.prompt) :] = torch.tensor(row.prompt)
            self._mask[place, width - len(row.prompt) :] = 1
        self._positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)

    def forward(self, adapters: list[str]) -> Any:
        """Logits of each row's next token, float32 on the CPU: (rows, words)."""
        import torch

        device, named = self._loaded.device, set(adapters)
        mixed = {"adapter_names": adapters} if self._loaded.has_adapter and len(named) > 1 else {}
        with torch.inference_mode(), _only(self._loaded, named.pop() if len(named) == 1 else None):
            output = self._loaded.model(
                input_ids=self._ids.to(device),
                attention_mask=self._mask.to(device),
                position_ids=self._positions.to(device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
                **mixed,
            )
        self._cache = output.past_key_values
        return output.logits[:, -1].float().cpu()

    def keep(self, places: list[int], tokens: list[int]) -> None:
        """Go on with some of the rows, and with the token that each was given."""
        import torch

        if len(places) < len(self._mask):
            self._cache.batch_select_indices(torch.tensor(places, device=self._loaded.device))
            self._mask, self._positions = self._mask[places], self._positions[places]
        self._ids = torch.tensor([[token] for token in tokens])
        self._mask = torch.cat([self._mask, torch.ones((len(places), 1), dtype=torch.long)], dim=1)
        self._positions = self._positions[:, -1:] + 1


def _only(loaded: LoadedModel, adapter: str | None) -> Any:
    """A context in which the model answers with that adapter alone; with none where rows name their own."""
    from contextlib import nullcontext

    if adapter is None or not loaded.has_adapter:
        return nullcontext()
    if adapter == BASE:
        return loaded.base_only()
    loaded.model.set_adapter(adapter)
    return nullcontext()
