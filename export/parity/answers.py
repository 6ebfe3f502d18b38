"""Greedy answers of a GGUF in llama.cpp beside the trained model's: the same words, the same end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from export.llama_cpp import Completion, LlamaCpp, LlamaCppError
from export.parity.prompts import Prompt

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

# Rounding turns near ties, and after one turned token a long answer goes its own way; but answers that part at once,
# in a file of 16 bits, mean that something is wrong.
START_TOKENS = 4
EXACT_SHARE = 0.9
# A quantised file may answer at greater length now and then; one that hardly ever stops has lost its end token.
STOP_SHARE = 0.5
SHOWN = 20


@dataclass(frozen=True)
class Reference:
    """What the trained model answers, greedily: token ids without the stop token; `ended`: it stopped by itself."""

    text: str
    token_ids: list[int]
    ended: bool


@dataclass(frozen=True)
class Pair:
    """A prompt's answers side by side."""

    place: str
    expected: str
    found: str


@dataclass(frozen=True)
class AnswerCheck:
    """Counts are of `prompts`: `same_start` begin with the same tokens; `stopped` is of the `should_stop` prompts at
    which the trained model stopped, `wrong_stop` of those that ended on a token at which it never would.
    `differences` are the first ones. `exact`: the file holds the weights unrounded, so that answers hardly differ."""

    prompts: int
    same_answers: int
    same_start: int
    should_stop: int
    stopped: int
    wrong_stop: int
    tokens_per_second: float
    exact: bool
    differences: tuple[Pair, ...]

    @property
    def stops(self) -> bool:
        """Whether generation ends, and at the right token."""
        return self.wrong_stop == 0 and self.stopped >= STOP_SHARE * self.should_stop

    @property
    def passed(self) -> bool:
        return self.stops and (not self.exact or self.same_start >= EXACT_SHARE * self.prompts)

    @property
    def sentence(self) -> str:
        """In words, without a full stop."""
        parts = [f"same answer on {self.same_answers} of {self.prompts}"]
        if self.same_answers < self.prompts:
            parts[0] += f" (same first {START_TOKENS} tokens on {self.same_start})"
        if self.should_stop:
            parts.append(f"stopped by itself on {self.stopped} of {self.should_stop}")
        if self.wrong_stop:
            parts.append(f"ended on a wrong token {self.wrong_stop} times")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed, "sentence": self.sentence}


@dataclass(frozen=True)
class _Answer:
    """llama.cpp's answer, None where it could not be asked, beside the trained model's."""

    prompt: Prompt
    reference: Reference
    completion: Completion | None
    why_not: str
    stop_ids: frozenset[int]

    @property
    def kept(self) -> list[int]:
        tokens = self.completion.token_ids if self.completion else []
        return [token for token in tokens if token not in self.stop_ids]

    @property
    def same_start(self) -> bool:
        return self.completion is not None and self.kept[:START_TOKENS] == self.reference.token_ids[:START_TOKENS]

    @property
    def same(self) -> bool:
        if self.completion is None:
            return False
        return self.kept == self.reference.token_ids and self.completion.ended == self.reference.ended

    @property
    def wrong_stop(self) -> bool:
        """It ended on a token that it wrote and that ends no answer."""
        if self.completion is None or not self.completion.ended or not self.completion.token_ids:
            return False
        return self.completion.token_ids[-1] not in self.stop_ids


def check_answers(
    llama: LlamaCpp,
    tokenizer: ChatTokenizer,
    prompts: Sequence[Prompt],
    references: Sequence[Reference],
    max_tokens: int,
    *,
    exact: bool,
    progress: Callable[[int], None] = lambda _done: None,
) -> AnswerCheck:
    """Ask llama.cpp every prompt, rendered by its own template, and compare."""
    stops = frozenset(tokenizer.stop_ids)
    answers = []
    for number, (prompt, reference) in enumerate(zip(prompts, references, strict=True)):
        answers.append(_ask(llama, prompt, reference, max_tokens, stops))
        progress(number + 1)
    ending = [answer for answer in answers if answer.reference.ended]
    speeds = [answer.completion.tokens_per_second for answer in answers if answer.completion is not None]
    return AnswerCheck(
        prompts=len(answers),
        same_answers=sum(answer.same for answer in answers),
        same_start=sum(answer.same_start for answer in answers),
        should_stop=len(ending),
        stopped=sum(answer.completion is not None and answer.completion.ended for answer in ending),
        wrong_stop=sum(answer.wrong_stop for answer in answers),
        tokens_per_second=round(sum(speeds) / len(speeds), 1) if speeds else 0.0,
        exact=exact,
        differences=tuple(_pair(answer) for answer in answers if not answer.same)[:SHOWN],
    )


def _ask(llama: LlamaCpp, prompt: Prompt, reference: Reference, max_tokens: int, stops: frozenset[int]) -> _Answer:
    try:
        completion = llama.complete(llama.render(prompt.messages, prompt.tools), max_tokens)
    except LlamaCppError as error:
        return _Answer(prompt, reference, None, f"no answer: {error}", stops)
    return _Answer(prompt, reference, completion, "", stops)


def _pair(answer: _Answer) -> Pair:
    found = answer.completion.text if answer.completion else answer.why_not
    return Pair(answer.prompt.place, answer.reference.text, found)
