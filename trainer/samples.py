"""Answers to the same few prompts at each measuring: what changes in words while the loss changes in numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datasets_src.rows import PARTS, conversation_of, kind_of
from jobs.context import JobContext
from models.backends import Backend
from models.chat_template import ChatTokenizer, Message
from trainer.spec import TrainSpec

MOST_TOKENS = 48


def sample_prompts(spec: TrainSpec, held_out: list[dict[str, Any]]) -> list[list[Message]]:
    """The person's own prompts, else those of held-out conversations: what stands before the last answer."""
    if spec.saving.sample_prompts:
        return [[{"role": "user", "content": sample.prompt}] for sample in spec.saving.sample_prompts]
    asked = [row for row in held_out if kind_of(row) in PARTS and kind_of(row) != "text"]
    prompts = [conversation_of(row)[0] for row in asked[: spec.saving.samples]]
    return [_before_last_answer(messages) for messages in prompts]


def _before_last_answer(messages: list[Message]) -> list[Message]:
    last = max(place for place, message in enumerate(messages) if message["role"] == "assistant")
    return messages[:last]


def make_answerer(
    context: JobContext, model: Any, backend: Backend, tokenizer: ChatTokenizer, prompts: list[list[Message]]
) -> Callable[[int], None]:
    """A function that answers `prompts` greedily and leaves them as events of the step it is given.

    It uses no random number, and leaves the model as it was: a run with samples is the same as one without.
    """
    from evaluation.generate import generate
    from models.load import LoadedModel

    device = str(next(model.parameters()).device)

    def answer(step: int) -> None:
        configuration = model.config.get_text_config()
        attention, cache = configuration._attn_implementation, model.config.use_cache
        backend.prepare_for_generation(model)
        loaded = LoadedModel("", model, tokenizer, device, "", has_adapter=False)
        answers = generate(loaded, prompts, max_new_tokens=MOST_TOKENS, batch_size=len(prompts))
        configuration._attn_implementation, model.config.use_cache = attention, cache
        backend.prepare_for_training(model)
        for messages, generation in zip(prompts, answers, strict=True):
            context.event("sample", step, prompt=str(messages[-1]["content"]), answer=generation.text)

    return answer if prompts else lambda _step: None
