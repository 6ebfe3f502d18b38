"""Experiments: served models compared on the people who use them, with results that may be looked at any time."""

from serving.experiments.analysis import Comparison, arm_counts, compare
from serving.experiments.assignment import arm_of
from serving.experiments.experiment import Assignment, Experiment, Stop
from serving.experiments.guardrails import Breach, watch
from serving.experiments.outcomes import Outcome
from serving.experiments.spec import Arm, ExperimentSpec, Guardrails
from serving.experiments.store import Experiments

__all__ = [
    "Arm",
    "Assignment",
    "Breach",
    "Comparison",
    "Experiment",
    "ExperimentSpec",
    "Experiments",
    "Guardrails",
    "Outcome",
    "Stop",
    "arm_counts",
    "arm_of",
    "compare",
    "watch",
]
