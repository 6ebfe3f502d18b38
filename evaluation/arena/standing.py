"""`standing`: from explicit votes between two answers to ratings with intervals, and how many more votes are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp
from typing import Any

import numpy as np

from datasets_src.interactions.records import Vote
from evaluation.arena.bias import length_view, order_bias
from evaluation.arena.ratings import SCALE, components, is_separated, ratings
from evaluation.arena.records import ArenaStanding, Lead, LengthView, Pair, Rating
from evaluation.arena.table import Table, tabulate
from evaluation.intervals import wilson_interval
from evaluation.significance import POWER

RESAMPLES = 1000
# With fewer conversations (votes, where none is given), resampling them shows no spread worth telling.
FEWEST_UNITS = 10


@dataclass(frozen=True)
class Rated:
    """One component: places of its models, their ratings, and those of each resample (None with too few votes)."""

    places: list[int]
    ratings: Any
    resampled: Any | None


def standing(votes: Sequence[Vote], *, confidence: float, seed: int) -> ArenaStanding:
    """Where the models of these votes stand.

    Ties and "both bad" count half to each. Intervals come from resampling votes (whole conversations where given).
    Votes between a model and itself say nothing and are left out.
    """
    used = [vote for vote in votes if vote.model_a != vote.model_b]
    if not used:
        order = order_bias(used, confidence)
        none = LengthView({}, None, None, "No votes yet.")
        return ArenaStanding(0, 0, confidence, [], [], [], [], None, order, none, ["There are no votes yet."])
    table = tabulate(used)
    wins = table.wins(np.ones((1, int(table.units.max()) + 1)))[0]
    found = _rate(table, wins, seed)
    leads = [lead for rated in found for lead in _leads(table, rated, confidence)]
    return ArenaStanding(
        votes=len(used),
        blind_votes=sum(vote.blind for vote in used),
        confidence=confidence,
        ratings=[
            rating for number, rated in enumerate(found) for rating in _ratings(used, table, rated, number, confidence)
        ],
        components=[[table.models[place] for place in rated.places] for rated in found],
        pairs=_pairs(used, confidence),
        leads=leads,
        lead=leads[0],
        order=order_bias(used, confidence),
        length=length_view(used, table, found[0].places),
        notes=_notes(used, len(votes) - len(used), table, wins, found),
    )


def _rate(table: Table, wins: Any, seed: int) -> list[Rated]:
    """The components, the one with most votes first; each one's models from the best to the worst."""
    units = int(table.units.max()) + 1
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(units, np.full(units, 1 / units), RESAMPLES)
    resampled = table.wins(weights) if units >= FEWEST_UNITS else None
    met = (wins + wins.T) > 0
    found = []
    for places in sorted(components(met), key=lambda each: -wins[np.ix_(each, each)].sum()):
        chosen = np.ix_(range(1), places, places)
        rated = ratings(wins[None][chosen], met[np.ix_(places, places)])[0]
        order = np.argsort(-rated, kind="stable")
        spread = None
        if resampled is not None:
            spread = ratings(resampled[np.ix_(range(RESAMPLES), places, places)], met[np.ix_(places, places)])[:, order]
        found.append(Rated([places[place] for place in order], rated[order], spread))
    return found


def _ratings(votes: Sequence[Vote], table: Table, rated: Rated, number: int, confidence: float) -> list[Rating]:
    lines = []
    for column, place in enumerate(rated.places):
        model = table.models[place]
        low, high = _ends(None if rated.resampled is None else rated.resampled[:, column], confidence)
        results = [_result(vote, model) for vote in votes]
        counts = {result: results.count(result) for result in ("won", "lost", "tied")}
        value = float(rated.ratings[column])
        lines.append(Rating(model, value, low, high, counts["won"], counts["lost"], counts["tied"], number))
    return lines


def _result(vote: Vote, model: str) -> str | None:
    """Won, lost or tied (both bad included); None where the model took no part."""
    if model not in (vote.model_a, vote.model_b):
        return None
    if vote.preferred in ("tie", "bad"):
        return "tied"
    return "won" if (vote.preferred == "a") == (vote.model_a == model) else "lost"


