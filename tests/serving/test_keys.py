"""API keys: shown once, kept as hashes, revoked at once."""

from __future__ import annotations

import pytest

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.keys import Keys


def test_a_key_is_found_until_it_is_revoked_and_is_nowhere_on_disk(workspace: Workspace) -> None:
    keys = Keys(workspace)
    key = keys.create("Ada", requests_per_minute=5)
    found = keys.find(key)
    assert found is not None
    assert (found.name, found.requests_per_minute, found.ending) == ("Ada", 5, key[-4:])
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert files
    assert not any(key.encode() in path.read_bytes() for path in files)
    keys.revoke("Ada")
    assert keys.find(key) is None
    assert [each.revoked is not None for each in keys.all()] == [True]


def test_wrong_keys_are_not_found(workspace: Workspace) -> None:
    keys = Keys(workspace)
    key = keys.create("Ada")
    assert [keys.find(text) for text in ("", "hearth-", key[:-1], key + "x", key.upper())] == [None] * 5


def test_names_are_given_once_and_hold_no_control_characters(workspace: Workspace) -> None:
    keys = Keys(workspace)
    keys.create("Ada")
    with pytest.raises(BadInput, match="There is a key"):
        keys.create("Ada")
    with pytest.raises(BadInput, match="can't name a key"):
        keys.create("Ada\nBob")
    with pytest.raises(Missing):
        keys.revoke("Bob")
