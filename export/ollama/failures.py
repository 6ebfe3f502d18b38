"""What goes wrong with an Ollama server, each as a message that says what to do.

Ollama reports most failures as a sentence of its own, some with a status, some in mid-stream after status 200; the
sentences are those of its server (recorded from the 0.30 line). What is not known here is passed on in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import ollama

from jobs.errors import BadInput, Missing, OutOfRoom, UserError

SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class _Known:
    """A failure by words of the server's sentence. `{address}`, `{model}` and `{said}` are filled in."""

    words: str
    kind: type[UserError]
    what: str
    why: str
    fix: str


# The first that fits counts.
_KNOWN = (
    _Known(
        r"no space left on device|not enough space on the disk|disk quota exceeded",
        OutOfRoom,
        "The Ollama server at {address} has no room left on its disk.",
        "It said: {said}",
        "Free space where Ollama keeps its models (`ollama list`, `ollama rm NAME`), then press Resume.",
    ),
    _Known(
        r"digest mismatch",
        BadInput,
        "What arrived at the Ollama server is not the file that was announced.",
        "The file changed while it was sent, or was damaged on the way. Ollama said: {said}",
        "Try again; the file is then looked at anew. If it happens twice, export the file again.",
    ),
    _Known(
        r"invalid digest|blobs.*(no such file|cannot find)|blob .* not found",
        Missing,
        "The Ollama server at {address} doesn't have the file that '{model}' is made of.",
        "It was removed since it was sent (Ollama clears unused files when it starts). It said: {said}",
        "Press Resume: the file is sent again.",
    ),
    _Known(
        r"not in GGUF format|invalid file magic|unsupported (GGUF )?version|failed to parse GGUF",
        BadInput,
        "Ollama can't read the file for '{model}' as GGUF.",
        "It said: {said}",
        "Choose a .gguf file of a finished export, or export it again.",
    ),
    _Known(
        r"template error|template: ",
        BadInput,
        "Ollama refuses the TEMPLATE of '{model}'.",
        "It is no valid Go template: {said}",
        "Correct TEMPLATE in the Modelfile, or take it out: then the file's own chat template is used.",
    ),
    _Known(
        r"quantization is only supported|unsupported quantization",
        BadInput,
        "Ollama can't quantise this file again.",
        "It said: {said}",
        "Export the size that you want, and create the model from that file.",
    ),
    _Known(
        r"modelfile.*(must be specified|required)|neither 'from' or 'files' was specified",
        Missing,
        "The Ollama server at {address} doesn't understand how the model is described.",
        "It said: {said}",
        "Update Ollama (https://ollama.com/download), then try again.",
    ),
    _Known(
        r"option .* must be of type|invalid (float|int|bool) value|unknown parameter",
        BadInput,
        "Ollama refuses a PARAMETER of '{model}'.",
        "It said: {said}",
        "Correct that line of the Modelfile.",
    ),
    _Known(
        r"unauthorized|not authorized|couldn't authorize|unable to push|access denied|must be signed in",
        Missing,
        "ollama.com doesn't let you push '{model}'.",
        "The server isn't signed in to an account that owns this namespace. It said: {said}",
        "Run `ollama signin` on the machine of the server, and name the model after that account.",
    ),
    _Known(
        r"no such host|dial tcp|i/o timeout|network is unreachable|TLS handshake|connection refused",
        Missing,
        "The Ollama server at {address} can't reach the model registry.",
        "That machine has no way to the network, or the registry doesn't answer. It said: {said}",
        "Check its network, then try again. Creating and chatting don't need it.",
    ),
    _Known(
        r"requires more system memory|out of memory|cudaMalloc failed|insufficient memory",
        OutOfRoom,
        "The Ollama server at {address} has too little memory for '{model}'.",
        "It said: {said}",
        "Unload other models (`ollama stop NAME`), shorten the context, or choose a smaller quantisation.",
    ),
    _Known(
        r"unknown (model )?architecture|unable to load model|runner process has terminated|error loading model",
        BadInput,
        "The Ollama server at {address} can't run '{model}'.",
        "Its llama.cpp doesn't know this kind of model, or it failed: {said}",
        "Update Ollama (https://ollama.com/download), then try again.",
    ),
    _Known(
        r"does not support (tools|chat|generate|thinking)",
        BadInput,
        "'{model}' can't do in Ollama what was asked of it.",
        "Its template has no place for that. Ollama said: {said}",
        "Leave that out, or create the model with a template that has it.",
    ),
)


@contextmanager
def explained(address: str, model: str = "") -> Iterator[None]:
    """Turn what an Ollama server, or the way to it, does wrong into a UserError. `model`: what was asked about."""
    try:
        yield
    except ollama.ResponseError as error:
        raise refusal(address, error.error, error.status_code, model) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
        raise not_running(address) from error
    except httpx.TimeoutException as error:
        raise no_answer(address) from error
    except httpx.TransportError as error:
        raise connection_lost(address, str(error) or type(error).__name__) from error
    except ValueError as error:  # no JSON, or JSON of another shape
        raise not_ollama(address) from error


def refusal(address: str, said: str, status: int, model: str) -> UserError:
    """What an error means. `said` is the server's sentence, `status` the HTTP status (-1: in mid-stream)."""
    said = " ".join(str(said).split())[:SHOWN_CHARACTERS] or f"(nothing more than status {status})"
    if re.search(r"invalid model name|name is invalid", said, re.I):
        from export.ollama.names import bad_name

        return bad_name(model, f"Ollama said: {said}")
    for known in _KNOWN:
        if re.search(known.words, said, re.I):
            what, why = (text.format(address=address, model=model, said=said) for text in (known.what, known.why))
            return known.kind(what, why, known.fix)
    if re.search(r"model .* not found|not found, try pulling", said, re.I):
        return model_missing(address, model, said)
    if status == 404:
        return not_ollama(address)
    place = "while it worked" if status < 0 else f"with status {status}"
    return UserError(
        f"The Ollama server at {address} failed {place}: {said}",
        "This is the server's own message; its log may say more.",
        "Try again; if it stays, look at Ollama's log (`journalctl -u ollama`, or server.log in ~/.ollama/logs).",
    )


def model_missing(address: str, model: str, said: str) -> Missing:
    return Missing(
        f"Ollama at {address} has no model '{model}'.",
        f"It said: {said}",
        "`python cli.py ollama list` shows the models that it has.",
    )


def not_running(address: str) -> Missing:
    return Missing(
        f"No Ollama server answers at {address}.",
        "It isn't installed or isn't running, or it listens elsewhere.",
        "Start it (`ollama serve`, or the Ollama app; https://ollama.com/download), or set OLLAMA_HOST to where it is.",
    )


def no_answer(address: str) -> Missing:
    return Missing(
        f"The Ollama server at {address} didn't answer in time.",
        "It is there but busy or stuck.",
        "Wait until it is done with other work (`ollama ps`), or restart it, then try again.",
    )


def connection_lost(address: str, said: str) -> Missing:
    return Missing(
        f"The connection to the Ollama server at {address} was lost in the middle.",
        f"The server stopped or was restarted, or the network broke ({said}).",
        "Start it again and press Resume: what is already there isn't sent twice.",
    )


def not_ollama(address: str) -> BadInput:
    return BadInput(
        f"What answers at {address} is not an Ollama server.",
        "Its answers are not those of Ollama's API.",
        "Check the address (OLLAMA_HOST); Ollama's own port is 11434.",
    )
