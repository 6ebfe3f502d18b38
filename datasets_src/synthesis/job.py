"""The job `data.synthesise`: rows.jsonl out of a SynthesisSpec, resumable from its ledger at any moment.

It leaves rows.jsonl (a source for a DatasetSpec like any other file) and ledger.jsonl (every answer that came).
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from datasets_src.rows import Row
from datasets_src.synthesis.campaign import Campaign
from datasets_src.synthesis.drive import Run, Watch
from datasets_src.synthesis.figures import make_figures, require_rows
from datasets_src.synthesis.ledger import Ledger, Received
from datasets_src.synthesis.material import Material, load_material
from datasets_src.synthesis.spec import SynthesisSpec
from datasets_src.synthesis.tally import Tally
from datasets_src.synthesis.teachers import open_teachers
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import write_text

ROWS, LEDGER = "rows.jsonl", "ledger.jsonl"
REPORT_SECONDS = 0.5


def run(context: JobContext) -> dict[str, Any]:
    """Leaves rows.jsonl and ledger.jsonl; returns the figures for the manifest."""
    spec = SynthesisSpec.parse(context.spec, where="the synthesis spec")
    context.progress(None, "Reading the input")
    material = load_material(spec, context.workspace.root)
    _require_same_input(context, spec, material)
    campaign, tally = Campaign(spec, material), Tally()
    with Ledger(context.path / LEDGER, campaign.work) as ledger:
        earlier = replay(campaign, ledger, tally)
        with RowsFile(context.path / ROWS, earlier) as rows:
            reporter = _Reporter(context, campaign, tally)
            if earlier or tally.answers:
                context.log(f"Going on from {len(earlier)} rows and {tally.answers} answers.")
            watch = Watch(rows.add, reporter.report, context.should_stop)
            result = asyncio.run(drive(campaign, ledger, tally, watch))
            reporter.report(now=True)
    figures = make_figures(campaign, tally, material, cost_limit_reached=result.cost_limit_reached)
    require_rows(figures, result.last_reason)
    context.artifact(context.path / ROWS)
    context.artifact(context.path / LEDGER)
    for sentence in [*figures["summary"], *figures["warnings"]]:
        context.log(sentence)
    return {"path": str(context.path / ROWS), **figures, "message": figures["summary"][0]}


async def drive(campaign: Campaign, ledger: Ledger, tally: Tally, watch: Watch) -> Run:
    """One attempt at a campaign. Raises as Run.to_the_end."""
    async with open_teachers(campaign.spec) as teachers:
        attempt = Run(campaign, ledger, tally, teachers, watch)
        await attempt.to_the_end()
        return attempt


def replay(campaign: Campaign, ledger: Ledger, tally: Tally) -> list[Row]:
    """Tell a new campaign what the ledger holds. Gives the rows that were made of it, in their order."""
    rows: list[Row] = []
    for entry in ledger.entries():
        tally.add(entry)
        if isinstance(entry, Received):
            rows += campaign.replay(entry)
    return rows


def _require_same_input(context: JobContext, spec: SynthesisSpec, material: Material) -> None:
    """A resumed job goes on with the rows it began with."""
    known = context.resolve("input_sha256", material.sha256, f"the file {spec.input}")
    context.resolve("seed", spec.seed, "the spec")
    if known != material.sha256:
        raise BadInput(
            f"{spec.input} has changed since the job began.",
            "What was asked so far was about other rows.",
            "Put the file back as it was, or start a new job.",
        )


class RowsFile:
    """rows.jsonl while it grows: begun with the rows of earlier attempts, whatever a kill left in it."""

    def __init__(self, path: Path, rows: Iterable[Row]) -> None:
        write_text(path, "".join(_line(row) for row in rows))
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def add(self, rows: list[Row]) -> None:
        """Append rows, for whoever looks on."""
        self._file.write("".join(_line(row) for row in rows))
        self._file.flush()


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


class _Reporter:
    """Progress and metrics of a job, at most every half second."""

    def __init__(self, context: JobContext, campaign: Campaign, tally: Tally) -> None:
        self._context = context
        self._campaign = campaign
        self._tally = tally
        self._started = time.monotonic()
        self._first_fraction = self._fraction()
        self._told = 0.0
        self._step = -1

    def report(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._told < REPORT_SECONDS:
            return
        self._told = time.monotonic()
        domains = self._campaign.domains
        fraction = self._fraction()
        done = ", ".join(f"{name} {one.rows}/{one.wanted}" for name, one in domains.items())
        cost = "" if not self._tally.cost else f", cost {self._tally.cost:.4g}"
        self._context.progress(fraction, f"Rows {done}; {self._tally.answers} answers{cost}", self._eta(fraction))
        if self._tally.answers > self._step:
            self._step = self._tally.answers
            self._context.metric(
                self._step,
                rows=sum(one.rows for one in domains.values()),
                refused=self._campaign.refused.total(),
                failures=self._tally.failures.total(),
                cost=self._tally.cost or 0.0,
                **{f"rows_{name}": one.rows for name, one in domains.items()},
            )

    def _fraction(self) -> float:
        domains = self._campaign.domains.values()
        return sum(one.fraction_done * one.wanted for one in domains) / sum(one.wanted for one in domains)

    def _eta(self, fraction: float) -> float | None:
        gained = fraction - self._first_fraction
        elapsed = time.monotonic() - self._started
        return elapsed * (1 - fraction) / gained if gained > 0 else None
