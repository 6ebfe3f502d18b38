"""Which served model answers a request, and what happens when that one fails. Knows nothing of HTTP."""

from serving.router.decision import Decision, headers
from serving.router.question import Question
from serving.router.router import NoAnswer, RoutedAnswer, Router
from serving.router.spec import AUTO, RouterSpec

__all__ = ["AUTO", "Decision", "NoAnswer", "Question", "RoutedAnswer", "Router", "RouterSpec", "headers"]
