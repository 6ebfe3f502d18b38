"""Carrying out a campaign: many requests at once, every answer in the ledger before it counts, an end when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from datasets_src.rows import Row
from datasets_src.synthesis.campaign import Campaign, Outcome
from datasets_src.synthesis.domain import Item
from datasets_src.synthesis.ledger import Call, Failed, Ledger, Received
from datasets_src.synthesis.tally import Tally
from datasets_src.synthesis.teachers import Teacher, most_cost
from jobs.errors import BadInput, Missing, Stopped, UserError
from models.endpoints.client import EndpointFailure

LOOK_UP_SECONDS = 0.1
# How long a stop waits for answers that are under way and will be paid for anyway.
GRACE_SECONDS = 5.0
# So many requests given up in a row, with no usable answer between them, and asking on makes no sense.
HOPELESS = 10


def hopeless(kind: type[UserError], what: str, reason: str) -> UserError:
    """The error for a run that gets nowhere; `reason` is what the last request met with."""
    if kind is Missing:
        return Missing(what, reason, "See to the endpoint (is it up, is its address right?), then press Resume.")
    return kind(
        what, reason, "Choose a more able teacher, allow longer answers (max_tokens), or ask for less in one request."
    )


class _CalledOff(Exception):
    """The run is ending: no further request is made."""


@dataclass(frozen=True)
class Watch:
    """Who watches: `rows` gets new rows, `report` is called when something happened, `should_stop` asks to end."""

    rows: Callable[[list[Row]], None]
    report: Callable[[], None]
    should_stop: Callable[[], bool]


class Run:
    """One attempt at a campaign, in one event loop."""

    def __init__(
        self, campaign: Campaign, ledger: Ledger, tally: Tally, teachers: Mapping[str, Teacher], watch: Watch
    ) -> None:
        self._campaign = campaign
        self._ledger = ledger
        self._tally = tally
        self._teachers = teachers
        self._watch = watch
        self._ending = asyncio.Event()
        self._reserved: list[float] = []
        self._released = asyncio.Event()
        self._given_up_in_a_row = 0
        self.cost_limit_reached = False
        self.last_reason = ""

    async def to_the_end(self) -> None:
        """Ask until every domain is full or out of attempts, or the limit of cost is reached.

        Raises Stopped when asked to stop, Missing or BadInput when asking on makes no sense; what came is kept.
        """
        # More than can be asked at once, so that a teacher with a small share never waits for one with a large one.
        most = 2 * sum(teacher.spec.concurrency for teacher in self._teachers.values())
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._begin(tasks, most)
                if not tasks:
                    return
                done, tasks = await asyncio.wait(tasks, timeout=LOOK_UP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                self._watch.report()
                errors = [error for task in done if (error := task.exception())]
                if errors:
                    raise errors[0]
                if self._watch.should_stop():
                    raise Stopped
        except (Stopped, UserError):
            self._ending.set()
            if tasks:
                await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, tasks: set[asyncio.Task[None]], most: int) -> None:
        while len(tasks) < most and not self._ending.is_set() and (item := self._campaign.next_item()):
            tasks.add(asyncio.create_task(self._work(item)))

    async def _work(self, item: Item) -> None:
        """Ask what an item needs, one call after another. An error that ends the run ends it for all at once."""
        try:
            await self._ask_what_it_needs(item)
        except UserError:
            self._ending.set()
            raise
        except _CalledOff:
            pass  # a resumed job goes on with it
        finally:
            self._campaign.end_item(item)

    async def _ask_what_it_needs(self, item: Item) -> None:
        try:
            while call := self._campaign.next_call(item):
                received = await self._ask(item, call)
                self._ledger.record(received)
                self._tally.add(received)
                self._take(self._campaign.apply(item, received))
        except EndpointFailure as failure:
            self._campaign.give_up(item, failure.kind)
            self._note_giving_up(f"{failure.kind}: {failure}", Missing)

    async def _ask(self, item: Item, call: Call) -> Received:
        request = self._campaign.request(item, call)
        teacher = self._teachers[request.teacher.title]
        seed = int(call.identity(self._campaign.work)[:7], 16)
        cost = most_cost(teacher.spec, request.messages)
        await self._reserve(cost)

        def failed(failure: EndpointFailure) -> None:
            entry = Failed(call, teacher.spec.title, failure.kind, str(failure))
            self._ledger.note(entry)
            self._tally.add(entry)
            item.failures += 1

        try:
            answer = await teacher.client.complete(
                request.messages,
                teacher.options(request.shape, seed, self._campaign.spec.request_timeout),
                tries=self._campaign.spec.retries + 1 - call.attempt - item.failures,
                on_failure=failed,
                pause=self._pause,
            )
        finally:
            self._reserved.remove(cost)
            self._released.set()
        return teacher.received(call, answer, request.messages)

    def _take(self, outcome: Outcome) -> None:
        if outcome.of_use:
            self._given_up_in_a_row = 0
        if outcome.rows:
            self._watch.rows(outcome.rows)
        if outcome.given_up:
            self._note_giving_up(outcome.given_up, BadInput)

    def _note_giving_up(self, reason: str, kind: type[UserError]) -> None:
        self.last_reason = reason
        self._given_up_in_a_row += 1
        if self._given_up_in_a_row >= HOPELESS:
            raise hopeless(kind, f"The last {HOPELESS} requests were all given up.", reason)

    async def _reserve(self, cost: float) -> None:
        """Set aside what a call may cost, once it fits. Ends the run when it never will."""
        limit = self._campaign.spec.max_cost
        while limit is not None and (self._tally.cost or 0.0) + sum(self._reserved) + cost > limit:
            if not self._reserved:
                self.cost_limit_reached = True
                self._ending.set()
            if self._ending.is_set():
                raise _CalledOff
            # Calls that are under way mostly cost less than was set aside for them.
            self._released.clear()
            await self._released.wait()
        self._reserved.append(cost)

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the run is ending: then nothing more is asked."""
        if seconds > 0 and not self._ending.is_set():
            try:
                await asyncio.wait_for(self._ending.wait(), seconds)
            except TimeoutError:
                return
        if self._ending.is_set():
            raise _CalledOff
