"""Checks of rows against one another, and of training rows against what the model is judged by. The build does them."""

from __future__ import annotations

from datasets_src.checks.check import Check

EXACT_DUPLICATE = Check(
    "exact_duplicate",
    "Equal rows",
    "Rows that are equal in every turn (runs of spaces and line ends count as one space). One of them stays; copies "
    "would only weigh more.",
    "between rows",
    "drop",
)
NEAR_DUPLICATE = Check(
    "near_duplicate",
    "Nearly equal rows",
    "Rows that differ from another one in a few words only. They always stay in one part, so that nothing leaks into "
    "the evaluation; dropping leaves the first of each cluster.",
    "between rows",
    "keep",
)
CONTRADICTION = Check(
    "contradiction",
    "Different answers to the same prompt",
    "Where several answers are right that is normal. Where only one is, the model can't learn which; dropping leaves "
    "the most frequent answer (the first of equally frequent ones).",
    "between rows",
    "keep",
)
LEAKAGE = Check(
    "leakage",
    "Training rows that give evaluation rows away",
    "The sources' own split puts a row into training whose prompt, group or near-duplicate is in the evaluation part: "
    "the model would be judged by what it has seen. Dropping takes them out of training.",
    "between rows",
    "drop",
)
CONTAMINATION = Check(
    "contamination",
    "Rows that overlap with what to keep clear of",
    "They share 12 words in a row with a file or dataset named under “Keep clear of”, such as a benchmark. A model "
    "trained on them can no longer be judged by it.",
    "between rows",
    "drop",
)

SHARED_PASSAGE = Check(
    "shared_passage",
    "Training rows that share a passage with evaluation rows",
    "They share 12 words in a row. Rows made from one template do so by design, and rows with a common system text or "
    "list; for others, the model may be judged by what it has seen. Dropping takes them out of training.",
    "between rows",
    "keep",
)

CHECKS = (EXACT_DUPLICATE, NEAR_DUPLICATE, CONTRADICTION, LEAKAGE, CONTAMINATION, SHARED_PASSAGE)
