"""The Serving tab without a browser: its handlers by the button that calls them, and a fake server for its chat."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import gradio as gr

from jobs.directory import JobDirectory, State, Status
from jobs.files import write_json
from jobs.workspace import Workspace
from ui import serving_tab
from ui.page import Page, Settings

HEADERS = {
    "X-Request-Id": "chatcmpl-1",
    "X-Hearth-Model": "toy",
    "X-Hearth-Route": "default",
    "X-Hearth-Reason": "no rule fits",
}


def build(workspace: Workspace, *, demo: bool = False) -> gr.Blocks:
    """The tab alone."""
    with gr.Blocks() as blocks:
        serving_tab.lay_out(Page(Settings(workspace.root, demo=demo), gr.Tabs(), gr.Textbox()))
    return blocks


def handler(blocks: gr.Blocks, elem_id: str, event: str = "click") -> Callable[..., Any]:
    """What the page calls when that happens to the component."""
    for each in blocks.fns.values():
        for target, name in each.targets:
            if name == event and target is not None and blocks.blocks[target].elem_id == elem_id:
                assert each.fn is not None
                return each.fn
    raise AssertionError(f"nothing happens on {event} of {elem_id}")


def count_inputs(blocks: gr.Blocks, elem_id: str, event: str = "click") -> int:
    """How many values that handler takes."""
    found = handler(blocks, elem_id, event)
    return next(len(each.inputs) for each in blocks.fns.values() if each.fn is found)


def error_of(answer: list[Any]) -> str:
    """The error box that a handler's answer ends with; "" without one."""
    return str(answer[-1].value)


def finished_training(workspace: Workspace, title: str) -> JobDirectory:
    path = workspace.new_job_path("train")
    spec = {"model": "embedded", "data": "d"}
    job = JobDirectory.create(path, kind="train", title=title, spec=spec, resource=None)
    job.write_status(Status(State.SUCCEEDED))
    job.write_manifest({"figures": {}, "artifacts": {}, "seconds": 1})
    return job


def serve_job(workspace: Workspace, address: str, **options: Any) -> JobDirectory:
    """A serve job as its worker leaves it while it listens. The caller holds its lock."""
    spec = {"models": ["toy=embedded"], **options}
    job = JobDirectory.create(
        workspace.new_job_path("serve"), kind="serve", title="Serve toy", spec=spec, resource=None
    )
    job.write_status(Status(State.RUNNING, message=f"Listening at {address}"))
    write_json(job.path / "address.json", {"address": address})
    return job


class FakeServer:
    """A fake of Hearth's server: gives one recorded answer, keeps feedback, or refuses with `status`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.events: list[dict[str, Any]] = [_delta("Hello"), _delta(" there")]
        self.status = 200
        self.said = ""

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake._answer(self)

            def log_message(self, *_: Any) -> None:  # type: ignore[override]
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        if self.status != 200:
            self._send(request, {"error": {"message": self.said}})
        elif request.path == "/v1/feedback":
            self._send(request, {"id": body["id"], "kept": [name for name in body if name != "id"]})
        else:
            lines = "".join(f"data: {json.dumps(event)}\n\n" for event in self.events)
            self._send(request, f"{lines}data: [DONE]\n\n")

    def _send(self, request: BaseHTTPRequestHandler, body: dict[str, Any] | str) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        request.send_response(self.status)
        for name, value in HEADERS.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


def _delta(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}
