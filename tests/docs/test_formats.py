"""The documented formats are what the code makes of them."""

from __future__ import annotations

import pytest

from datasets_src.formats import FORMATS
from docs.formats import EXAMPLES, Example, converted


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_an_example_is_recognised_as_what_it_stands_under(example: Example) -> None:
    detection, row = converted(example)
    assert detection.format is not None
    assert detection.format.name == example.format
    assert set(row) & {"messages", "prompt", "text"}


def test_every_format_has_an_example() -> None:
    assert {known.name for known in FORMATS} == {example.format for example in EXAMPLES}
