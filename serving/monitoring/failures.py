"""Failed requests by group, and whether a group's fail more often than the rest's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.intervals import wilson_interval
from jobs.workspace import Workspace
from serving.monitoring.chats import LENGTHS, LONGER, NO_TAG, UNKNOWN_LANGUAGE, UNKNOWN_LENGTH, Group
from serving.monitoring.columns import Columns, read_columns
from serving.monitoring.differences import CONFIDENCE, Difference, Share

# With fewer failures in all nothing is said of a difference.
FEWEST_FAILURES = 5


@dataclass(frozen=True)
class Failures:
    """The requests of a window: the place of each one's group in `names`, its hour, whether it failed (arrays)."""

    names: tuple[str, ...]
    codes: Any
    hours: Any
    failed: Any

    def counts(self) -> dict[str, int]:
        """How many requests each group had."""
        import numpy as np

        return dict(zip(self.names, np.bincount(self.codes, minlength=len(self.names)).tolist(), strict=True))

    def share(self, name: str) -> Share | None:
        """The share of a group's requests that failed; None when it had none."""
        count = self.counts().get(name, 0)
        if count == 0:
            return None
        failed = int(self.failed[self.codes == self.names.index(name)].sum())
        return Share(failed / count, count, wilson_interval(failed, count, CONFIDENCE))

    def merged(self, kept: Sequence[str], others: str) -> Failures:
        """With all groups but some as one, which is called `others`."""
        import numpy as np

        names = (*(name for name in kept if name in self.names), others)
        places = np.array([names.index(name) if name in names else len(names) - 1 for name in self.names], dtype=int)
        return Failures(names, places[self.codes] if len(places) else self.codes, self.hours, self.failed)

    def differences(self) -> list[Difference]:
        """Each group against the rest, where there are failures enough."""
        if int(self.failed.sum()) < FEWEST_FAILURES:
            return []
        found = []
        for number, name in enumerate(self.names):
            here = self.codes == number
            if here.any() and not here.all():
                inside, outside = (100 * float(self.failed[part].mean()) for part in (here, ~here))
                said = f"{name}: requests fail more often than the rest, {inside:.1f} % against {outside:.1f} %"
                p_value = same_odds_p_value(here, self.failed, self.hours)
                found.append(Difference(name, p_value, inside > outside, said))
        return found


def read_failures(workspace: Workspace, group: Group, since: float, until: float) -> Failures:
    """The requests between two times (seconds since 1970)."""
    import numpy as np

    columns = read_columns(workspace, since, until, ["tag" if group == "length" else group])
    if columns is None:
        empty = np.array([], dtype=int)
        return Failures((), empty, empty, empty.astype(bool))
    if group == "length":
        names, codes = _lengths(columns)
    else:
        unnamed = NO_TAG if group == "tag" else UNKNOWN_LANGUAGE
        names, codes = tuple(found or unnamed for (found,) in columns.groups), columns.codes
    return Failures(names, codes, columns.hours, columns.status >= 500)


def same_odds_p_value(group: Any, failed: Any, strata: Any) -> float:
    """Two-sided p-value of failing as often inside a group as outside, compared within each stratum (arrays of items).

    The test of Cochran (1954), Mantel and Haenszel (1959) with continuity correction. Within an hour, an outage hits
    whoever asks then: it is no difference between groups that ask at different hours.
    """
    import numpy as np
    from scipy.special import chdtrc

    _, places = np.unique(strata, return_inverse=True)
    total = np.bincount(places).astype(float)
    inside = np.bincount(places, weights=group)
    failures = np.bincount(places, weights=failed)
    both = np.bincount(places, weights=group & failed)
    expected = inside * failures / total
    spread = expected * (total - inside) * (total - failures) / (total * np.maximum(total - 1, 1))
    if spread.sum() == 0:
        return 1.0
    excess = max(0.0, abs(float((both - expected).sum())) - 0.5)
    return float(chdtrc(1, excess**2 / spread.sum()))


def _lengths(columns: Columns) -> tuple[tuple[str, ...], Any]:
    import numpy as np

    names = (UNKNOWN_LENGTH, *(name for _, name in LENGTHS), LONGER)
    ends = [most for most, _ in LENGTHS]
    return names, np.searchsorted([-1, *ends], columns.prompt_tokens, side="left")
