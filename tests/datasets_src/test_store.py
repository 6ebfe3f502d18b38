"""Versions are immutable, complete or absent, and survive a kill and a full disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from datasets_src import store, write
from datasets_src.store import list_versions, open_version
from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.workspace import Workspace

from .conftest import BuildRows, Rows


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.iterdir())}


def test_a_version_holds_exactly_these_files(build_rows: BuildRows, sums: Rows, workspace: Workspace) -> None:
    version = build_rows(sums)
    names = {path.name for path in version.folder.iterdir()}
    assert names == {*store.FILES, "manifest.json"}
    assert version.folder == workspace.datasets / "toy" / version.version
    assert len(version.version) == 12
    assert (len(version.train()), len(version.eval())) == (version.train_rows, version.eval_rows)


def test_the_same_rows_are_the_same_version_and_are_not_written_again(build_rows: BuildRows, sums: Rows) -> None:
    version = build_rows(sums)
    before = snapshot(version.folder)
    assert build_rows(sums).id == version.id
    assert snapshot(version.folder) == before


def test_other_rows_are_another_version_and_the_first_stays(
    build_rows: BuildRows, sums: Rows, workspace: Workspace
) -> None:
    first = build_rows(sums)
    before = snapshot(first.folder)
    second = build_rows(sums[:150])
    assert second.id != first.id
    assert [version.id for version in list_versions(workspace, "toy")] == [second.id, first.id]
    assert snapshot(first.folder) == before


def test_the_latest_is_the_one_that_was_built_last_even_if_its_rows_were_there_before(
    build_rows: BuildRows, sums: Rows, workspace: Workspace
) -> None:
    first, second = build_rows(sums), build_rows(sums[:150])
    assert open_version(workspace, "toy").id == second.id
    build_rows(sums)
    assert open_version(workspace, "toy").id == first.id
    assert open_version(workspace, second.id).id == second.id


@pytest.mark.parametrize("reference", ["other", "toy@0123456789ab", "../toy", "", "@"])
def test_what_is_not_there_is_missing_and_the_error_says_what_is(
    reference: str, build_rows: BuildRows, sums: Rows, workspace: Workspace
) -> None:
    version = build_rows(sums)
    with pytest.raises(Missing) as error:
        open_version(workspace, reference)
    assert version.name in error.value.why or version.version in error.value.why


def test_an_empty_workspace_has_no_versions(workspace: Workspace) -> None:
    assert list_versions(workspace) == []
    with pytest.raises(Missing, match="no dataset 'toy'"):
        open_version(workspace, "toy")


@pytest.mark.parametrize("name", [*store.FILES, "manifest.json"])
def test_a_version_that_lacks_a_file_or_part_of_it_is_not_listed(
    name: str, build_rows: BuildRows, sums: Rows, workspace: Workspace
) -> None:
    damaged = build_rows([*sums, sums[0]])  # the copy is left out, so that every file holds something
    whole = build_rows(sums[:150])
    content = (damaged.folder / name).read_bytes()
    (damaged.folder / name).write_bytes(content[:-5])
    assert [version.id for version in list_versions(workspace)] == [whole.id]
    (damaged.folder / name).unlink()
    assert [version.id for version in list_versions(workspace)] == [whole.id]
    # Building the same rows again mends it.
    assert build_rows(sums).id == damaged.id
    assert len(list_versions(workspace)) == 2
    assert (damaged.folder / name).exists()


def test_a_version_whose_rows_were_edited_is_refused(build_rows: BuildRows, sums: Rows, workspace: Workspace) -> None:
    version = build_rows(sums)
    train = version.folder / "train.jsonl"
    train.write_bytes(train.read_bytes().replace(b"What is", b"Who was"))
    with pytest.raises(BadInput, match="was changed after it was built"):
        open_version(workspace, version.id)


def test_a_full_disk_leaves_earlier_versions_and_nothing_else(
    build_rows: BuildRows, sums: Rows, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = build_rows(sums)
    before = snapshot(earlier.folder)
    whole_write = write.write_lines

    def fills_the_disk(path: Path, lines: Iterator[bytes], digest: Any) -> None:
        whole_write(path, islice(lines, 3), digest)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(write, "write_lines", fills_the_disk)
    with pytest.raises(OutOfRoom, match=r"train\.jsonl") as error:
        build_rows(sums[:100])
    assert "Free some space" in error.value.fix
    assert [version.id for version in list_versions(workspace)] == [earlier.id]
    assert snapshot(earlier.folder) == before
    assert not list((workspace.datasets / "toy").glob("*.part"))


def test_too_little_room_is_seen_before_anything_is_written(
    build_rows: BuildRows, sums: Rows, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(workspace.root.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutOfRoom, match="Writing the dataset toy needs"):
        build_rows(sums)
    assert list_versions(workspace) == []


KILLED_BUILD = """
import os, signal, sys
from pathlib import Path
from datasets_src import store, write
from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.workspace import Workspace

def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(store, sys.argv[3], killed)
build(DatasetSpec.parse({"name": "toy", "sources": [{"path": sys.argv[1]}]}), Workspace(Path(sys.argv[2])))
"""


@pytest.mark.parametrize("moment", ["write_description", "write_json", "publish_folder"])
def test_a_build_killed_in_the_middle_leaves_no_version_and_the_next_build_clears_up(
    moment: str, build_rows: BuildRows, sums: Rows, workspace: Workspace, tmp_path: Path
) -> None:
    earlier = build_rows(sums[:100])
    path = tmp_path / "killed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in sums), encoding="utf-8")
    command = [sys.executable, "-c", KILLED_BUILD, str(path), str(workspace.root), moment]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(list((workspace.datasets / "toy").glob(".*.part"))) == 1
    assert [version.id for version in list_versions(workspace)] == [earlier.id]
    later = build_rows(sums)
    assert [version.id for version in list_versions(workspace)] == [later.id, earlier.id]
    assert not list((workspace.datasets / "toy").glob(".*.part"))
