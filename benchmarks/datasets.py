"""How fast and in how much memory a dataset is built: `python -m benchmarks.datasets [--rows 100000] [--near 100000]`.

Writes Alpaca-like rows (seeded), measures each stage by itself on one core, then the whole build (read → validate →
both de-duplications → group → split → token statistics → version) on all cores, with the peak memory of its processes.
Then the near-duplicate stage against datasketch on the same rows.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate, islice, pairwise
from pathlib import Path

import orjson
import psutil

from benchmarks.near_duplicates import compare
from datasets_src.build import build
from datasets_src.inspect import recipe_for
from datasets_src.near_duplicates import confirmed_clusters, signatures
from datasets_src.pool import BATCH_ROWS
from datasets_src.prepare import prepare_batch
from datasets_src.readers import read_rows
from datasets_src.rows import Row, compared_text, conversation_of, from_canonical
from datasets_src.sources import find_sources, open_source
from datasets_src.spec import DatasetSpec, SourceSpec
from datasets_src.table import Batch
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from models.local_files import tokenizer_folder
from models.token_counts import count_tokens

SECONDS_ALLOWED = {100_000: 30.0}
GIGABYTES_ALLOWED = {100_000: 1.5, 1_000_000: 2.5}
MAX_LENGTH = 512
# Reading the proportional set size takes a core some hundredths of a second.
SECONDS_BETWEEN_SAMPLES = 0.5
TIMES_FASTER, RECALL = 8.0, 0.95
# The most frequent words come first, as in English; the rare ones are made of syllables.
COMMON = (
    "the of and to a in is that it for as with be on are by this an or from at which can you have not more all use "
    "how what when will one time their has other your into some about these two may then so each make like people "
    "such new only its no way many first been would there who also if they most over my up out do work different used "
    "important example data system number between through information following write list give describe create "
    "explain find sentence words text question answer name given could should where because help them while during "
    "provide include change world year day life good great high long small large water food energy health family"
)
SYLLABLES = (
    "ba be bi co cu da de di fa fi ga go ha he in ka la le ma mi na ne no o pa pe ra re ri sa se so ta te ti u va"
)


def write_alpaca_like(path: Path, rows: int, seed: int = 0) -> None:
    """Rows of the lengths of Alpaca's: an instruction of 5 to 20 words, an input in 40 %, an answer of 5 to 120 words.

    Of every hundred, two are equal to an earlier row and three differ from one in a word.
    """
    draw = random.Random(seed)
    rare = ["".join(draw.choices(SYLLABLES.split(), k=draw.randint(2, 4))) for _ in range(20_000)]
    words = [*COMMON.split(), *rare]
    frequencies = list(accumulate(1 / (place + 3) for place in range(len(words))))

    def text(count: int) -> str:
        return " ".join(draw.choices(words, cum_weights=frequencies, k=count)).capitalize() + "."

    recent: list[dict[str, str]] = []
    with path.open("wb") as file:
        for number in range(rows):
            if number > 100 and number % 50 == 0:
                row = dict(draw.choice(recent))
            elif number > 100 and number % 33 == 0:
                row = dict(draw.choice(recent))
                said = row["output"].split(" ")
                said[draw.randrange(len(said))] = draw.choice(words)
                row["output"] = " ".join(said)
            else:
                context = text(draw.randint(3, 40)) if draw.random() < 0.4 else ""
                answer = text(min(120, int(draw.lognormvariate(3.4, 0.8)) + 5))
                row = {"instruction": text(draw.randint(5, 20)), "input": context, "output": answer}
                recent = [*recent[-99:], row]
            file.write(orjson.dumps(row) + b"\n")


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Samples what this process and its children hold together (proportional set size, bytes) until the block ends."""
    peak, over = [0], threading.Event()

    def sample() -> None:
        me = psutil.Process()
        while not over.wait(SECONDS_BETWEEN_SAMPLES):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue  # it has just ended
            peak[0] = max(peak[0], total)

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def timed(name: str, rows: int, stage: Callable[[], object]) -> None:
    start = time.perf_counter()
    stage()
    seconds = time.perf_counter() - start
    print(f"  {name:<32} {seconds:7.2f} s {rows / seconds:12,.0f} rows/s")


