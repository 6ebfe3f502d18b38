"""Reading the sources one after another into the table of all rows, and refusing what can't be built from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datasets_src.checks import CHECKS, CheckSettings, Remedy
from datasets_src.hashing import lowest
from datasets_src.pool import Preparation
from datasets_src.prepare import EXAMPLES, Example, Recipe
from datasets_src.report import SourceCounts, count
from datasets_src.rows import Kind, Problem
from datasets_src.sources import OpenSource, Source, open_source
from datasets_src.spec import HUB, DatasetSpec
from datasets_src.table import KEPT, UNUSABLE, Batch, RowTable
from jobs.errors import BadInput
from jobs.workspace import Workspace

Progress = Callable[[float | None, str], None]
Resolve = Callable[[str, Any, str], Any]

READING_SHARE = 0.75
LISTED_IN_ERROR = 20
# A capped source is thinned out while it is read, whenever it has grown to several times its cap.
THIN_OUT_BEYOND = 20_000


@dataclass(frozen=True)
class Watch:
    """How a build tells what it does, and learns that it shall stop."""

    progress: Progress
    check_stop: Callable[[], None]
    resolve: Resolve

    def reading(self, place: int, sources: int, label: str, rows: int, fraction: float) -> None:
        self.check_stop()
        self.progress(READING_SHARE * (place + fraction) / sources, f"Reading {label}: {rows:,} rows")

    def fetching(self, place: int, sources: int, label: str) -> None:
        """Before a dataset of the Hub is there, which is asked several times before it counts as out of reach."""
        self.check_stop()
        words = f"Fetching {label} from the Hub; half a minute where it can't be reached"
        self.progress(READING_SHARE * place / sources, words)


def remedies_of(spec: DatasetSpec) -> dict[str, Remedy]:
    """The remedy in effect for every check."""
    skip = spec.on_bad_rows == "skip"
    defaults: dict[str, Remedy] = {
        check.name: "drop" if check.default == "stop" and skip else check.default for check in CHECKS
    }
    return {**defaults, **spec.remedies}


@dataclass
class Collector:
    """Gathers the rows of all sources, with what was found in them."""

    spec: DatasetSpec
    workspace: Workspace
    watch: Watch
    table: RowTable
    preparation: Preparation
    sources: Sequence[Source]
    counts: list[SourceCounts] = field(default_factory=list)
    examples: dict[str, list[Problem]] = field(default_factory=dict)
    stopping: list[Problem] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.remedies = remedies_of(self.spec)
        self.tokenizer = self._tokenizer()

    def _tokenizer(self) -> Path | None:
        if self.spec.model is None:
            return None
        from models.local_files import tokenizer_folder

        return tokenizer_folder(self.spec.model, self.workspace)

    @property
    def kind(self) -> Kind:
        """The one kind that all rows have. Raises BadInput where sources differ."""
        kinds = {counts.kind: counts.source for counts in self.counts}
        if len(kinds) > 1:
            shown = ", ".join(f"{source} holds {KINDS_IN_WORDS[kind]}" for kind, source in kinds.items())
            raise BadInput(
                f"The sources hold rows of different kinds: {shown}.",
                "A dataset is for one way of training, which takes rows of one kind.",
                "Build a dataset of each kind, or say with `format` how a source is to be read.",
            )
        return next(iter(kinds))

    def read(self, source: Source) -> None:
        """Add the rows of one source."""
        if str(source.spec.path or "").startswith(HUB):
            self.watch.fetching(source.place, len(self.sources), source.label)
        else:
            self.watch.reading(source.place, len(self.sources), source.label, 0, 0.0)
        opened = open_source(source)
        self.columns.update(opened.columns)
        self.watch.resolve(f"{source.label}: format", opened.format.name, opened.evidence)
        identity = self._identity(source)
        wanted = source.spec
        counts = SourceCounts(
            source.label, identity, opened.format.name, opened.format.kind, opened.evidence, wanted.tag, wanted.weight
        )
        self.counts.append(counts)
        start = len(self.table)
        for batch in self.preparation.batches(self._recipe(source, opened), opened.rows):
            self.table.add(batch)
            self._note(batch)
            counts.read += len(batch.tags)
            self.watch.reading(source.place, len(self.sources), source.label, counts.read, batch.fraction)
            if wanted.max_rows and len(self.table) - start > 4 * wanted.max_rows + THIN_OUT_BEYOND:
                counts.left_out += self._thin_out(start, wanted.max_rows)

    def _recipe(self, source: Source, opened: OpenSource) -> Recipe:
        spec = self.spec
        return Recipe(
            place=source.place,
            label=source.label,
            format=opened.format.name,
            columns=opened.columns_used,
            tag=source.spec.tag,
            part=source.part,
            group_column="group" if spec.group_by == "prompt" else spec.group_by,
            system_prompt=spec.system_prompt,
            remedies=self.remedies,
            settings=CheckSettings(languages=tuple(spec.languages)),
            near=spec.near_duplicates,
            tokenizer=self.tokenizer,
            max_length=spec.max_length,
            edits={edit.row: edit for edit in spec.edits if edit.source == source.label},
        )

    def _note(self, batch: Batch) -> None:
        """Keep the first examples of each check."""
        example: Example
        for example in batch.examples:
            listed = self.examples.setdefault(example.check, [])
            if len(listed) < EXAMPLES:
                listed.append(example.problem)
            if example.unusable and len(self.stopping) <= LISTED_IN_ERROR:
                self.stopping.append(example.problem)

    def _thin_out(self, start: int, cap: int) -> int:
        """Forget rows of the source being read that its cap will leave out; how many."""
        status, keys = self.table.column("status"), self.table.column("key")
        own = np.arange(start, len(self.table))
        kept = own[status[own] == KEPT]
        first = np.zeros(len(kept), dtype=bool)
        first[np.unique(keys[kept], return_index=True)[1]] = True
        stays = lowest(keys, kept[first], cap, self.spec.seed, "sample")
        forgotten = np.setdiff1d(kept[first], stays)
        self.table.keep_only(np.setdiff1d(np.arange(len(self.table)), forgotten))
        return len(forgotten)

    def _identity(self, source: Source) -> str:
        """Tells the source's content. Raises BadInput when a resumed job finds another than its first attempt did."""
        content = source.identity()
        if self.watch.resolve(f"{source.label}: identity", content, "the source as it was read") != content:
            raise BadInput(
                f"{source.label} was changed since this job was started.",
                "A resumed job has to read what its first attempt read.",
                "Start a new build instead.",
            )
        return content

    def refuse_what_cannot_be_built(self) -> None:
        """Raise BadInput for rows that stop the build, for none that can be used, and for edits or a group column that
        meet no row.
        """
        status = self.table.column("status")
        unusable = int((status == UNUSABLE).sum())
        if self.stopping or not (status == KEPT).any():
            raise self._unusable(unusable)
        column = self.spec.group_by
        if column != "prompt" and (self.table.column("group") < 0).all():
            raise BadInput(
                f"group_by names '{column}', but no row has a value in such a column.",
                f"The columns are {', '.join(sorted(self.columns))}.",
                "Name one of them, or `prompt`.",
            )
        labels = {source.label for source in self.sources}
        lost = sorted({edit.source for edit in self.spec.edits} - labels)
        if lost:
            raise BadInput(
                f"`edits` names the source {', '.join(lost)}, which the dataset doesn't have.",
                f"Its sources are {', '.join(sorted(labels))}.",
                "Name one of them, or remove these edits.",
            )

    def _unusable(self, unusable: int) -> BadInput:
        read = sum(counts.read for counts in self.counts)
        listed = self.stopping or [problem for problems in self.examples.values() for problem in problems]
        lines = "\n".join(f"  - {problem}" for problem in listed[:LISTED_IN_ERROR])
        more = "\n  - … and more" if len(listed) > LISTED_IN_ERROR or unusable > len(listed) else ""
        return BadInput(
            f"{count(unusable, 'row')} of {read:,} can't be used:\n{lines}{more}",
            "A broken or unanswered row teaches nothing, or something wrong.",
            "Mend the rows, leave them out with `on_bad_rows: skip` (the report will list them), or decide on single "
            "checks with `remedies`.",
        )


KINDS_IN_WORDS: dict[Kind, str] = {
    "conversation": "conversations",
    "preference": "preference pairs",
    "unpaired": "answers marked good or bad",
    "text": "plain text",
}
