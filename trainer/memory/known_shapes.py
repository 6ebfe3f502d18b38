"""Shapes of well-known models by Hub id, so that an estimate needs no download: those of the catalogue.

A name without its `-Instruct`, `-it` or `-Base` has the same shape.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from models.catalogue.reader import CatalogueModel, catalogue
from models.shape import ModelShape

_VARIANTS = re.compile(r"(-(instruct|base|it|pt|chat|hf|bnb-4bit|unsloth))+(?=-v[\d.]+$|-\d{4}$|$)", re.IGNORECASE)


def known_shape(hub_id: str) -> ModelShape | None:
    """The shape of a well-known model; None for another. Copies under other owners have the same shape."""
    if hub_id == "embedded":
        hub_id = "HuggingFaceTB/SmolLM2-135M"
    return _shapes().get(_key(hub_id))


def known_ids() -> list[str]:
    """One Hub id for each size of the catalogue, smallest model first."""
    first: dict[str, CatalogueModel] = {}
    for model in catalogue():
        if model.kind == "base" or model.sibling is None:
            first.setdefault(_key(model.hub_id), model)
    return [model.hub_id for model in sorted(first.values(), key=lambda model: model.parameters)]


def shape_from_catalogue(model: CatalogueModel) -> ModelShape:
    """The shape that the memory estimate asks for."""
    return replace(model.shape, name=_VARIANTS.sub("", model.name))


@lru_cache(maxsize=1)
def _shapes() -> dict[str, ModelShape]:
    """By the name that all variants share."""
    return {_key(model.hub_id): shape_from_catalogue(model) for model in catalogue()}


@lru_cache(maxsize=512)
def _key(hub_id: str) -> str:
    """The name without its owner and variant, as copies of a model share it."""
    name = hub_id.lower().rsplit("/", 1)[-1].removeprefix("meta-")
    return _VARIANTS.sub("", name)
