"""Checks of lengths: in the chosen model's tokens, and against the other rows. The build computes them."""

from __future__ import annotations

from datasets_src.checks.check import Check

TEMPLATE_REFUSES = Check(
    "template_refuses",
    "Rows that the model's chat template refuses",
    "The chosen model's own template can't write these rows, for example because it knows no tools; training on them "
    "would stop there.",
    "length",
    "stop",
)
NOTHING_TRAINED = Check(
    "nothing_trained",
    "Nothing left to learn at this context length",
    "The prompt alone fills the context length, so that the whole answer is cut off and the row teaches nothing.",
    "length",
    "drop",
)
ANSWER_CUT = Check(
    "answer_cut",
    "Answers cut by the context length",
    "The end of the answer lies beyond the context length. The model would learn answers that break off; raise the "
    "context length, or drop these rows.",
    "length",
    "keep",
)
LENGTH_OUTLIER = Check(
    "length_outlier",
    "Unusual lengths",
    "Rows far shorter or longer than the others (more than five deviations from the middle, on a scale of ratios). "
    "They may be fine, or cut off, or several rows in one.",
    "length",
    "keep",
)

CHECKS = (TEMPLATE_REFUSES, NOTHING_TRAINED, ANSWER_CUT, LENGTH_OUTLIER)
