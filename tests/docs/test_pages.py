"""The tutorial and the tabs' pages: pictures and links lead somewhere, commands and what is pressed exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from cli.main import app
from docs.screenshots import TABS

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = [DOCS / "tutorial.md", DOCS / "extending.md", *sorted((DOCS / "tabs").glob("*.md"))]
COMMAND = re.compile(r"^python cli\.py ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)


def test_every_tab_has_its_page_and_its_picture() -> None:
    assert {path.stem for path in (DOCS / "tabs").glob("*.md")} == set(TABS)
    assert {path.stem for path in (DOCS / "pictures").glob("*.png")} == set(TABS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


def test_what_a_page_says_in_bold_stands_on_the_hearth_page() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "ui").rglob("*.py"))
    for page in (path for path in PAGES if path.stem != "extending"):
        bold = re.findall(r"\*\*([^*]+)\*\*", page.read_text(encoding="utf-8"))
        assert [each for each in bold if each.replace("\n", " ") not in code] == [], page.name


def test_the_commands_exist() -> None:
    found = {words for page in PAGES for words in COMMAND.findall(page.read_text(encoding="utf-8"))}
    assert found
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for first, second in found:
        # Where a command has commands of its own, what follows has to be one of them.
        assert second in getattr(commands[first], "commands", {second: None}), f"{first} {second}"
