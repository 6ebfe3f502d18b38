"""What the page's style sheets may hold, given what Gradio makes of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ui.theme import CSS

BLOCK = re.compile(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}")
OUTSIDE = re.compile(r"(^|[\s,>])(html|body|:root|\.dark|\.gradio-container)\b")


@pytest.mark.parametrize("path", CSS, ids=lambda path: path.stem)
def test_within_media_every_selector_still_means_something_below_gradios_container(path: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("@media")
    for selectors in re.findall(r"([^{}]+)\{[^{}]*\}", "".join(blocks)):
        assert not OUTSIDE.search(selectors), selectors
        assert not re.search(r":(is|where|not|has)\([^)]*,", selectors), f"{selectors}: it would be cut at the comma"
