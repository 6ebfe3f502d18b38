"""How long a dataset's rows really are, for an estimate: of the longest few, in the model's own tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from datasets_src.browse import Rows
from datasets_src.rows import conversations_of
from datasets_src.store import DatasetVersion, open_version
from jobs.errors import UserError
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from models.local_files import local_tokenizer
from models.token_counts import count_tokens
from trainer.spec import TrainSpec

# Of the rows with the most bytes: a row with more tokens than all of these would have to be oddly spelled.
LOOKED_AT = 100
SHORTEST = 16


def as_long_as_rows(spec: TrainSpec, longest: int) -> TrainSpec:
    """The spec with the length that its rows really have, where they aren't packed to the full: what takes memory."""
    packed = spec.method.objective == "continued" or spec.optimisation.batching == "packing"
    if packed:
        return spec
    return spec.model_copy(update={"max_length": min(spec.max_length, max(SHORTEST, longest))})


@dataclass(frozen=True)
class CountedRows:
    """The spec with the rows' real length, and in words where that comes from; "" where they couldn't be counted."""

    spec: TrainSpec
    words: str = ""


def counted_rows(spec: TrainSpec, workspace: Workspace) -> CountedRows:
    """`spec` as long as the rows of its dataset are, where that and the model's tokenizer are here."""
    try:
        version, tokenizer = open_version(workspace, spec.data), local_tokenizer(spec.model, workspace)
    except UserError:
        # What is wrong with them is said where they are chosen, and by the run.
        return CountedRows(spec)
    if tokenizer is None:
        return CountedRows(spec)
    longest = _longest(version, tokenizer)
    counted = as_long_as_rows(spec, longest)
    if counted.max_length == spec.max_length:
        return CountedRows(spec)
    return CountedRows(counted, f"The longest row of {version.name} has {longest:,} tokens, and none counts as more.")


@lru_cache(maxsize=32)
def _longest(version: DatasetVersion, tokenizer: ChatTokenizer) -> int:
    conversations = [each for row in Rows(version.folder).largest("train", LOOKED_AT) for each in conversations_of(row)]
    return max((count.length for count in count_tokens(tokenizer, conversations)), default=0)
