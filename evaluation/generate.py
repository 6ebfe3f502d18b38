"""Answers: many prompts in batches, or one prompt token by token for a chat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.attention import use_quickest_attention

if TYPE_CHECKING:
    from models.load import LoadedModel

Message = dict[str, Any]
Tools = list[dict[str, Any]] | None


@dataclass(frozen=True)
class Generation:
    """One answer. `token_ids` and `text` are without the stop token; `seconds` is its share of its batch's time;
    `ended`: the model stopped by itself rather than at the limit."""

    text: str
    token_ids: list[int]
    prompt_tokens: int
    seconds: float
    ended: bool


@dataclass(frozen=True)
class Piece:
    """What one more token adds to a streamed answer: text (empty while a character is incomplete), tokens so far."""

    text: str
    tokens: int


def generate(
    loaded: LoadedModel,
    prompts: Sequence[list[Message]],
    *,
    max_new_tokens: int,
    batch_size: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    tools: Sequence[Tools] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> list[Generation]:
    """An answer to each prompt (a list of messages), in the order given. Temperature 0 is greedy.

    Prompts are batched by length, the longest first (what does not fit into memory fails at once), and padded on the
    left. `on_progress` gets the number of answers so far after each batch; what it raises ends the work.
    """
    import torch

    offered = tools if tools is not None else [None] * len(prompts)
    encoded = [loaded.tokenizer.encode_prompt(prompt, tool) for prompt, tool in zip(prompts, offered, strict=True)]
    order = sorted(range(len(encoded)), key=lambda index: -len(encoded[index]))
    config = _generation_config(loaded, max_new_tokens, temperature, top_p)
    results: dict[int, Generation] = {}
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        with torch.random.fork_rng(enabled=temperature > 0):
            if temperature > 0:
                torch.manual_seed(seed + start)
            answers = _generate_batch(loaded, [encoded[index] for index in batch], config)
        results.update(zip(batch, answers, strict=True))
        if on_progress is not None:
            on_progress(len(results))
    return [results[index] for index in range(len(encoded))]


def _generation_config(loaded: LoadedModel, max_new_tokens: int, temperature: float, top_p: float) -> Any:
    """Every setting that a model's own generation_config could bring in is written out: all models are asked alike."""
    from transformers import GenerationConfig

    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=temperature > 0,
        temperature=temperature if temperature > 0 else 1.0,
        top_p=top_p if temperature > 0 else 1.0,
        top_k=0 if temperature > 0 else 50,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        num_beams=1,
        eos_token_id=loaded.tokenizer.stop_ids,
        pad_token_id=loaded.tokenizer.pad_id,
    )


def _generate_batch(loaded: LoadedModel, prompts: Sequence[list[int]], config: Any) -> list[Generation]:
    import torch

    width = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), width), loaded.tokenizer.pad_id)
    attention = torch.zeros((len(prompts), width), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        attention[row, width - len(prompt) :] = 1
    use_quickest_attention(loaded.model, width + config.max_new_tokens)
    started = time.perf_counter()
    with torch.inference_mode():
        output = loaded.model.generate(
            input_ids=ids.to(loaded.device), attention_mask=attention.to(loaded.device), generation_config=config
        )
    answers = output[:, width:].tolist()
    seconds = (time.perf_counter() - started) / len(prompts)
    return [_finished(loaded, prompt, answer, seconds) for prompt, answer in zip(prompts, answers, strict=True)]


def _finished(loaded: LoadedModel, prompt: list[int], answer: list[int], seconds: float) -> Generation:
    """Cut the answer before its first stop token."""
    stops = set(loaded.tokenizer.stop_ids)
    end = next((position for position, token in enumerate(answer) if token in stops), len(answer))
    kept = answer[:end]
    return Generation(loaded.tokenizer.decode(kept), kept, len(prompt), seconds, ended=end < len(answer))


def stream(
    loaded: LoadedModel,
    messages: list[Message],
    *,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    base_only: bool = False,
) -> Iterator[Piece]:
    """One answer, a piece per token; stop by not asking for the next one.

    Between pieces the model is left as it was, so that streams of the base (`base_only`) and of its adapter can take
    turns on one load.
    """
    tokens: list[int] = []
    shown, decoded = 0, 0  # the text of tokens[:decoded] was yielded; tokens[shown:decoded] are context for the next
    prompt = loaded.tokenizer.encode_prompt(messages)
    for token in _next_tokens(loaded, prompt, max_new_tokens, temperature, top_p, seed, base_only):
        tokens.append(token)
        before = loaded.tokenizer.decode(tokens[shown:decoded])
        now = loaded.tokenizer.decode(tokens[shown:])
        incomplete = now.endswith("\ufffd") and len(tokens) < max_new_tokens
        yield Piece("" if incomplete else now[len(before) :], len(tokens))
        if not incomplete:
            shown, decoded = decoded, len(tokens)


def _next_tokens(
    loaded: LoadedModel,
    prompt: list[int],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    base_only: bool,
) -> Iterator[int]:
    import torch

    stops = set(loaded.tokenizer.stop_ids)
    generator = torch.Generator().manual_seed(seed)
    given = torch.tensor([prompt], device=loaded.device)
    cache: Any = None
    for _ in range(max_new_tokens):
        with torch.inference_mode(), loaded.base_only() if base_only else nullcontext():
            output = loaded.model(input_ids=given, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        token = _choose(output.logits[0, -1].float().cpu(), temperature, top_p, generator)
        if token in stops:
            return
        yield token
        given = torch.tensor([[token]], device=loaded.device)


def _choose(logits: Any, temperature: float, top_p: float, generator: Any) -> int:
    """The likeliest token, or one drawn from the likeliest that together reach `top_p` (Holtzman et al. 2020)."""
    import torch

    if temperature == 0:
        return int(logits.argmax())
    probabilities, order = torch.softmax(logits / temperature, dim=-1).sort(descending=True)
    beyond = probabilities.cumsum(dim=-1) - probabilities >= top_p
    probabilities[beyond] = 0.0
    return int(order[torch.multinomial(probabilities, 1, generator=generator)])
