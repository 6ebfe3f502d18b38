"""The Models tab's lists as HTML: models to choose from, and those on this machine. Knows nothing of gradio."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from models.catalogue.reader import CatalogueModel
from models.catalogue.words import KINDS, LANGUAGES, licence_words, parameters_in_words
from models.downloads.cached import CachedModel
from models.hardware import GB
from trainer.choosing import Offer, Room
from trainer.memory.need import ROW_TOKENS
from ui.clicks import button
from ui.hub_state import State
from ui.job_view import empty
from ui.words import count, size

FIRST = 12
HUB = "https://huggingface.co"
NOTHING_FITS = "No model fits all of this. Take out a word or a filter, or plan for a larger card."
NOTHING_HERE = "Nothing downloaded yet. Press “Download” beside a model, or just train: that fetches what it needs."
NO_CARD = "Without a card, a model of a billion parameters takes an evening, and larger ones days."
LEAST = f"the least that training takes: rows of up to {ROW_TOKENS:,} tokens, one at a time"


def offers_html(found: Sequence[Offer], room: Room, *, everything: bool) -> str:
    """What was found, as cards; the rest behind a button."""
    if not found:
        return empty(NOTHING_FITS)
    shown = found if everything else found[:FIRST]
    rest = len(found) - len(shown)
    more = f'<div class="more">{button("more", "", f"Show {rest} more")}</div>' if rest else ""
    slow = "" if room.hardware.gpus else f" {NO_CARD}"
    held = f"Memory is {LEAST}, held against {escape(room.words)}.{slow}"
    head = f'<p class="quiet">{count(len(found), "model")}. {held}</p>'
    return f'{head}<div class="hearth-models">{"".join(_card(each) for each in shown)}</div>{more}'


def _card(offer: Offer) -> str:
    model = offer.model
    title = f"<h2>{escape(model.ref)}</h2>"
    return (
        f'<article class="hearth-model" data-model="{escape(model.ref)}"><div class="head">{title}{_chips(offer)}</div>'
        f"<dl>{_memory('QLoRA', offer.need.qlora, offer.free)}{_memory('LoRA', offer.need.lora, offer.free)}</dl>"
        f'<p class="facts">{" · ".join(_facts(model))}</p>{_terms(model)}'
        f'<div class="acts">{_acts(offer)}</div></article>'
    )


def _chips(offer: Offer) -> str:
    model = offer.model
    name, about = KINDS[model.kind]
    chips = [f'<span class="chip" title="{escape(about)}">{name}</span>']
    if model.embedded:
        chips.append('<span class="chip succeeded">comes with Hearth</span>')
    elif offer.here:
        chips.append('<span class="chip succeeded">on this machine</span>')
    if model.gated:
        chips.append('<span class="chip stopped" title="Its owner asks you to accept terms first.">gated</span>')
    return "".join(chips)


def _memory(method: str, needed: int, free: int) -> str:
    """A line with a bar: how much of the memory it takes, and whether that fits."""
    fits = needed <= free
    share = min(100.0, 100 * needed / free) if free else 100.0
    verdict = "fits" if fits else "too large"
    return (
        f'<dt>{method}</dt><dd class="{"fits" if fits else "large"}"><i><b style="width:{share:.0f}%"></b></i>'
        f"<span>{needed / GB:.1f} GB, {verdict}</span></dd>"
    )


def _facts(model: CatalogueModel) -> list[str]:
    context = "context unknown" if model.context is None else f"{model.context:,} tokens of context"
    weight = "download size unknown"
    if model.embedded:
        weight = "nothing to download"
    elif model.download_bytes is not None:
        weight = f"about {size(model.download_bytes)} to download"
    licence, _, allows = licence_words(model.licence).partition(": ")
    return [
        f"{parameters_in_words(model.parameters)} parameters",
        weight,
        context,
        f'<span title="{escape(allows)}">{escape(licence)}</span>',
        f'<span title="{escape(languages_named(model))}">{escape(languages_words(model))}</span>',
        *([f"in 4 bit: <code>{escape(model.four_bit)}</code>"] if model.four_bit else []),
    ]


def languages_words(model: CatalogueModel) -> str:
    """Its languages in a few words."""
    if model.languages is None:
        return "languages unknown"
    names = [LANGUAGES[code] for code in model.languages]
    if model.languages_total:
        return f"{model.languages_total} languages"
    return ", ".join(names) if len(names) < 4 else f"{len(names)} languages"


def languages_named(model: CatalogueModel) -> str:
    """All that its card names."""
    if model.languages is None:
        return "Its card names none."
    more = " and others" if model.languages_total else ""
    return ", ".join(LANGUAGES[code] for code in model.languages) + more


def _terms(model: CatalogueModel) -> str:
    if model.gated is False:
        return ""
    page = f'<a href="{HUB}/{escape(model.hub_id)}" target="_blank" rel="noopener">its page on the Hub</a>'
    if model.gated is None:
        return f'<p class="quiet">Whether its owner wants terms accepted first is unknown; {page} says.</p>'
    return f'<p class="quiet">Accept its owner’s terms on {page}, and log in under “On this machine”.</p>'


def _acts(offer: Offer) -> str:
    model = offer.model
    acts = [button("train", model.ref, "Train this model")]
    if not offer.here:
        acts.append(button("download", model.hub_id, "Download", label=f"Download {model.hub_id}"))
    if model.sibling and model.kind == "base":
        acts.append(button("search", model.sibling, "Its instruct variant"))
    return "".join(acts)


def hub_html(state: State, here: int) -> str:
    """A line about the Hub, where it can't be reached; empty where it can."""
    if state in ("unknown", "online"):
        return ""
    why = "HF_HUB_OFFLINE is set" if state == "off" else "it doesn’t answer"
    if here:
        offered = f"{count(here, 'model')} on this machine can be used. " + button("here", "", "Show only these")
    else:
        offered = "The embedded model needs no connection."
    return f'<div class="warning">The Hugging Face Hub can’t be reached ({why}). {offered}</div>'


def cached_html(models: Sequence[CachedModel], asking: str) -> str:
    """The models on this machine with their sizes; the one that is to be deleted asks once."""
    if not models:
        return empty(NOTHING_HERE)
    total = sum(each.size for each in models)
    rows = "".join(_cached_row(each, each.hub_id == asking) for each in models)
    head = f'<p class="quiet">{count(len(models), "model")}, {size(total)} together.</p>'
    return f'{head}<ul class="hearth-cached">{rows}</ul>'


def _cached_row(model: CachedModel, asked: bool) -> str:
    state = "" if model.complete else '<span class="chip stopped">not whole</span>'
    if asked:
        words = f"<span>Delete {size(model.size)}? It can be downloaded again.</span>"
        acts = words + button("delete", model.hub_id, "Delete") + button("keep", "", "Keep")
    elif model.complete:
        acts = button("train", model.hub_id, "Train this model") + _delete(model)
    else:
        acts = button("download", model.hub_id, "Fetch the rest") + _delete(model)
    return (
        f'<li data-model="{escape(model.hub_id)}"><b>{escape(model.hub_id)}</b><span class="quiet">{size(model.size)}'
        f'</span>{state}<span class="acts">{acts}</span></li>'
    )


def _delete(model: CachedModel) -> str:
    return button("ask", model.hub_id, "Delete …", label=f"Delete {model.hub_id}")
