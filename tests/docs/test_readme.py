"""The README's generated parts are what the code says, its links lead somewhere, its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.readme import current, described_files

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_generated_parts_are_current() -> None:
    for path, text in current().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python -m docs.readme"


def test_every_file_says_what_it_is() -> None:
    silent = [path for path, line in described_files().items() if not line]
    assert silent == []


def test_links_to_files_lead_somewhere() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (PROJECT / target).exists()] == []


def test_the_front_matter_makes_it_a_space() -> None:
    import yaml

    front = yaml.safe_load(README.split("---")[1])
    assert (front["sdk"], front["app_file"]) == ("gradio", "app.py")
    installed = __import__("importlib.metadata").metadata.version("gradio")
    assert installed.split(".")[0] == str(front["sdk_version"]).split(".")[0]


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"^\s*python cli\.py ([a-z]+(?: [a-z]+)?)", README, re.MULTILINE)))
)
def test_commands_in_the_readme_exist(command: str) -> None:
    words = command.split() if command.split()[0] in ("data", "jobs") else command.split()[:1]
    done = subprocess.run([sys.executable, "cli.py", *words, "--help"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"^\s*make ([a-z-]+)", README, re.MULTILINE)):
        assert f"\n{target}:" in makefile


def test_dataset_specs_in_the_readme_are_valid() -> None:
    import yaml

    from datasets_src.spec import DatasetSpec

    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "sources:" in block]
    assert blocks
    for block in blocks:
        DatasetSpec.parse(yaml.safe_load(block))
