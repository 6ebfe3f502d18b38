"""One domain of a synthesis: how many of its rows there are, which requests are begun, and what each is about."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from datasets_src.synthesis.material import Material, Piece
from datasets_src.synthesis.recipes import RECIPES, Draft, Task
from datasets_src.synthesis.spec import DomainSpec, SynthesisSpec
from datasets_src.synthesis.teacher_spec import TeacherSpec

# Its multiples lie evenly between 0 and 1, however many there are of them (a Weyl sequence).
GOLDEN = 0.6180339887498949


@dataclass
class Waiting:
    """A draft that waits for its score. `place` counts from 0 in its answer, `tries` the scores that were no use."""

    place: int
    draft: Draft
    tries: int = 0

    @property
    def step(self) -> str:
        return f"judge.{self.place}"


@dataclass
class Item:
    """A request for rows and what came of it. `over`: nothing is left to be done.

    `tries` counts answers of no use, `failures` the requests without an answer since the last one that was of use (in
    this attempt of the job alone).
    """

    task: Task
    teacher: TeacherSpec
    tries: int = 0
    failures: int = 0
    written: bool = False
    over: bool = False
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def domain(self) -> str:
        return self.task.domain.name

    @property
    def index(self) -> int:
        return self.task.index

    def done_with(self, waiting: Waiting) -> None:
        self.waiting.remove(waiting)
        self.over = not self.waiting


class DomainProgress:
    """The requests of one domain, numbered from 0. What a number stands for depends on the spec and the input alone."""

    def __init__(self, spec: SynthesisSpec, domain: DomainSpec, material: Material) -> None:
        self.domain = domain
        self.rows = 0
        self.under_way: set[int] = set()
        self._spec = spec
        self._pieces = material.for_domain(domain.name)
        self._order = list(range(len(self._pieces)))
        random.Random(f"{spec.seed}/{domain.name}").shuffle(self._order)
        self._per_request = RECIPES[spec.mode].rows_per_request(spec)
        self._writers = [teacher for teacher in spec.teachers if teacher.weight]
        self._items: dict[int, Item] = {}
        self._begun: set[int] = set()
        self._next = 0

    @property
    def wanted(self) -> int:
        """How many rows are to come; without a count, as many as the input can give."""
        return self.domain.count or len(self._pieces) * self._per_request

    @property
    def most_requests(self) -> int:
        """Where the attempts end. Without a count, every piece is used once."""
        if self.domain.count is None:
            return len(self._pieces)
        return math.ceil(self.requests_if_all_goes_well * self._spec.attempts)

    @property
    def rows_per_request(self) -> int:
        return self._per_request

    @property
    def requests_if_all_goes_well(self) -> int:
        """How many requests give the rows wanted when every answer is of use."""
        return math.ceil(self.wanted / self._per_request)

    @property
    def full(self) -> bool:
        return self.domain.count is not None and self.rows >= self.domain.count

    @property
    def exhausted(self) -> bool:
        """Whether all requests were begun."""
        return self._upcoming() is None

    @property
    def wants_more(self) -> bool:
        """Whether another request is to be begun now: not while those under way may be enough."""
        enough = self.domain.count is not None and self.rows + self._expected() >= self.domain.count
        return not enough and not self.exhausted

    @property
    def fraction_begun(self) -> float:
        return (self.rows + self._expected()) / self.wanted

    @property
    def fraction_done(self) -> float:
        """How far it is, from 0 to 1."""
        if self.domain.count is not None:
            return min(1.0, self.rows / self.domain.count)
        return sum(item.over for item in self._items.values()) / max(1, self.most_requests)

    def begin(self) -> Item:
        """The next request that isn't done: those of earlier attempts that lack something come first."""
        index = self._upcoming()
        assert index is not None, "asked for while it wants more"
        self._begun.add(index)
        self.under_way.add(index)
        return self.item(index)

    def item(self, index: int) -> Item:
        """The request of that number."""
        if index not in self._items:
            self._items[index] = Item(self._task(index), self._writer(index))
        return self._items[index]

    def open_items(self) -> list[Item]:
        """The requests that lack something."""
        return [item for item in self._items.values() if not item.over]

    def _upcoming(self) -> int | None:
        """The lowest number that was neither begun in this attempt nor finished in an earlier one."""
        while self._next < self.most_requests:
            item = self._items.get(self._next)
            if self._next not in self._begun and not (item and item.over):
                return self._next
            self._next += 1
        return None

    def _expected(self) -> int:
        """Rows that may come of what is under way."""
        items = [self._items[index] for index in self.under_way]
        return sum(len(item.waiting) if item.written else self._per_request for item in items)

    def _task(self, index: int) -> Task:
        if self._spec.mode == "self_instruct":
            drawing = random.Random(f"{self._spec.seed}/{self.domain.name}/{index}")
            examples = drawing.sample(self._pieces, min(self._spec.examples, len(self._pieces)))
            return Task(self.domain, index, None, 0, tuple(examples))
        return Task(self.domain, index, self._piece(index), index // max(1, len(self._pieces)), ())

    def _piece(self, index: int) -> Piece | None:
        return self._pieces[self._order[index % len(self._order)]] if self._order else None

    def _writer(self, index: int) -> TeacherSpec:
        """Each teacher gets its share of any run of numbers, as nearly as whole numbers allow."""
        place = (index + 0.5) * GOLDEN % 1 * sum(teacher.weight for teacher in self._writers)
        for teacher in self._writers:
            place -= teacher.weight
            if place < 0:
                return teacher
        return self._writers[-1]
