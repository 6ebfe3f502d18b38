"""Rows from a dataset on the Hugging Face Hub, by the `datasets` library: downloaded once, then read from the disk.

Nothing that comes with a dataset is run: datasets that are made by a script are refused.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasets_src.readers.common import part_of
from datasets_src.readers.parquet import LARGEST_BATCH, batch_rows
from datasets_src.rows import Finding, RawRow
from jobs.errors import BadInput, Missing, UserError, disk_full

DATASET_ID = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")
# The branch that the Hub keeps of nearly every public dataset, scripts among them, as Parquet files.
CONVERTED = "refs/convert/parquet"


def read_hub(
    dataset_id: str, config: str | None = None, split: str | None = None, revision: str | None = None
) -> Iterator[RawRow]:
    """The rows of one split, or of all with their part by the split's name; rows count on from split to split.

    `split` may be a slice such as `train[:1000]`. A local folder's absolute path is read in the same way. Raises
    Missing when the dataset can't be had from here, BadInput when it or what was asked of it can't be used.
    """
    builder = _prepared(dataset_id, config, revision)
    names = _splits(builder, dataset_id, split)
    with _explained(dataset_id, config, revision):
        datasets = [builder.as_dataset(split=name) for name in names]
    total = max(1, sum(len(dataset) for dataset in datasets))
    number = 0
    for name, dataset in zip(names, datasets, strict=True):
        part = None if split else part_of(name)
        for values in _values(dataset):
            number += 1
            fault = values if isinstance(values, Finding) else None
            yield RawRow(number, {} if isinstance(values, Finding) else values, number / total, None, fault, part)
    if not number:
        raise BadInput(f"{dataset_id} holds no rows.", f"Its splits are {', '.join(names)}.", "Choose another dataset.")


def hub_version(
    dataset_id: str, config: str | None = None, split: str | None = None, revision: str | None = None
) -> str:
    """What tells this content from every other: the commit's hash, or the fingerprint where there is no commit."""
    builder = _prepared(dataset_id, config, revision)
    if COMMIT.fullmatch(builder.hash or ""):
        return str(builder.hash)
    names = _splits(builder, dataset_id, split)
    with _explained(dataset_id, config, revision):
        return "+".join(builder.as_dataset(split=name)._fingerprint for name in names)


def _values(dataset: Any) -> Iterator[dict[str, Any] | Finding]:
    """The rows as plain values: classes by their names, images and sounds as the bytes they are stored in."""
    from datasets import ClassLabel

    classes = {name: feature for name, feature in dataset.features.items() if isinstance(feature, ClassLabel)}
    for table in dataset.with_format("arrow").iter(batch_size=LARGEST_BATCH):
        for batch in table.to_batches():
            for values in batch_rows(batch):
                if classes and isinstance(values, dict):
                    for name, feature in classes.items():
                        # The Hub's custom for "not labelled" is -1.
                        known = values[name] is not None and values[name] >= 0
                        values[name] = feature.int2str(values[name]) if known else None
                yield values


def _splits(builder: Any, dataset_id: str, split: str | None) -> list[str]:
    """The splits to read. Raises BadInput for one that is not there."""
    known = list(builder.info.splits or {})
    if split is None:
        return known
    asked = [re.sub(r"\[.*", "", part).strip() for part in split.split("+")]
    if any(name not in known for name in asked):
        raise BadInput(
            f"{dataset_id} has no split '{split}'.",
            f"Its splits are {', '.join(known)}.",
            "Name one of these, or none.",
        )
    return [split]


def _prepared(dataset_id: str, config: str | None, revision: str | None) -> Any:
    """The dataset's builder, its files downloaded and converted where they aren't yet."""
    import datasets

    path = _path(dataset_id)
    with _explained(dataset_id, config, revision):
        builder = datasets.load_dataset_builder(path, config, revision=revision)
        datasets.disable_progress_bars()
        builder.download_and_prepare()
    if revision and COMMIT.fullmatch(revision) and builder.hash != revision:
        # Where the Hub can't be reached, `datasets` takes whatever version it has.
        raise Missing(
            f"Revision {revision} of {dataset_id} is not on this machine.",
            f"The Hub can't be reached, and only version {builder.hash} was downloaded before.",
            "Connect to the Hub, or leave out the revision.",
        )
    return builder


