"""Reads catalogue.yaml: every model with its family's and size's facts, as one flat record."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from models.shape import ModelShape

PATH = Path(__file__).with_name("catalogue.yaml")
Kind = Literal["base", "instruct"]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variant(_Facts):
    """One repository on the Hub."""

    id: str
    four_bit: str | None
    bits: int | None
    embedded: bool = False


class Size(_Facts):
    """One size of a family; what it says itself goes before what its family says. `shape`: fields of ModelShape."""

    parameters: int
    context: int | None
    shape: dict[str, Any]
    licence: str | None = None
    languages: tuple[str, ...] | None = None
    languages_total: int | None = None
    base: Variant | None = None
    instruct: Variant | None = None


class Family(_Facts):
    """Models of one name."""

    name: str
    licence: str
    gated: bool | None
    languages: tuple[str, ...] | None
    languages_total: int | None = None
    sizes: tuple[Size, ...]


class CatalogueModel(_Facts):
    """A model of the catalogue. None: not known.

    `gated`: its owner wants terms accepted first; `sibling`: the Hub id of the same size in the other kind;
    `languages_total`: how many languages there are where `languages` names only some of them.
    """

    hub_id: str
    family: str
    kind: Kind
    parameters: int
    licence: str
    context: int | None
    gated: bool | None
    languages: tuple[str, ...] | None
    languages_total: int | None
    four_bit: str | None
    bits: int | None
    sibling: str | None
    embedded: bool
    shape: ModelShape

    @property
    def ref(self) -> str:
        """How specs name it."""
        return "embedded" if self.embedded else self.hub_id

    @property
    def name(self) -> str:
        """Without its owner."""
        return self.hub_id.rpartition("/")[2]

    @property
    def download_bytes(self) -> int | None:
        """Bytes of its weights; tokenizer and the like add a few MB. The Hub tells it exactly when it is fetched."""
        return None if self.bits is None else self.parameters * self.bits // 8

    def speaks(self, language: str) -> bool | None:
        """Whether its card names `language` (a code such as de); None where it names none, or not all."""
        if self.languages is not None and language in self.languages:
            return True
        return None if self.languages is None or self.languages_total else False


@lru_cache(maxsize=1)
def catalogue() -> tuple[CatalogueModel, ...]:
    """All models, in the file's order."""
    families = [Family.model_validate(each) for each in yaml.safe_load(PATH.read_text(encoding="utf-8"))["families"]]
    return tuple(model for family in families for size in family.sizes for model in _models(family, size))


def find(ref: str) -> CatalogueModel | None:
    """The model of that Hub id, or `embedded`; None for one that isn't in the catalogue."""
    return next((model for model in catalogue() if ref in (model.hub_id, model.ref)), None)


def _models(family: Family, size: Size) -> list[CatalogueModel]:
    own = size.languages is not None or size.languages_total is not None
    kinds: tuple[tuple[Kind, Variant | None, Variant | None], ...] = (
        ("instruct", size.instruct, size.base),
        ("base", size.base, size.instruct),
    )
    return [
        CatalogueModel(
            hub_id=variant.id,
            family=family.name,
            kind=kind,
            parameters=size.parameters,
            licence=size.licence or family.licence,
            context=size.context,
            gated=family.gated,
            languages=size.languages if own else family.languages,
            languages_total=size.languages_total if own else family.languages_total,
            four_bit=variant.four_bit,
            bits=variant.bits,
            sibling=other.id if other else None,
            embedded=variant.embedded,
            shape=ModelShape(name=variant.id.rpartition("/")[2], total=size.parameters, **size.shape),
        )
        for kind, variant, other in kinds
        if variant is not None
    ]
