"""Teachers for the campaigns: a small OpenAI-compatible endpoint on this machine, with rules in place of models.

    python -m recipes.coder.teachers --port 8765

The model that comes with Hearth is too small to teach code, so these three stand in for real teachers; a campaign is
told their address like any other. `careful` answers every exercise well. `quick` gets a quarter of them wrong: it
writes a function that does a similar thing. `reviewer` is asked for scores: it runs the function with its tests (in
the same sandbox as an evaluation) and gives 10 or 2, which a judge model could only guess.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jobs.errors import BadInput
from jobs.files import write_text
from recipes.coder.exercises import Exercise, exercise_of
from recipes.coder.programs import passes

HOST = "127.0.0.1"
PATH = "/v1/chat/completions"
LONGEST_REQUEST = 1_000_000
WRONG = 0.25
CONVERSATION = re.compile(r"<conversation>\nUser: (?P<prompt>.*?)\n\nAssistant: (?P<answer>.*)\n</conversation>", re.S)


def careful(prompt: str) -> str:
    """A right answer. Raises BadInput for a prompt that is no exercise; so do the others."""
    return exercise_of(prompt).answer


def quick(prompt: str) -> str:
    """A right answer, in a quarter of cases one to a similar exercise; the same one whenever it is asked."""
    exercise = exercise_of(prompt)
    draw = random.Random(f"quick {prompt}")
    return slip(exercise, draw).answer if draw.random() < WRONG else exercise.answer


def slip(exercise: Exercise, draw: random.Random) -> Exercise:
    """A similar exercise: with another condition, or another result."""
    conditions = [which for which in exercise.kind.whiches if which != exercise.which]
    results = [result for result in exercise.kind.results if result != exercise.result]
    if draw.random() < 0.7:
        return replace(exercise, which=draw.choice(conditions))
    return replace(exercise, result=draw.choice(results))


def reviewer(prompt: str) -> str:
    """A score as JSON, by running the tests."""
    found = CONVERSATION.search(prompt)
    if found is None:
        raise BadInput("There is no conversation to judge.", "The reviewer only gives scores.", "Name it as judge.")
    passed = passes(found["answer"], exercise_of(found["prompt"]).tests)
    reason = "It passes its tests." if passed else "It fails its tests."
    return json.dumps({"reason": reason, "score": 10 if passed else 2})


MODELS: dict[str, Callable[[str], str]] = {"careful": careful, "quick": quick, "reviewer": reviewer}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        models = [{"id": name, "object": "model", "owned_by": "recipes.coder"} for name in MODELS]
        self._send(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != PATH or length > LONGEST_REQUEST:
            self.close_connection = True
            self._refuse(404 if self.path != PATH else 413, "not a request for a chat completion")
            return
        try:
            body = json.loads(self.rfile.read(length))
            answer = MODELS[body["model"]](str(body["messages"][-1]["content"]))
        except BadInput as error:
            self._refuse(400, str(error))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            self._refuse(400, f"the request can't be read: {error!r}")
        else:
            self._send(200, _completion(body["model"], answer))

    def _refuse(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "invalid_request_error"}})

    def _send(self, status: int, value: dict[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing goes to the screen."""


def _completion(model: str, answer: str) -> dict[str, Any]:
    """An answer in the API's shape. Rules have no tokens, so none are told; whoever asks estimates them."""
    message = {"role": "assistant", "content": answer}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": model, "choices": [choice]}


def _server(port: int) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer((HOST, port), _Handler)
    server.daemon_threads = True
    return server


def address_of(server: ThreadingHTTPServer) -> str:
    """Where it is asked."""
    return f"http://{HOST}:{server.server_address[1]}/v1"


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """The teachers at an address (a free port unless one is given), until the block ends."""
    server = _server(port)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield address_of(server)
    finally:
        server.shutdown()
        server.server_close()


@lru_cache(maxsize=1)
def local_address(place: Path) -> str:
    """The teachers for as long as this process lives, at the port that `place` notes from before: so a campaign that
    is resumed finds them again. At a free port where there is none, or another program has it."""
    noted = place / "teachers.port"
    try:
        server = _server(int(noted.read_text()))
    except (OSError, ValueError):
        server = _server(0)
    write_text(noted, str(server.server_address[1]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return address_of(server)


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Serve the coder recipe's teachers.")
    parser.add_argument("--port", type=int, default=8765)
    with serving(parser.parse_args().port) as address:
        print(f"{', '.join(MODELS)} at {address}; Ctrl-C ends them.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("ended")


if __name__ == "__main__":
    main()
