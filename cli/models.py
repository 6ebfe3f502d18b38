"""Commands about models to train: list, download, remove, place."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.shared import DetachOption, JsonOption, WorkspaceOption, open_workspace, run_job, show
from jobs.errors import BadInput
from models.catalogue.words import parameters_in_words
from models.downloads.cached import cached_models, remove_cached
from models.downloads.place import choose_place, models_place
from models.downloads.progress import sized
from models.downloads.spec import DownloadSpec
from models.hardware import GB, probe
from trainer.choosing import Offer, Wanted, offers, room_of

models_app = typer.Typer(no_args_is_help=True, help="Models to train: which there are, and those on this machine.")


@models_app.command("list")
def models_list(
    words: Annotated[list[str] | None, typer.Argument(help="Words of the name, such as qwen3 8b.")] = None,
    kind: Annotated[str, typer.Option(help="instruct or base.")] = "",
    licence: Annotated[str, typer.Option(help="Such as apache-2.0, mit, gemma or llama3.2.")] = "",
    language: Annotated[str, typer.Option(help="A code such as de or zh.")] = "",
    fits: Annotated[str, typer.Option(help="qlora or lora: what trains so in the memory that is there.")] = "",
    gpu_gb: Annotated[
        float | None, typer.Option("--gpu-gb", min=1, help="A card's memory; else this machine's.")
    ] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Only those on this machine, others than the catalogue's too.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """The catalogue, or what suits of it: memory that training takes at least, and what is on this machine."""
    text = " ".join(words or [])
    room = room_of(probe(open_workspace(workspace).root), gpu_gb)
    found = offers(Wanted(text, kind, licence, language, fits, here), room)
    names = {offer.model.hub_id for offer in found}
    others = [
        each for each in cached_models() if here and each.hub_id not in names and text.lower() in each.hub_id.lower()
    ]
    lines = [f"Memory is the least that training takes, held against {room.words}."] if found else []
    lines += [_line(offer) for offer in found]
    lines += [f"  {each.hub_id:<44} {sized(each.size)} here{'' if each.complete else ', not whole'}" for each in others]
    place = models_place()
    document = {
        "place": str(place.folder),
        "room": {"bytes": room.bytes, "words": room.words},
        "models": [_as_json(offer) for offer in found],
        "others": [{"hub_id": each.hub_id, "bytes": each.size, "complete": each.complete} for each in others],
    }
    text_shown = [*(lines or ["Nothing fits."]), "", f"Downloaded models are kept in {place.folder} ({place.origin})."]
    show(document, as_json, "\n".join(text_shown))


@models_app.command("download")
def models_download(
    model: Annotated[str, typer.Argument(help="Its id on the Hub, as in Qwen/Qwen3-4B.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Fetch a model whole, every file checked; what was cut before goes on."""
    spec = DownloadSpec.parse({"model": model}, "The command")
    run_job(open_workspace(workspace), "model.download", spec.model_dump(mode="json"), spec.model, as_json, detach)


@models_app.command("remove")
def models_remove(
    model: Annotated[str, typer.Argument(help="Its id on the Hub.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a downloaded model from this machine; it can be fetched again."""
    if not yes and not typer.confirm(f"Delete {model} from this machine?", err=True):
        raise BadInput(f"{model} was not deleted.", "It wasn't confirmed.", "Answer y, or give --yes.")
    freed = remove_cached(open_workspace(workspace), model)
    show({"removed": model, "bytes": freed}, as_json, f"{model} is deleted: {sized(freed)} are free again.")


@models_app.command("place")
def models_place_command(
    folder: Annotated[Path | None, typer.Argument(help="Where to keep models from now on.")] = None,
    usual: Annotated[bool, typer.Option("--usual", help="Go back to the Hub's usual place.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Where downloaded models are kept; with FOLDER, keep them there from now on."""
    if usual:
        place = choose_place("")
    else:
        place = choose_place(str(folder.expanduser().resolve())) if folder else models_place()
    show(asdict(place), as_json, f"{place.folder} ({place.origin})")


def _line(offer: Offer) -> str:
    model, need = offer.model, offer.need
    mark = "*" if offer.here else " "
    memory = f"QLoRA {_memory(need.qlora, offer.fits_qlora)}  LoRA {_memory(need.lora, offer.fits_lora)}"
    gated = {True: "  gated", False: "", None: "  perhaps gated"}[model.gated]
    return (
        f"{mark} {model.ref:<44} {model.kind:<8} {parameters_in_words(model.parameters):>12}  {memory}  "
        f"{model.licence}{gated}"
    )


def _memory(count: int, fits: bool) -> str:
    return f"{count / GB:5.1f} GB{' ✓' if fits else '  '}"


def _as_json(offer: Offer) -> dict[str, Any]:
    model = offer.model
    return {
        **model.model_dump(mode="json", exclude={"shape", "embedded"}),
        "ref": model.ref,
        "download_bytes": model.download_bytes,
        "here": offer.here,
        "memory": {"qlora": offer.need.qlora, "lora": offer.need.lora},
        "fits": {"qlora": offer.fits_qlora, "lora": offer.fits_lora},
    }
