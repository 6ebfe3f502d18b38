"""A trained classifier: the weights, what it says of a text, and its folder in the workspace. Needs no torch.

classifiers/<name>/weights.safetensors   coefficients (BUCKETS, labels), intercepts (labels), rarity (BUCKETS)
classifiers/<name>/classifier.json       labels, temperature, the dataset version, the report of its training
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_src.spec import NAME_PATTERN
from jobs.errors import BadInput, Missing, disk_full
from jobs.files import publish_folder, read_json, write_json
from jobs.workspace import Workspace
from serving.router.classifier.features import BUCKETS, FEATURES_VERSION, count_runs, weighted

Array = NDArray[np.float32]
WEIGHTS, DESCRIPTION = "weights.safetensors", "classifier.json"


@dataclass(frozen=True)
class LabelGuess:
    """The likeliest label, and the probability of each."""

    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Classifier:
    """Multinomial logistic regression over hashed runs of characters; `temperature` divides its scores.

    Probabilities are calibrated for texts like those it was trained on. Of a text unlike all of them it knows nothing,
    and may still be sure.
    """

    labels: tuple[str, ...]
    coefficients: Array
    intercepts: Array
    rarity: Array
    temperature: float

    def classify(self, text: str) -> LabelGuess:
        """The label of a text. One of no known runs gets what is most frequent."""
        counts = count_runs(text)
        scores = weighted(counts, self.rarity) @ self.coefficients[counts.buckets] + self.intercepts
        chances = softmax(np.asarray(scores, dtype=np.float64)[None, :] / self.temperature)[0]
        probabilities = {label: float(chance) for label, chance in zip(self.labels, chances, strict=True)}
        return LabelGuess(self.labels[int(chances.argmax())], probabilities)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (rows, labels) as probabilities."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def save(workspace: Workspace, name: str, classifier: Classifier, report: dict[str, Any]) -> Path:
    """Write it under its name, in place of an earlier one, in one step. Raises BadInput or OutOfRoom."""
    from safetensors.numpy import save_file

    folder = folder_of(workspace, name)
    temporary = folder.with_name(f".{name}.{os.getpid()}.part")
    arrays = {
        "coefficients": classifier.coefficients,
        "intercepts": classifier.intercepts,
        "rarity": classifier.rarity,
    }
    description = {
        "features_version": FEATURES_VERSION,
        "labels": list(classifier.labels),
        "temperature": classifier.temperature,
        "report": report,
    }
    try:
        temporary.mkdir(parents=True)
        save_file(arrays, temporary / WEIGHTS)
        write_json(temporary / DESCRIPTION, description)
        publish_folder(temporary, folder)
    except OSError as error:
        full = disk_full(error, str(folder))
        if full is None:
            raise
        raise full from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def load(workspace: Workspace, name: str) -> Classifier:
    """The classifier of that name. Raises Missing, or BadInput where its files don't fit this version of Hearth."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = folder_of(workspace, name)
    if not folder.is_dir():
        raise Missing(
            f"There is no classifier '{name}' in {workspace.root}.",
            f"There are: {', '.join(list_classifiers(workspace)) or 'none'}.",
            f"Train it: `python cli.py route train --data D --name {name}`.",
        )
    try:
        description: Any = read_json(folder / DESCRIPTION)
        return _assembled(description, load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BadInput(
            f"The classifier '{name}' can't be read.",
            f"A file in {folder} is missing, damaged or of another version: {error}.",
            f"Train it again: `python cli.py route train --data D --name {name}`.",
        ) from error


def _assembled(description: dict[str, Any], arrays: dict[str, Array]) -> Classifier:
    """Raises ValueError, KeyError or TypeError where something is missing or doesn't fit."""
    if description["features_version"] != FEATURES_VERSION:
        raise ValueError(f"it was trained for version {description['features_version']} of the features")
    labels = tuple(str(label) for label in description["labels"])
    shapes = {"coefficients": (BUCKETS, len(labels)), "intercepts": (len(labels),), "rarity": (BUCKETS,)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has the shape {arrays[name].shape}, or is not made of numbers")
    temperature = float(description["temperature"])
    if not temperature > 0:
        raise ValueError(f"the temperature is {temperature}")
    return Classifier(labels, arrays["coefficients"], arrays["intercepts"], arrays["rarity"], temperature)


def read_report(workspace: Workspace, name: str) -> dict[str, Any]:
    """What its training reported. Raises Missing or BadInput as `load` does."""
    load(workspace, name)
    description: dict[str, Any] = read_json(folder_of(workspace, name) / DESCRIPTION) or {}
    return dict(description["report"])


def list_classifiers(workspace: Workspace) -> list[str]:
    """The names of all that are there."""
    place = _place(workspace)
    return sorted(folder.name for folder in place.glob("[!.]*")) if place.is_dir() else []


def folder_of(workspace: Workspace, name: str) -> Path:
    """Where a classifier of that name lies. Raises BadInput for a name that can't be one."""
    if not NAME_PATTERN.fullmatch(name):
        raise BadInput(
            f"'{name}' can't be a classifier's name.",
            "A name has 1 to 64 lower-case letters, digits, - and _, and begins with a letter or a digit.",
            "Choose another, as in topics.",
        )
    return _place(workspace) / name


def _place(workspace: Workspace) -> Path:
    return workspace.root / "classifiers"