def _ends(values: Any | None, confidence: float) -> tuple[float | None, float | None]:
    """Percentiles of resampled values."""
    if values is None:
        return None, None
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _pairs(votes: Sequence[Vote], confidence: float) -> list[Pair]:
    gathered: dict[tuple[str, str], list[str]] = {}
    for vote in votes:
        swapped = vote.model_a > vote.model_b
        first, second = sorted((vote.model_a, vote.model_b))
        result = {"a": "b", "b": "a"}.get(vote.preferred, vote.preferred) if swapped else vote.preferred
        gathered.setdefault((first, second), []).append(result)
    pairs = []
    for (first, second), results in sorted(gathered.items()):
        won, lost, tied, bad = (results.count(result) for result in ("a", "b", "tie", "bad"))
        points = won + 0.5 * (tied + bad)
        interval = wilson_interval(points, len(results), confidence)
        share = points / len(results)
        pairs.append(Pair(first, second, won, lost, tied, bad, share, interval.low, interval.high))
    return pairs


def _leads(table: Table, rated: Rated, confidence: float) -> list[Lead]:
    """Every pair of a component, the better model first."""
    leads = []
    for ahead in range(len(rated.places)):
        for behind in range(ahead + 1, len(rated.places)):
            points = float(rated.ratings[ahead] - rated.ratings[behind])
            spread = None if rated.resampled is None else rated.resampled[:, ahead] - rated.resampled[:, behind]
            names = (table.models[rated.places[ahead]], table.models[rated.places[behind]])
            leads.append(_lead(names, points, spread, confidence))
    return leads


def _lead(names: tuple[str, str], points: float, spread: Any | None, confidence: float) -> Lead:
    low, high = _ends(spread, confidence)
    settled = low is not None and low > 0
    more = 0 if settled else _more_votes(points, spread, confidence)
    sentence = _lead_in_words(names, points, low, high, settled, more, confidence)
    return Lead(names[0], names[1], points, low, high, settled, more, sentence)


def _more_votes(points: float, spread: Any | None, confidence: float) -> int | None:
    """Votes between the two that are needed to settle a lead of that many points with 80 % probability.

    A vote adds the information p(1-p) on the difference of strengths d (of which what is there is 1/variance); wanted
    is ((z_{1-α/2} + z_{0.8}) / d)². None where they are level, or nothing shows the spread.
    """
    from scipy.special import ndtri

    difference = points / SCALE
    if spread is None or difference < 1e-6 or float(np.var(spread)) == 0.0:
        return None
    wanted = (float(ndtri((1 + confidence) / 2) + ndtri(POWER)) / difference) ** 2
    known = SCALE**2 / float(np.var(spread))
    share = 1 / (1 + exp(-difference))
    return max(1, ceil((wanted - known) / (share * (1 - share))))


def _lead_in_words(
    names: tuple[str, str],
    points: float,
    low: float | None,
    high: float | None,
    settled: bool,
    more: int | None,
    confidence: float,
) -> str:
    first, second = names
    if low is None or high is None:
        return f"Too few votes to say whether {first} is better than {second}."
    spread = f"{100 * confidence:.3g}% interval {low:.0f} to {high:.0f}"
    if settled:
        return f"Settled: {first} is better than {second} by {points:.0f} points ({spread})."
    if more is None:
        return f"{first} and {second} are level ({spread}): while they are, no number of votes settles it."
    return (
        f"Not settled: {first} is ahead of {second} by {points:.0f} points ({spread}). About {_rounded(more):,} more "
        "votes between the two would settle it, if the lead stays as it is."
    )


def _rounded(count: int) -> int:
    """Two significant digits, upwards: an estimate should look like one."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step


def _notes(votes: Sequence[Vote], left_out: int, table: Table, wins: Any, found: Sequence[Rated]) -> list[str]:
    notes = []
    if len(found) > 1:
        groups = "; ".join(", ".join(table.models[place] for place in rated.places) for rated in found)
        notes.append(f"No votes link these groups of models, so ratings compare only within each: {groups}.")
    for rated in found:
        if is_separated(wins[np.ix_(rated.places, rated.places)]):
            names = ", ".join(table.models[place] for place in rated.places)
            notes.append(
                f"Some of {names} won or lost every vote against the others: ratings are computed as if each pair that "
                "met had one tie more."
            )
    open_votes = sum(not vote.blind for vote in votes)
    if open_votes:
        notes.append(f"{open_votes:,} of {len(votes):,} votes were given with the models' names in sight.")
    if left_out:
        notes.append(f"{left_out:,} votes between a model and itself are left out.")
    return notes
