"""Expansion: rows from a scenario's template, its parameters and constraints, without a model."""

from datasets_src.expansion.expand import Expansion, Refusal, expand, read_expansion
from datasets_src.expansion.spec import ExpansionSpec

__all__ = ["Expansion", "ExpansionSpec", "Refusal", "expand", "read_expansion"]
