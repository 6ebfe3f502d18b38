"""Votes as numbers: who met whom, who won, and which votes hang together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from datasets_src.interactions.records import Vote


@dataclass(frozen=True)
class Table:
    """`first`, `second`: numbers of the models on the left and right of each vote; `scores`: what the left one got, 1,
    0.5 or 0; `units`: votes of one conversation have the same number and are resampled together."""

    models: list[str]
    first: Any
    second: Any
    scores: Any
    units: Any

    def wins(self, weights: Any) -> Any:
        """How often row beat column, (tables, models, models), for each row of `weights` (tables, units)."""
        import numpy as np

        count = len(self.models)
        cells = np.zeros((int(self.units.max()) + 1, count * count))
        np.add.at(cells, (self.units, self.first * count + self.second), self.scores)
        np.add.at(cells, (self.units, self.second * count + self.first), 1 - self.scores)
        return (weights @ cells).reshape(-1, count, count)


def tabulate(votes: Sequence[Vote]) -> Table:
    """At least one vote, each between two different models."""
    import numpy as np

    models = sorted({model for vote in votes for model in (vote.model_a, vote.model_b)})
    places = {model: place for place, model in enumerate(models)}
    units: dict[Hashable, int] = {}
    points = {"a": 1.0, "b": 0.0, "tie": 0.5, "bad": 0.5}
    return Table(
        models=models,
        first=np.array([places[vote.model_a] for vote in votes]),
        second=np.array([places[vote.model_b] for vote in votes]),
        scores=np.array([points[vote.preferred] for vote in votes]),
        units=np.array(
            [
                units.setdefault(number if vote.conversation is None else vote.conversation, len(units))
                for number, vote in enumerate(votes)
            ]
        ),
    )
