"""Models of the catalogue that fit what a person asks for, each with the memory that training it takes at least."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from jobs.errors import BadInput
from models.catalogue.reader import CatalogueModel, catalogue
from models.catalogue.words import KINDS, LANGUAGES, LICENCES
from models.downloads.cached import cached_models
from models.hardware import GB, Hardware, with_card
from trainer.memory.known_shapes import shape_from_catalogue
from trainer.memory.limits import free_for_run
from trainer.memory.need import ADAPTERS, Need, least_need


@dataclass(frozen=True)
class Wanted:
    """What is looked for; an empty one asks for everything. `fits`: qlora or lora; `here`: on this machine already."""

    text: str = ""
    kind: str = ""
    licence: str = ""
    language: str = ""
    fits: str = ""
    here: bool = False

    def __post_init__(self) -> None:
        known: dict[str, Collection[str]] = {
            "kind": KINDS,
            "licence": LICENCES,
            "language": LANGUAGES,
            "fits": ADAPTERS,
        }
        for name, values in known.items():
            given = getattr(self, name)
            if given and given not in values:
                raise BadInput(f"'{given}' is no {name}.", f"Known are {', '.join(values)}.", "Choose one of these.")


@dataclass(frozen=True)
class Offer:
    """A model with what training it takes. `here`: its files are on this machine; `free`: bytes that a run can have."""

    model: CatalogueModel
    need: Need
    here: bool
    free: int

    @property
    def fits_qlora(self) -> bool:
        return self.need.qlora <= self.free

    @property
    def fits_lora(self) -> bool:
        return self.need.lora <= self.free


@dataclass(frozen=True)
class Room:
    """What models are held against: a machine, the bytes that a run can have of it, and both in words."""

    hardware: Hardware
    bytes: int
    words: str


def room_of(hardware: Hardware, gigabytes: float | None = None) -> Room:
    """Of the first card with nothing else on it, or of a card of that many GB; without a card, of system memory.

    A model is chosen for longer than what else is on the card just now.
    """
    if gigabytes is not None:
        hardware = with_card(hardware, gigabytes)
    if not hardware.gpus:
        words = f"the {hardware.memory_free / GB:.1f} GB that are free in this machine's memory (no GPU here)"
        return Room(hardware, free_for_run(hardware, None), words)
    card = replace(hardware.gpus[0], memory_free=hardware.gpus[0].memory_total)
    hardware = replace(hardware, gpus=[card])
    words = card.name if gigabytes else f"the {card.name} ({card.memory_total / GB:.0f} GB)"
    return Room(hardware, free_for_run(hardware, None), f"{words} with nothing else on it")


def offers(wanted: Wanted, room: Room) -> list[Offer]:
    """What suits, the embedded model first, then the smallest first."""
    here = {each.hub_id for each in cached_models() if each.complete}
    found = [_offer(model, room, here) for model in catalogue() if _suits(model, wanted)]
    kept = [each for each in found if _still_suits(each, wanted)]
    return sorted(kept, key=lambda each: (not each.model.embedded, each.model.parameters))


def _offer(model: CatalogueModel, room: Room, here: set[str]) -> Offer:
    need = least_need(shape_from_catalogue(model), room.hardware)
    return Offer(model, need, model.embedded or model.hub_id in here, room.bytes)


def _suits(model: CatalogueModel, wanted: Wanted) -> bool:
    said = f"{model.hub_id} {model.family} {model.four_bit or ''} {'embedded' if model.embedded else ''}".lower()
    return (
        all(word in said for word in wanted.text.lower().split())
        and wanted.kind in ("", model.kind)
        and wanted.licence in ("", model.licence)
        and (not wanted.language or model.speaks(wanted.language) is True)
    )


def _still_suits(offer: Offer, wanted: Wanted) -> bool:
    fitting = {"": True, "qlora": offer.fits_qlora, "lora": offer.fits_lora}[wanted.fits]
    return fitting and (offer.here or not wanted.here)
