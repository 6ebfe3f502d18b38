"""Does a GGUF in llama.cpp behave as the trained model did? Prompt tokens, greedy answers and stopping are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.llama_cpp import Completion, LlamaCpp, LlamaCppError, running

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

Message = dict[str, Any]

OLLAMA_NOTE = "not verified in Ollama: no server was asked"
# Rounding turns near ties, and after one turned token a long answer goes its own way; but answers that part at once,
# in an F16 file, mean that something is wrong.
_START_TOKENS = 4
_F16_SHARE = 0.9
# A quantised file may answer at greater length now and then; one that hardly ever stops has lost its end token.
_STOP_SHARE = 0.5
_CONTEXT_STEP = 256


@dataclass(frozen=True)
class Prompt:
    """A conversation up to where the model answers; `place` says where it comes from, for messages."""

    place: str
    messages: list[Message]
    tools: list[Any] | None = None


@dataclass(frozen=True)
class Reference:
    """What the trained model answers, greedily: token ids without the stop token; `ended`: it stopped by itself."""

    text: str
    token_ids: list[int]
    ended: bool


@dataclass(frozen=True)
class Difference:
    """Where two things that should be the same part: what was expected and what came."""

    place: str
    expected: str
    found: str


@dataclass(frozen=True)
class FileCheck:
    """The check of one file. Counts are of `prompts`: `same_start` have the same first tokens; `stopped` is of the
    `should_stop` prompts at which the trained model stopped. The differences are the first of each kind."""

    file: str
    size_bytes: int
    prompts: int
    same_tokens: int
    same_answers: int
    same_start: int
    should_stop: int
    stopped: int
    tokens_per_second: float
    rendering_difference: Difference | None
    answer_difference: Difference | None

    @property
    def exact_format(self) -> bool:
        """Whether the file holds the weights as they were merged, so that answers should hardly differ."""
        return self.file.endswith("-F16.gguf")

    @property
    def passed(self) -> bool:
        """Same prompts, stopping as trained, and for F16 answers that begin alike."""
        begins_alike = not self.exact_format or self.same_start >= _F16_SHARE * self.prompts
        stops = self.stopped >= _STOP_SHARE * self.should_stop
        return self.same_tokens == self.prompts and stops and begins_alike

    @property
    def verdict(self) -> str:
        """One sentence."""
        parts = [
            f"same prompt tokens on {self.same_tokens} of {self.prompts}",
            f"same answer on {self.same_answers} of {self.prompts}",
        ]
        if self.same_answers < self.prompts:
            parts[1] += f" (same first {_START_TOKENS} tokens on {self.same_start})"
        if self.should_stop:
            parts.append(f"stopped by itself on {self.stopped} of {self.should_stop}")
        return "; ".join(parts) + ("" if self.passed else ". Look at the differences before you use this file")

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed, "verdict": self.verdict}


def check_file(
    weights: Path,
    tokenizer: ChatTokenizer,
    prompts: Sequence[Prompt],
    references: Sequence[Reference],
    max_tokens: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> FileCheck:
    """Ask llama.cpp every prompt and compare. Raises LlamaCppError when it can't load the file."""
    expected = [tokenizer.encode_prompt(prompt.messages, prompt.tools) for prompt in prompts]
    longest = max((len(ids) for ids in expected), default=0) + max_tokens
    context = (longest // _CONTEXT_STEP + 2) * _CONTEXT_STEP
    renderings: list[Difference | None] = []
    answers: list[_Answer] = []
    with running(weights, context) as llama:
        for number, (prompt, ids, reference) in enumerate(zip(prompts, expected, references, strict=True)):
            rendering, rendered = _compare_prompt(llama, tokenizer, prompt, ids)
            completion = None if rendered is None else llama.complete(rendered, max_tokens)
            renderings.append(rendering)
            answers.append(_compare_answer(tokenizer, prompt, reference, completion))
            progress(number + 1)
    return _summary(weights, references, renderings, answers)


def _compare_prompt(
    llama: LlamaCpp, tokenizer: ChatTokenizer, prompt: Prompt, expected: list[int]
) -> tuple[Difference | None, str | None]:
    """The difference in the prompt's tokens, if any, and the prompt as llama.cpp renders it (None if it refuses)."""
    try:
        rendered = llama.render(prompt.messages, prompt.tools)
    except LlamaCppError as error:
        text = tokenizer.decode(expected, skip_special_tokens=False)
        return Difference(prompt.place, text, f"llama.cpp can't render it: {error}"), None
    found = llama.tokenise(rendered)
    if found == expected:
        return None, rendered
    first = next((i for i, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]), -1)
    first = first if first >= 0 else min(len(expected), len(found))
    return Difference(prompt.place, _excerpt(tokenizer, expected, first), _excerpt(tokenizer, found, first)), rendered


def _excerpt(tokenizer: ChatTokenizer, ids: list[int], first: int) -> str:
    """Some tokens around the first that differs, with their ids."""
    text = tokenizer.decode(ids[max(0, first - 5) : first + 5], skip_special_tokens=False)
    return f"token {first}: {ids[first : first + 5]} in …{text}…"


@dataclass(frozen=True)
class _Answer:
    """llama.cpp's answer beside the trained model's; `difference` is None when they are the same."""

    completion: Completion | None
    same_start: bool
    difference: Difference | None


def _compare_answer(
    tokenizer: ChatTokenizer, prompt: Prompt, reference: Reference, completion: Completion | None
) -> _Answer:
    if completion is None:
        lost = Difference(prompt.place, reference.text, "no answer: the prompt could not be rendered")
        return _Answer(None, False, lost)
    stops = set(tokenizer.stop_ids)
    kept = [token for token in completion.token_ids if token not in stops]
    same_start = kept[:_START_TOKENS] == reference.token_ids[:_START_TOKENS]
    if kept == reference.token_ids and completion.ended == reference.ended:
        return _Answer(completion, same_start, None)
    return _Answer(completion, same_start, Difference(prompt.place, reference.text, completion.text))


def _summary(
    weights: Path,
    references: Sequence[Reference],
    renderings: Sequence[Difference | None],
    answers: Sequence[_Answer],
) -> FileCheck:
    ending = [answer for reference, answer in zip(references, answers, strict=True) if reference.ended]
    speeds = [answer.completion.tokens_per_second for answer in answers if answer.completion is not None]
    return FileCheck(
        file=weights.name,
        size_bytes=weights.stat().st_size,
        prompts=len(references),
        same_tokens=sum(difference is None for difference in renderings),
        same_answers=sum(answer.difference is None for answer in answers),
        same_start=sum(answer.same_start for answer in answers),
        should_stop=len(ending),
        stopped=sum(answer.completion is not None and answer.completion.ended for answer in ending),
        tokens_per_second=round(sum(speeds) / len(speeds), 1) if speeds else 0.0,
        rendering_difference=next((difference for difference in renderings if difference), None),
        answer_difference=next((answer.difference for answer in answers if answer.difference), None),
    )
