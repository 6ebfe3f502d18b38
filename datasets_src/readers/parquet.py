"""Rows from Parquet, batch by batch. Values keep the types that JSON lacks: dates, decimals, bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets_src.readers.tables import check_heading
from datasets_src.rows import Finding, RawRow
from jobs.errors import BadInput

LARGEST_BATCH = 1000
BATCH_BYTES = 32 * 2**20
READ_AHEAD = 2**20


def read_parquet(path: Path) -> Iterator[RawRow]:
    """The rows of a Parquet file. Raises BadInput when it is none, or is damaged; a value of its own is a fault."""
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        # Both settings keep it from holding a whole row group, which may be the whole file.
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=READ_AHEAD) as file:
            check_heading(path, file.schema_arrow.names)
            total, number = max(1, file.metadata.num_rows), 0
            for batch in file.iter_batches(batch_size=_batch_size(file.metadata)):
                for values in batch_rows(batch):
                    number += 1
                    if isinstance(values, dict):
                        yield RawRow(number, values, number / total)
                    else:
                        yield RawRow(number, {}, number / total, None, values)
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise BadInput(f"{path} can't be read as Parquet.", reason, "Save it again, or as JSONL.") from error


def batch_rows(batch: Any) -> list[dict[str, Any] | Finding]:
    """The rows of an Arrow record batch; a Finding for a row with a value that Python can't hold."""
    import pyarrow

    try:
        return batch.to_pylist()  # type: ignore[no-any-return]
    except (pyarrow.ArrowException, ValueError, OverflowError):
        return [_row(batch, index) for index in range(batch.num_rows)]


def _row(batch: Any, index: int) -> dict[str, Any] | Finding:
    import pyarrow

    values = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            values[name] = column[index].as_py()
        except UnicodeDecodeError as error:
            return Finding(name, f"is not UTF-8 at its byte {error.start + 1}", "text has to be UTF-8 in Parquet")
        except (pyarrow.ArrowException, ValueError, OverflowError) as error:
            return Finding(name, f"is a {column.type} that can't be read", str(error).split("\n")[0])
    return values


def _batch_size(metadata: Any) -> int:
    """As many rows as are held at once: fewer where rows are large."""
    if metadata.num_rows == 0:
        return LARGEST_BATCH
    total_bytes = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    return int(max(1, min(LARGEST_BATCH, BATCH_BYTES * metadata.num_rows // max(1, total_bytes))))
