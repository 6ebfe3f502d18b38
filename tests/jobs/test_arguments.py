"""Options by dotted names, alone or over a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.arguments import spec_values
from jobs.errors import BadInput


def test_dotted_names_become_groups_and_values_are_read_as_yaml() -> None:
    values, where = spec_values(["--data", "snake", "--method.rank", "8", "--models", "[embedded, job:1]"])
    assert values == {"data": "snake", "method": {"rank": 8}, "models": ["embedded", "job:1"]}
    assert where == "the command line"


def test_options_go_over_the_file_group_by_group(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("data: snake\nmethod: {rank: 4, alpha: 8}\n")
    values, where = spec_values([str(path), "--method.rank", "16"])
    assert values == {"data": "snake", "method": {"rank": 16, "alpha": 8}}
    assert where == str(path)


@pytest.mark.parametrize("arguments", [["--rank"], ["--rank", "4", "loose"]])
def test_an_option_without_a_value_is_refused(arguments: list[str]) -> None:
    with pytest.raises(BadInput, match=r"can.t be read"):
        spec_values(arguments)
