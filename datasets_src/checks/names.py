"""Names of people and places, where presidio is installed with a spaCy model. Neither comes with Hearth.

    pip install presidio-analyzer && python -m spacy download en_core_web_sm

It takes some 10 ms for each text, a hundred times what all other checks take together.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING

from datasets_src.checks.language import language_of
from datasets_src.checks.private import Kind, Span
from datasets_src.checks.private_data import private_check

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

KINDS: dict[str, Kind] = {"PERSON": "person", "LOCATION": "location"}
SURE = 0.5
# spaCy's names for the sizes of a model, the best first.
SIZES = ("trf", "lg", "md", "sm")


def installed_models() -> dict[str, str]:
    """The best spaCy model of each language; none where presidio itself is missing."""
    if find_spec("presidio_analyzer") is None:
        return {}
    names = {entry.name for entry in entry_points(group="spacy_models")}
    by_quality = sorted(
        names, key=lambda name: SIZES.index(name[-3:].lstrip("_")) if name.endswith(SIZES) else len(SIZES)
    )
    return {name[:2]: name for name in reversed(by_quality)}


@lru_cache(maxsize=128)
def names(text: str) -> tuple[Span, ...]:
    """Names of people and places in a text, in order and without overlaps; none in languages without a model."""
    models = installed_models()
    language = language_of(text) or next(iter(models))
    if language not in models:
        return ()
    found = _engine().analyze(text=text, language=language, entities=list(KINDS), score_threshold=SURE)
    spans: list[Span] = []
    for result in sorted(found, key=lambda result: (result.start, -result.end)):
        if not spans or result.start >= spans[-1].end:
            said = text[result.start : result.end]
            spans.append(Span(result.start, result.end, KINDS[result.entity_type], " ".join(said.split()).lower()))
    return tuple(spans)


@lru_cache(maxsize=1)
def _engine() -> AnalyzerEngine:
    """Presidio with nothing but the recogniser of names: all else is found by checks of our own."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    models = installed_models()
    configuration = {
        "nlp_engine_name": "spacy",
        "models": [{"lang_code": language, "model_name": name} for language, name in models.items()],
    }
    registry = RecognizerRegistry(
        recognizers=[SpacyRecognizer(supported_language=language) for language in models],
        supported_languages=list(models),
    )
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(models))


CHECKS = (
    (
        private_check(
            "person",
            "Names of people",
            "Found by presidio, which is often right and sometimes wrong: look at the examples first. Fixing puts "
            "[PERSON_1] and so on in their place, the same for the same name all over the row.",
            "a person's name",
            "people's names",
            names,
        ),
        private_check(
            "location",
            "Names of places",
            "Found by presidio, which is often right and sometimes wrong: look at the examples first. Fixing puts "
            "[LOCATION_1] and so on in their place.",
            "a place's name",
            "places' names",
            names,
        ),
    )
    if installed_models()
    else ()
)
