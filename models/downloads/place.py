"""Where downloaded models are kept: the Hub's cache, which other programs share, and which a person can move.

huggingface_hub and transformers read HF_HUB_CACHE once, when they are imported. So the page and the command line set it
at their start from what was chosen (`apply_place`), and every job they start inherits it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import BadInput
from jobs.files import read_json, write_json
from jobs.workspace import cache_folder

VARIABLE = "HF_HUB_CACHE"


@dataclass(frozen=True)
class Place:
    """`folder` holds the models; `origin` says in words why it is that one. `movable`: whether it can be chosen."""

    folder: Path
    origin: str
    movable: bool = True


def models_place() -> Place:
    """Where models are kept now."""
    chosen = _chosen()
    folder = Path(os.environ.get(VARIABLE) or _usual())
    if chosen and folder == Path(chosen):
        return Place(folder, "as chosen here")
    if os.environ.get(VARIABLE):
        return Place(folder, f"as {VARIABLE} says", movable=False)
    return Place(folder, "the Hub's usual place, which other programs share")


def apply_place() -> None:
    """Have this process, and those it starts, use the chosen folder. What the environment says goes first."""
    chosen = _chosen()
    if chosen and not os.environ.get(VARIABLE):
        _use(Path(chosen))


def choose_place(text: str) -> Place:
    """Keep models in the folder `text` from now on; empty for the usual place. Raises BadInput for one that can't be.

    What was downloaded before stays where it is.
    """
    if not models_place().movable:
        raise BadInput(
            "The place of models can't be chosen here.", f"{VARIABLE} names it.", f"Unset {VARIABLE}, and start again."
        )
    if not text.strip():
        _setting().unlink(missing_ok=True)
        os.environ.pop(VARIABLE, None)
        _tell_library(_usual())
        return models_place()
    folder = Path(text.strip()).expanduser()
    if not folder.is_absolute():
        raise BadInput(f"'{text}' is no whole path.", "It has to begin at the root.", "Enter one such as /data/models.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".hearth-write-test"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"Models can't be kept in {folder}.", f"{error.strerror or error}.", "Choose a folder you can write to."
        ) from error
    write_json(_setting(), {"folder": str(folder)})
    _use(folder)
    return models_place()


def _use(folder: Path) -> None:
    os.environ[VARIABLE] = str(folder)
    _tell_library(folder)


def _tell_library(folder: Path) -> None:
    """The library looks its constant up at every call, but reads the variable only once."""
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_CACHE = str(folder)  # type: ignore[attr-defined]


def _usual() -> Path:
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.path.expandvars(home)).expanduser() / "hub"


def _chosen() -> str:
    return str((read_json(_setting()) or {}).get("folder", ""))


def _setting() -> Path:
    return cache_folder() / "models-place.json"
