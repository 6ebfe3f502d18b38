"""The state of a synthesis: what is asked next, and what becomes of each answer. It does no waiting and no asking.

It is a function of the answers in the order in which they came. A resumed job is told the ledger's answers again and
stands where it stood, row for row.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from datasets_src.rows import Row
from datasets_src.synthesis.domain import DomainProgress, Item, Waiting
from datasets_src.synthesis.ledger import WRITE, Call, Received
from datasets_src.synthesis.material import Material
from datasets_src.synthesis.recipes import RECIPES, Draft, ask_for_score, read_score
from datasets_src.synthesis.shapes import Score
from datasets_src.synthesis.similar import SimilarTexts, rouge_l
from datasets_src.synthesis.spec import SynthesisSpec
from datasets_src.synthesis.teacher_spec import TeacherSpec
from models.endpoints.client import Message, UnusableAnswer

REMINDER = "Your answer has to be one JSON object and nothing else: no words before or after it."
WORDLESS = "a question or an answer without a word"
REPETITION = "an exact repetition"
TOO_ALIKE = "too like an earlier row"
LIKE_AN_EXAMPLE = "too like an example that was shown"
LIKE_ITS_SOURCE = "the same as its source"
SURPLUS = "beyond the number wanted"
UNSCORED = "no score could be had"


@dataclass(frozen=True)
class Request:
    """What a call asks, of whom, and the shape of JSON that is to come back (None for plain text)."""

    teacher: TeacherSpec
    messages: list[Message]
    shape: type[BaseModel] | None


@dataclass(frozen=True)
class Outcome:
    """What an answer led to: new rows, or being of no `use`, or the end of all tries (`given_up`: of which kind)."""

    rows: list[Row] = field(default_factory=list)
    of_use: bool = True
    given_up: str | None = None


class Campaign:
    """All domains of one spec. `refused` counts rows by reason, `unusable` answers and `given_up` requests by kind."""

    def __init__(self, spec: SynthesisSpec, material: Material) -> None:
        self.spec = spec
        self.recipe = RECIPES[spec.mode]
        self.domains = {domain.name: DomainProgress(spec, domain, material) for domain in spec.domains}
        self.refused: Counter[str] = Counter()
        self.unusable: Counter[str] = Counter()
        self.given_up: Counter[str] = Counter()
        self._shape = self.recipe.shape(spec) if self.recipe.shape else None
        self._seen: set[bytes] = set()
        self._similar = SimilarTexts(spec.similarity) if spec.similarity else None
        self.work = hashlib.sha256(f"{spec.model_dump_json()}\0{material.sha256}".encode()).hexdigest()

    def next_item(self) -> Item | None:
        """The next request to begin, of the domain that lacks most; None when enough are under way."""
        waiting = [domain for domain in self.domains.values() if domain.wants_more]
        return min(waiting, key=lambda domain: domain.fraction_begun).begin() if waiting else None

    def end_item(self, item: Item) -> None:
        """Nothing is under way for it any more; what it still lacks is left for a later attempt."""
        self.domains[item.domain].under_way.discard(item.index)

    def next_call(self, item: Item) -> Call | None:
        """What has to be asked for an item now, None when nothing has."""
        if item.over or self.domains[item.domain].full:
            return None
        if not item.written:
            return Call(item.domain, item.index, WRITE, item.tries)
        return Call(item.domain, item.index, item.waiting[0].step, item.waiting[0].tries) if item.waiting else None

    def request(self, item: Item, call: Call) -> Request:
        """The request for a call. A repeated one reminds of the form."""
        judge = self.spec.judging_teacher
        if call.step == WRITE or self.spec.judge is None or judge is None:
            request = Request(item.teacher, self.recipe.ask(self.spec, item.task), self._shape)
        else:
            messages = ask_for_score(self.spec.judge.rubric, item.waiting[0].draft.messages)
            request = Request(judge, messages, Score)
        if call.attempt and request.shape:
            request.messages.append({"role": "user", "content": f"{request.messages.pop()['content']}\n\n{REMINDER}"})
        return request

    def replay(self, received: Received) -> list[Row]:
        """Take an answer from the ledger. Gives the rows that it led to."""
        item = self.domains[received.call.domain].item(received.call.index)
        return self.apply(item, received).rows

    def apply(self, item: Item, received: Received) -> Outcome:
        """Make of an answer what it is good for."""
        if received.call.step == WRITE:
            return self._written(item, received)
        return self._judged(item, received)

    def give_up(self, item: Item, kind: str) -> None:
        """No answer could be had. In this attempt the item is not tried again; a resumed job tries once more."""
        self.given_up[kind] += 1
        self.end_item(item)

    def surplus(self) -> int:
        """Rows that still waited for their score when their domain was full."""
        return sum(len(item.waiting) for domain in self.domains.values() if domain.full for item in domain.open_items())

    def _written(self, item: Item, received: Received) -> Outcome:
        if item.written or item.over:
            return Outcome()
        try:
            drafts = self.recipe.read(self.spec, item.task, received.text, received.finish_reason)
        except UnusableAnswer as error:
            item.tries += 1
            item.over = item.tries + item.failures > self.spec.retries
            return self._useless(error, item.over)
        item.written, item.failures = True, 0
        rows = []
        for place, draft in enumerate(drafts):
            objection = self._objection(item, draft)
            if objection:
                self.refused[objection] += 1
            elif self.spec.judge:
                item.waiting.append(Waiting(place, draft))
            else:
                rows += self._accept(item, draft, None)
        item.over = not item.waiting
        return Outcome(rows)

    def _judged(self, item: Item, received: Received) -> Outcome:
        waiting = next((one for one in item.waiting if one.step == received.call.step), None)
        if waiting is None or self.spec.judge is None:
            return Outcome()
        try:
            score = read_score(received.text, received.finish_reason)
        except UnusableAnswer as error:
            waiting.tries += 1
            over = waiting.tries + item.failures > self.spec.retries
            if over:
                self.refused[UNSCORED] += 1
                item.failures = 0
                item.done_with(waiting)
            return self._useless(error, over)
        item.failures = 0
        item.done_with(waiting)
        if score < self.spec.judge.min_score:
            self.refused[f"a score below {self.spec.judge.min_score}"] += 1
            return Outcome()
        # Others may have come in while it waited.
        objection = self._objection(item, waiting.draft)
        if objection:
            self.refused[objection] += 1
            return Outcome()
        return Outcome(self._accept(item, waiting.draft, score))

    def _useless(self, error: UnusableAnswer, over: bool) -> Outcome:
        self.unusable[error.kind] += 1
        if over:
            self.given_up[error.kind] += 1
        return Outcome(of_use=False, given_up=f"{error.kind}: {error}" if over else None)

    def _objection(self, item: Item, draft: Draft) -> str | None:
        """Why a draft can't become a row, None when it can."""
        said = (draft.messages[-1]["content"], draft.novelty)
        if not all(any(map(str.isalnum, text)) for text in said if text is not None):
            return WORDLESS
        if _key(draft.messages) in self._seen:
            return REPETITION
        if draft.novelty is None:
            return None
        piece = item.task.piece
        if piece and piece.messages and _plain(draft.novelty) == _plain(str(piece.prompt[-1]["content"])):
            return LIKE_ITS_SOURCE
        if self._similar is None or self.spec.similarity is None:
            return None
        shown = [str(example.prompt[-1]["content"]) for example in item.task.examples]
        if any(rouge_l(draft.novelty, text) >= self.spec.similarity for text in shown):
            return LIKE_AN_EXAMPLE
        return TOO_ALIKE if self._similar.has_similar(draft.novelty) else None

    def _accept(self, item: Item, draft: Draft, score: int | None) -> list[Row]:
        domain = self.domains[item.domain]
        if domain.full:
            self.refused[SURPLUS] += 1
            return []
        domain.rows += 1
        self._seen.add(_key(draft.messages))
        if self._similar is not None and draft.novelty is not None:
            self._similar.add(draft.novelty)
        row: dict[str, Any] = {
            "messages": draft.messages,
            "tag": item.domain,
            "teacher": item.teacher.title,
            "score": score,
            "parent": draft.parent,
        }
        return [row]


def _key(messages: list[Message]) -> bytes:
    text = "\0".join(f"{message['role']}\1{_plain(message['content'])}" for message in messages)
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def _plain(text: str) -> str:
    return " ".join(text.split())