def stages(path: Path, rows: int, workspace: Workspace) -> None:
    """Each stage by itself in this process."""
    (source,) = find_sources([SourceSpec(path=str(path))], path.parent, workspace)
    opened = open_source(source)
    recipe = recipe_for(source, opened)
    raw = list(islice(opened.rows, rows))
    print(f"Stages by themselves, one process, {rows:,} rows:")
    timed("read", rows, lambda: sum(1 for _ in read_rows(path)))
    batches = [raw[start : start + BATCH_ROWS] for start in range(0, len(raw), BATCH_ROWS)]
    prepared = []
    timed("convert, check and digest", rows, lambda: prepared.extend(prepare_batch(recipe, some) for some in batches))
    canonical = [row for batch in prepared for row in canonical_rows(batch)]
    texts = [compared_text(from_canonical(row)) for row in canonical]
    timed("near-duplicates", rows, lambda: confirmed_clusters(signatures(texts), texts.__getitem__, 0.8))
    tokenizer = ChatTokenizer.load(tokenizer_folder("embedded", workspace))
    conversations = [(*conversation_of(row), False) for row in canonical]
    timed(
        "token counts",
        rows,
        lambda: [count_tokens(tokenizer, conversations[n : n + 1000]) for n in range(0, rows, 1000)],
    )


def canonical_rows(batch: Batch) -> list[Row]:
    """The rows of a prepared batch, read back."""
    ends = batch.columns["length"].astype(int).cumsum().tolist()
    return [orjson.loads(batch.lines[start:end] + b"}") for start, end in pairwise([0, *ends])]


def whole_build(path: Path, rows: int, workspace: Workspace) -> bool:
    """The whole build; whether it kept to what is allowed."""
    spec = DatasetSpec.parse(
        {"name": "alpaca", "sources": [{"path": str(path)}], "model": "embedded", "max_length": MAX_LENGTH}
    )
    tokenizer_folder("embedded", workspace)
    with peak_memory() as peak:
        start = time.perf_counter()
        version = build(spec, workspace)
        seconds = time.perf_counter() - start
    gigabytes = peak[0] / 1e9
    found = {check["name"]: check["count"] for check in version.report["checks"] if check["count"]}
    print(f"The whole build: {seconds:.1f} s, {rows / seconds:,.0f} rows/s, peak memory {gigabytes:.2f} GB")
    print(f"  {version.train_rows:,} training rows, {version.eval_rows:,} evaluation rows; found: {found}")
    kept = seconds <= SECONDS_ALLOWED.get(rows, seconds) and gigabytes <= GIGABYTES_ALLOWED.get(rows, gigabytes)
    allowed = [f"{SECONDS_ALLOWED[rows]:g} s"] if rows in SECONDS_ALLOWED else []
    allowed += [f"{GIGABYTES_ALLOWED[rows]:g} GB"] if rows in GIGABYTES_ALLOWED else []
    print(f"  allowed: {' and '.join(allowed) or 'anything'}: {'kept' if kept else 'NOT KEPT'}")
    return kept


def against_datasketch(rows: int) -> bool:
    """The near-duplicate stage beside datasketch's on the same rows, one core each; whether it is as good as asked."""
    found = compare(rows)
    print(f"The near-duplicate stage (shingling included), {rows:,} rows with planted duplicates, one core:")
    for each in found.measured:
        print(f"  {each.name:<20} {each.seconds:7.2f} s  recall {each.recall:.3f}  precision {each.precision:.3f}")
    print(f"  ours is faster by: {found.times_faster}")
    return min(found.times_faster.values()) >= TIMES_FASTER and found.measured[0].recall >= RECALL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--near", type=int, default=100_000, help="rows for the comparison with datasketch; 0 for none")
    parser.add_argument("--stages", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, workspace = Path(folder) / "rows.jsonl", Workspace(Path(folder) / "workspace")
        write_alpaca_like(path, arguments.rows)
        kept = whole_build(path, arguments.rows, workspace)
        if arguments.stages:
            stages(path, arguments.rows, workspace)
    if arguments.near:
        kept = against_datasketch(arguments.near) and kept
    raise SystemExit(not kept)


if __name__ == "__main__":
    main()