def _path(dataset_id: str) -> str:
    """What `datasets` is to load: never a folder that happens to have the same name, nor one of its own modules."""
    if Path(dataset_id).is_absolute():
        if not Path(dataset_id).is_dir():
            raise Missing(
                f"There is no folder {dataset_id}.", "A dataset is to be read from it.", "Check its spelling."
            )
        return dataset_id
    own_module = dataset_id.isidentifier() and importlib.util.find_spec(f"datasets.packaged_modules.{dataset_id}")
    if not DATASET_ID.fullmatch(dataset_id) or own_module:
        raise BadInput(
            f"'{dataset_id}' is no dataset on the Hub.",
            "A dataset's id is its owner and its name, as in tatsu-lab/alpaca.",
            "Copy the id from the dataset's page.",
        )
    return f"hf://datasets/{dataset_id}"


@contextmanager
def _explained(dataset_id: str, config: str | None, revision: str | None) -> Iterator[None]:
    """Turn what `datasets` raises into errors that say what to do."""
    import httpx
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, RuntimeError, TypeError, DatasetsError, httpx.HTTPError) as error:
        raise _explanation(error, dataset_id, config, revision) from error


def _explanation(error: Exception, dataset_id: str, config: str | None, revision: str | None) -> UserError:
    import datasets
    import httpx
    from datasets.exceptions import DatasetNotFoundError

    said = str(error)
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    reason = str(cause).strip().split("\n")[0]
    page = f"https://huggingface.co/datasets/{dataset_id}"
    full = disk_full(cause, str(datasets.config.HF_DATASETS_CACHE))
    if full:
        return full
    if "gated" in said:
        fix = f"Ask for access at {page}, then log in with `hf auth login`."
        return Missing(f"{dataset_id} is gated.", "Its owner gives access to single accounts only.", fix)
    if "Revision" in said and isinstance(error, DatasetNotFoundError):
        fix = f"See its versions at {page}/commits/main."
        return Missing(f"{dataset_id} has no revision {revision}.", "It is on the Hub, but not in that version.", fix)
    if isinstance(error, DatasetNotFoundError):
        fix = "Check its spelling; for a private one, log in with `hf auth login`."
        return Missing(f"There is no dataset {dataset_id} on the Hub.", "Or it is private, and not yours to see.", fix)
    if isinstance(error, ConnectionError | TimeoutError | httpx.TransportError):
        why = f"The Hub can't be reached, and the dataset was not downloaded before ({reason})."
        return Missing(
            f"{dataset_id} can't be downloaded.", why, "Check the connection, and that HF_HUB_OFFLINE is unset."
        )
    if "scripts are no longer supported" in said:
        why = f"It is made by a script ({said.split()[-1]}), which would run on this machine; no script is run."
        return BadInput(
            f"{dataset_id} is not read.", why, f"Try `revision: {CONVERTED}`, where the Hub keeps its rows."
        )
    configs = _configs(dataset_id, revision) if "onfig" in said else []
    if configs and config not in configs:
        what = f"has no configuration '{config}'" if config else f"has {len(configs)} configurations"
        why = f"They are {', '.join(configs)}; one at a time is read."
        return BadInput(f"{dataset_id} {what}.", why, "Name one of these as the configuration.")
    return BadInput(f"{dataset_id} can't be read.", f"{reason}.", "Check on its page that its viewer shows rows.")


def _configs(dataset_id: str, revision: str | None) -> list[str]:
    import datasets

    return list(datasets.get_dataset_config_names(_path(dataset_id), revision=revision))
