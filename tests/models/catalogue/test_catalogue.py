"""The catalogue's facts are well formed, agree with one another, and leave out what isn't known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub.utils import validate_repo_id

from models.catalogue.reader import CatalogueModel, catalogue, find
from models.catalogue.words import KINDS, LANGUAGES, LICENCES, licence_words, parameters_in_words
from models.embedded import HUB_ID
from trainer.memory.known_shapes import known_shape, shape_from_catalogue

PROJECT = Path(__file__).resolve().parents[3]
MODELS = pytest.mark.parametrize("model", catalogue(), ids=lambda model: model.hub_id)


@MODELS
def test_ids_are_ids_of_the_hub(model: CatalogueModel) -> None:
    for hub_id in (model.hub_id, *([model.four_bit] if model.four_bit else [])):
        validate_repo_id(hub_id)
        assert hub_id.count("/") == 1
    assert model.four_bit is None or "4bit" in model.four_bit


@MODELS
def test_base_and_instruct_name_each_other(model: CatalogueModel) -> None:
    if model.sibling is None:
        return
    other = find(model.sibling)
    assert other is not None
    assert other.sibling == model.hub_id
    assert {model.kind, other.kind} == {"base", "instruct"}
    shape = replace(other.shape, name=model.shape.name)
    assert (other.parameters, shape, other.licence) == (model.parameters, model.shape, model.licence)


@MODELS
def test_the_shape_has_as_many_parameters_as_are_said(model: CatalogueModel) -> None:
    """A vision tower, which Gemma 3 has from 4B on, is no part of the shape: a tenth of the smallest one's total."""
    shape = shape_from_catalogue(model)
    counted = shape.embedding_parameters + shape.linear_parameters + shape.expert_parameters
    assert model.parameters * (0.89 if shape.family == "gemma3" else 0.995) < counted <= model.parameters
    assert known_shape(model.hub_id) == known_shape(model.sibling or model.hub_id)


@MODELS
def test_licences_and_languages_are_ones_that_can_be_explained(model: CatalogueModel) -> None:
    assert model.licence in LICENCES
    assert licence_words(model.licence)
    assert model.kind in KINDS
    assert set(model.languages or ()) <= set(LANGUAGES)
    assert model.languages_total is None or model.languages_total > len(model.languages or ())


@MODELS
def test_figures_lie_where_those_of_such_models_do(model: CatalogueModel) -> None:
    assert 1e8 < model.parameters < 4e10
    assert model.context is None or 2048 <= model.context <= 1_048_576
    assert model.bits in (None, 16, 32)
    assert model.download_bytes is None or model.download_bytes == model.parameters * 2


def test_no_model_is_there_twice() -> None:
    ids = [model.hub_id for model in catalogue()]
    assert len(ids) == len(set(ids)) >= 40


def test_the_embedded_model_is_one_of_them() -> None:
    embedded = find("embedded")
    assert embedded is not None
    assert embedded.hub_id == HUB_ID
    assert embedded.kind == "instruct"


def test_what_is_not_known_is_not_guessed() -> None:
    mistral, qwen = find("mistralai/Mistral-7B-v0.3"), find("Qwen/Qwen3-4B")
    assert mistral is not None
    assert qwen is not None
    assert mistral.gated is None
    assert mistral.speaks("de") is None
    assert qwen.speaks("de") is True
    assert qwen.speaks("da") is None
    assert find("allenai/OLMo-2-0425-1B").speaks("de") is False  # type: ignore[union-attr]
    assert find("someone/else") is None


def test_sizes_are_said_in_words() -> None:
    assert [parameters_in_words(count) for count in (134_515_008, 8_190_735_360)] == ["135 million", "8.2 billion"]


def test_reading_it_imports_no_torch() -> None:
    program = "import sys, models.catalogue.reader as c; c.catalogue(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)
