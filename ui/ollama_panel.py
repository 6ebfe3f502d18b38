"""Ollama on the Export tab: is it there, what does it hold in memory; put a file into it, and chat with the model."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from export.ollama.client import LoadedModel, OllamaClient, OllamaModel
from export.ollama.names import suggested
from export.ollama.spec import OllamaSpec
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import demo, filling, job_panel
from ui import form as forms
from ui.choices import Option
from ui.inert import inert
from ui.page import Page
from ui.words import size, when

TAB = "ollama"
ABOUT = (
    "The file is sent to your Ollama server with its system prompt, template and stop tokens; then the server is asked "
    "how it really writes prompts, and that is compared with the training."
)
NOTHING = "Nothing sent yet. Export a GGUF first, start Ollama, then press “Create in Ollama”."


def lay_out(page: Page) -> None:
    """Draw the server's state, the form with its job, and the chat; wire them."""
    gr.Markdown(ABOUT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = forms.lay_out(
                OllamaSpec,
                TAB,
                "python cli.py ollama create spec.yaml",
                picked={"gguf": gguf_options},
                base=first_name,
                base_name="the newest export",
            )
            error = gr.HTML(visible=False)
            create = gr.Button("Create in Ollama", variant="primary", elem_id="create-in-ollama")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "ollama", NOTHING)
            created = gr.HTML("", elem_id="created-in-ollama")
            job_panel.lay_out_details(panel)
            _lay_out_server(page)
            _lay_out_chat(page)

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        demo.refuse(page.settings, "Sending models to Ollama")
        spec = form.parse(workspace, values)
        assert isinstance(spec, OllamaSpec)
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), f"{spec.name} into Ollama")

    def result(_: Workspace, job: JobDirectory, status: Status) -> list[Any]:
        manifest = job.manifest
        done = status.state is State.SUCCEEDED and manifest is not None
        return [created_html(manifest["figures"]) if done and manifest else ""]

    filling.fill(page, form, "gguf", error)
    page.on(create.click, start, form.inputs, panel.outputs, error)
    job_panel.wire(page, panel, result, [created])


def _lay_out_server(page: Page) -> None:
    """What the server has and holds; asked for by a button, since a server that isn't there takes a while to say so."""
    with gr.Accordion("The server", open=False, elem_id="ollama-server"):
        with gr.Row(elem_classes="hearth-buttons"):
            look = gr.Button("Look", size="sm", elem_id="look-at-ollama")
            free = gr.Button("Free its memory", size="sm", elem_id="free-ollama")
        shown, error = gr.HTML("Press “Look” to ask the Ollama server what it has."), gr.HTML(visible=False)

    def ask(_: Workspace) -> list[Any]:
        demo.refuse(page.settings, "Looking at Ollama")
        with OllamaClient() as client:
            return [server_html(client.address, client.version(), client.models(), client.loaded())]

    def unload(workspace: Workspace) -> list[Any]:
        demo.refuse(page.settings, "Unloading models")
        with OllamaClient() as client:
            freed = client.unload_all()
        said = f"Freed {size(sum(model.bytes for model in freed))}." if freed else "It held nothing in memory."
        return [f"<p>{said}</p>{ask(workspace)[0]}"]

    page.on(look.click, ask, [], [shown], error)
    page.on(free.click, unload, [], [shown], error)


def _lay_out_chat(page: Page) -> None:
    """One question and its answer, streamed: whether the model does in Ollama what it learned."""
    with gr.Accordion("Chat with it", open=False, elem_id="ollama-chat"):
        model = gr.Textbox(label="Model", info="As the server calls it; empty: the one created last.", max_lines=1)
        question = gr.Textbox(label="Your message", lines=2, elem_id="ollama-question")
        send = gr.Button("Send", size="sm", variant="primary", elem_id="ask-ollama")
        answer, error = gr.HTML("", elem_id="ollama-answer"), gr.HTML(visible=False)

    def chat(workspace: Workspace, name: str, text: str) -> Iterator[list[Any]]:
        demo.refuse(page.settings, "Chatting through Ollama")
        if not text.strip():
            raise BadInput("There is no message.", "The model answers one.", "Write something first.")
        yield [answer_html("", "waiting for Ollama to load the model")]
        written = ""
        with OllamaClient() as client:
            for piece in client.chat(name.strip() or last_created(workspace), [{"role": "user", "content": text}]):
                written += piece.text
                yield [answer_html(written, "")]
        yield [answer_html(written, "done")]

    page.stream([send.click, question.submit], chat, [model, question], [answer], error)


def gguf_options(workspace: Workspace) -> list[Option]:
    """Each GGUF of the finished exports: the newest export first, of each the recommended file, then the smallest."""
    options = []
    for job in workspace.list_jobs("export"):
        if (manifest := job.manifest) is None:
            continue
        best = (manifest["figures"].get("recommendation") or {}).get("file")
        files = sorted(job.path.glob("*.gguf"), key=lambda path: (path.name != best, path.stat().st_size))
        for path in files:
            if not path.name.endswith("-adapter.gguf"):
                label = f"{path.name} · {size(path.stat().st_size)} · {when(job.header['created'])}"
                options.append((label, f"job:{job.id}/{path.name}"))
    return options


def first_name(workspace: Workspace) -> dict[str, Any]:
    """A name after the newest export."""
    done = [job for job in workspace.list_jobs("export") if job.manifest is not None]
    title = str(done[0].header["title"]).removesuffix(" as files") if done else "my-model"
    return {"name": suggested(title)}


def last_created(workspace: Workspace) -> str:
    """The model that was created last. Raises BadInput when there was none."""
    for job in workspace.list_jobs("ollama"):
        if job.manifest is not None:
            return str(job.manifest["figures"]["model"])
    raise BadInput("No model was named.", "Nothing was created in Ollama yet.", "Name one, or create one first.")


def created_html(figures: dict[str, Any]) -> str:
    """What became of it, and how to use it."""
    tone = "better" if figures["verified"] else "open"
    answer = f"<p class='quiet'>It answered: {inert(figures['answer'])}</p>" if figures.get("answer") else ""
    return (
        f'<div class="hearth-result"><div class="verdict small {tone}">{escape(figures["message"])}'
        f"<span class='plain'>{escape(str(figures['check']))}</span></div>{answer}"
        f"<pre>ollama run {escape(figures['model'])}</pre></div>"
    )


def server_html(address: str, version: str, models: list[OllamaModel], loaded: list[LoadedModel]) -> str:
    """The server's models with their size, and what is in memory."""
    held = {model.name: model for model in loaded}
    lines = "".join(
        f"<tr><td>{escape(model.name)}</td><td class='number'>{size(model.bytes)}</td>"
        f"<td>{escape(model.quantisation)}</td>"
        f"<td class='number'>{size(held[model.name].bytes) if model.name in held else '–'}</td></tr>"
        for model in models
    )
    head = "<tr><th>Model</th><th class='number'>On disk</th><th>Type</th><th class='number'>In memory</th></tr>"
    table = f"<table>{head}{lines}</table>" if models else "<p>It has no model yet.</p>"
    return f"<div class='hearth-result'><p>Ollama {escape(version)} at {escape(address)}.</p>{table}</div>"


def answer_html(text: str, state: str) -> str:
    waits = f"<p class='quiet'>{escape(state)}…</p>" if state and state != "done" else ""
    return f"<div class='hearth-result'>{inert(text)}{waits}</div>"
