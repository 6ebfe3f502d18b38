"""Options of every spec whose models answer: written once here, so that they read and mean the same everywhere."""

from __future__ import annotations

import re
from typing import Any

from jobs.spec import option

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,127}")


def precision_option() -> Any:
    """The number format of models that are loaded here."""
    return option(
        "auto",
        label="Precision",
        help="Of models that are loaded here; auto: bf16 or fp16 where the hardware has it, else fp32.",
        depth="everything",
    )


def quantisation_option() -> Any:
    """In how many bits models are loaded here."""
    return option(
        "none",
        label="Load models in",
        help="4bit and 8bit need less memory and change the answers a little.",
        depth="everything",
    )


def key_variable_option() -> Any:
    """Where an endpoint's key is read from."""
    return option(
        None,
        label="Variable with the key",
        help="The NAME of the environment variable that holds an endpoint's key, such as OPENAI_API_KEY; never the key "
        "itself.",
        depth="everything",
    )


def without_key(values: Any) -> Any:
    """The values of a spec that is still to be built. Raises ValueError where key_variable holds no variable's name.

    It looks at the whole, so that a key that was written there by mistake isn't repeated in the error.
    """
    variable = values.get("key_variable") if isinstance(values, dict) else None
    if variable is not None and not (isinstance(variable, str) and VARIABLE.fullmatch(variable)):
        raise ValueError(
            "key_variable takes the name of an environment variable in capitals, such as OPENAI_API_KEY, never the key "
            "(what was given is not shown here)"
        )
    return values


def concurrency_option() -> Any:
    """How many requests are made at once."""
    return option(
        4, label="Requests at once", help="To a GGUF file, Ollama or an endpoint.", depth="everything", ge=1, le=256
    )
