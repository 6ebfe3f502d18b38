"""RecipeSpec: which whole example is run, and how large."""

from __future__ import annotations

from jobs.spec import Spec, option


class RecipeSpec(Spec):
    """A recipe from nothing to its verdict on the model that comes with Hearth."""

    name: str = option(
        "snake", label="Example", help="A recipe's name, such as snake or tactical.", depth="essential", min_length=1
    )
    rows: int | None = option(
        None, label="Size", help="Of its data, as its README measures it; empty for its own.", ge=50, le=1_000_000
    )
