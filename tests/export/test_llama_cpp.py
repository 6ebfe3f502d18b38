"""Running llama.cpp: with a card and its own server installed, that server is used (a stand-in here)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from export import llama_cpp
from export.llama_cpp import LlamaCppError, running
from models.hardware import Gpu, Hardware

pytestmark = pytest.mark.slow
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
# Named a fake: it takes the arguments of llama.cpp's llama-server, and serves with the engine that comes along.
FAKE_SERVER = """#!{python}
import sys, urllib.request, urllib.error
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
sys.path.insert(0, {project!r})
from models.endpoints.embedded import llama_server

given = dict(zip(sys.argv[1::1], sys.argv[2::1]))
Path({log!r}).write_text(" ".join(sys.argv[1:]))
if "broken" in given["-m"]:
    print("error loading model: magic not found")
    sys.exit(1)

with llama_server(Path(given["-m"]), context_length=int(given["-c"]), slots=1) as access:
    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self, body=None):
            with urllib.request.urlopen(urllib.request.Request(access.address + self.path, body)) as answer:
                text = answer.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        def do_GET(self): self._pass_on()
        def do_POST(self): self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))
    HTTPServer((given["--host"], int(given["--port"])), Handler).serve_forever()
"""


@pytest.fixture
def card_and_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a card, and a llama-server on its PATH; the file in which that one notes its arguments."""
    log, program = tmp_path / "arguments", tmp_path / "bin" / "llama-server"
    program.parent.mkdir()
    project = str(Path(__file__).parents[2])
    program.write_text(FAKE_SERVER.format(python=sys.executable, project=project, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    gpu = Gpu(index=0, name="Card", memory_total=12 * 10**9, memory_free=11 * 10**9, driver="580", compute=(8, 6))
    machine = Hardware([gpu], 2, 10**10, 10**10, 10**10, "x")
    monkeypatch.setattr(llama_cpp, "probe", lambda: machine)
    return log


def test_with_a_card_the_installed_server_answers_with_all_layers_on_it(
    card_and_server: Path, f16_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(f16_gguf, 256) as llama:
        by_server = (llama.render(QUESTION), llama.complete("Hello", 5).token_ids)
    assert "-ngl 999" in card_and_server.read_text()
    monkeypatch.setattr(llama_cpp, "find_tool", lambda _name: None)
    with running(f16_gguf, 256) as llama:
        assert (llama.render(QUESTION), llama.complete("Hello", 5).token_ids) == by_server


def test_what_the_server_says_of_a_file_that_it_cannot_load_is_told(card_and_server: Path, tmp_path: Path) -> None:
    assert not card_and_server.exists()
    with (
        pytest.raises(LlamaCppError, match=r"can.t load broken\.gguf: error loading model: magic not found"),
        running(tmp_path / "broken.gguf", 256),
    ):
        pass
