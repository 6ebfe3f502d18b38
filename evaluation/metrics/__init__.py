"""Per-item metrics: what an answer, or how well a model predicts one, is worth. `METRICS` lists them."""

from evaluation.metrics.losses import ItemLoss, Window, conversation_losses, loss_batches, perplexity
from evaluation.metrics.registry import METRICS, Metric, higher_is_better, majority
from evaluation.metrics.texts import CorpusScore, contains, exact_match, token_f1

__all__ = [
    "METRICS",
    "CorpusScore",
    "ItemLoss",
    "Metric",
    "Window",
    "contains",
    "conversation_losses",
    "exact_match",
    "higher_is_better",
    "loss_batches",
    "majority",
    "perplexity",
    "token_f1",
]
