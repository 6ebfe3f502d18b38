"""The registry: every tuned model with its versions, where each came from, how good it is, and which one is in use."""

from serving.registry.records import Change, Evidence, Lineage, Stage, Version
from serving.registry.store import Registry, resolve_registered

__all__ = ["Change", "Evidence", "Lineage", "Registry", "Stage", "Version", "resolve_registered"]
