"""What else may have decided the votes: the side on which an answer stood, and its length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import exp
from typing import Any

import numpy as np

from datasets_src.interactions.records import Vote
from evaluation.arena.ratings import CENTRE, SCALE
from evaluation.arena.records import LengthView, OrderBias
from evaluation.arena.table import Table
from evaluation.intervals import wilson_interval
from evaluation.verdict import told_p_value

# (2 - 1) / (2 + 1): the length difference of two answers of which one is twice as long, as the regression has it.
TWICE_AS_LONG = 1 / 3
# Logits that no finite number of votes shows: some of them are separated by model or length.
SEPARATED = 15.0


def order_bias(votes: Sequence[Vote], confidence: float) -> OrderBias:
    """Whether the left answer wins more (or less) often than the right one; ties and "both bad" say nothing of it."""
    from scipy.stats import binomtest

    left, right = (sum(vote.preferred == side for vote in votes) for side in ("a", "b"))
    shuffled = _is_shuffled(votes, 1 - confidence)
    if left + right == 0:
        return OrderBias(0, 0, None, None, None, None, shuffled, "No vote was for one of two answers yet.")
    interval = wilson_interval(left, left + right, confidence)
    p_value = float(binomtest(left, left + right, 0.5).pvalue)
    share = left / (left + right)
    found = f"The left answer won {left} of {left + right} decided votes ({_percent(share)}, {told_p_value(p_value)})"
    if p_value > 1 - confidence:
        verdict = "no preference for a side is shown"
    else:
        verdict = f"the {'left' if share > 0.5 else 'right'} side is preferred"
    doubt = (
        "" if shuffled else " But models kept to one side more often than chance would have it: a better model there"
    )
    doubt += "" if shuffled else " can't be told from a better side. Blind votes shuffle the sides."
    return OrderBias(left, right, share, interval.low, interval.high, p_value, shuffled, f"{found}: {verdict}.{doubt}")


def _is_shuffled(votes: Sequence[Vote], level: float) -> bool:
    """Whether no pair of models kept its sides more than chance allows (exact binomial tests, Bonferroni)."""
    from scipy.stats import binomtest

    met = Counter(tuple(sorted((vote.model_a, vote.model_b))) for vote in votes)
    kept = Counter((vote.model_a, vote.model_b) for vote in votes if vote.model_a < vote.model_b)
    lowest = min(
        (float(binomtest(kept[pair[0], pair[1]], count, 0.5).pvalue) for pair, count in met.items()), default=1
    )
    return lowest * len(met) > level


def length_view(votes: Sequence[Vote], table: Table, component: Sequence[int]) -> LengthView:
    """Bradley-Terry ratings with the answers' lengths as a covariate, of one component's models.

    Logistic regression of the vote on the models and on (length of a - length of b) / (length of a + length of b), as
    LMSYS control for style: "Does style matter? Disentangling style and substance in Chatbot Arena" (2024). The p-value
    is Wald's, clustered by conversation.
    """
    inside = np.isin(table.first, component)
    if len(component) < 2 or not inside.any():
        return LengthView({}, None, None, "Length can only be held equal between models that met.")
    lengths = np.array([[len(vote.answer_a), len(vote.answer_b)] for vote in votes])[inside]
    differences = (lengths[:, 0] - lengths[:, 1]) / np.maximum(lengths.sum(1), 1)
    design = _sides(table, component)[inside]
    # The first model is the zero point; the others and the length are estimated.
    columns = np.column_stack([design[:, 1:], differences])
    if np.linalg.matrix_rank(columns) < columns.shape[1]:
        return LengthView({}, None, None, "Lengths don't vary apart from the models: they can't be told apart yet.")
    fitted = _regression(table.scores[inside], columns, table.units[inside])
    if fitted is None:
        return LengthView({}, None, None, "Too few votes to tell the length of an answer from its model.")
    strengths = np.concatenate([[0.0], fitted.params[:-1]])
    rated = CENTRE + SCALE * (strengths - strengths.mean())
    longer = 1 / (1 + exp(-float(fitted.params[-1]) * TWICE_AS_LONG))
    p_value = float(fitted.pvalues[-1])
    sentence = (
        f"Beside the ratings stand those with lengths held equal. Between equal models, an answer twice as long "
        f"would win {_percent(longer)} of the votes ({told_p_value(p_value)})."
    )
    names = [table.models[place] for place in component]
    return LengthView(
        dict(zip(names, (float(value) for value in rated), strict=True)), float(longer), p_value, sentence
    )


def _sides(table: Table, component: Sequence[int]) -> Any:
    """(votes, models): 1 for the model on the left, -1 for that on the right."""
    return np.array([(table.first == place) * 1.0 - (table.second == place) for place in component]).T


def _regression(scores: Any, columns: Any, units: Any) -> Any | None:
    """statsmodels' logistic regression with clustered errors; None where the votes are separated, so none exists."""
    import warnings

    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationError, PerfectSeparationWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PerfectSeparationWarning)
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fitted = GLM(scores, columns, family=Binomial()).fit(cov_type="cluster", cov_kwds={"groups": units})
        except (PerfectSeparationWarning, ConvergenceWarning, PerfectSeparationError, np.linalg.LinAlgError):
            return None
    usable = np.isfinite(fitted.pvalues).all() and np.abs(fitted.params).max() < SEPARATED
    return fitted if fitted.converged and usable else None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
