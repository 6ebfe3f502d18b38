"""Answers by a model's own `generate`, where its forward pass was replaced by one that knows no other loop."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evaluation.decoding import Row, Sampling, Times
from models.attention import use_quickest_attention

if TYPE_CHECKING:
    from models.load import LoadedModel


def needs_own_loop() -> bool:
    """Whether models of this process answer through their own `generate` (Unsloth was imported and patched them)."""
    return "unsloth" in sys.modules


def decode_by_model(loaded: LoadedModel, rows: Sequence[Row], *, max_new_tokens: int, sampling: Sampling) -> Times:
    """As `decoding.decode`, but a batch runs until its longest answer ends, its rows draw from one generator, and the
    time to the first token isn't known: the whole time stands in its place."""
    import torch

    width = max(len(row.prompt) for row in rows)
    ids = torch.full((len(rows), width), loaded.tokenizer.pad_id)
    attention = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, width - len(row.prompt) :] = torch.tensor(row.prompt)
        attention[place, width - len(row.prompt) :] = 1
    use_quickest_attention(loaded.model, width + max_new_tokens)
    config = _generation_config(loaded, rows, max_new_tokens, sampling)
    started = time.perf_counter()
    with torch.random.fork_rng(enabled=sampling.temperature > 0), torch.inference_mode():
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed + rows[0].number)
        output = loaded.model.generate(
            input_ids=ids.to(loaded.device), attention_mask=attention.to(loaded.device), generation_config=config
        )
    for row, answer in zip(rows, output[:, width:].tolist(), strict=True):
        end = next((place for place, token in enumerate(answer) if token in row.stops), len(answer))
        row.answer.extend(answer[:end])
        row.ended = end < len(answer)
    whole = time.perf_counter() - started
    return Times(whole, whole)


def _generation_config(loaded: LoadedModel, rows: Sequence[Row], max_new_tokens: int, sampling: Sampling) -> Any:
    """Every setting that a model's own generation_config could bring in is written out: all models are asked alike."""
    from transformers import GenerationConfig

    drawn = sampling.temperature > 0
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=drawn,
        temperature=sampling.temperature if drawn else 1.0,
        top_p=sampling.top_p if drawn else 1.0,
        top_k=0 if drawn else 50,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        num_beams=1,
        eos_token_id=sorted(set().union(*(row.stops for row in rows))),
        pad_token_id=loaded.tokenizer.pad_id,
    )
