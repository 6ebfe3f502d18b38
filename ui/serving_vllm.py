"""Several adapters on another machine, below the Models part of the Serving tab: writes a folder that vLLM serves."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from serving.registry.store import Registry
from serving.registry.vllm import VllmLaunch, vllm_launch
from ui import demo
from ui.choices import Option
from ui.page import SKIP, Page

TAB = "serving_registry"
FOLDER = "vllm"


def lay_out(page: Page) -> None:
    """Draw the form and wire it."""
    with gr.Accordion("Serve on another machine with vLLM", open=False, elem_id="vllm-form"):
        versions = gr.Dropdown(
            [], multiselect=True, label="Versions", elem_id="vllm-versions", min_width=220,
            info="Adapters of one base, served together. GGUF files and merged models are servers of their own.",
        )  # fmt: skip
        with gr.Row(equal_height=False):
            host = gr.Textbox(
                "127.0.0.1", label="That machine's address", max_lines=1, min_width=200, elem_id="vllm-host",
                info="How this machine will reach it, such as gpu.local.",
            )  # fmt: skip
            port = gr.Number(8000, label="Port", step=1, minimum=1, maximum=65535, min_width=120)
        write = gr.Button("Write the folder", size="sm", variant="primary", elem_id="write-vllm")
        written, error = gr.HTML("", elem_id="vllm-written"), gr.HTML(visible=False)
    known = gr.Textbox(visible=False)

    def offer(workspace: Workspace, seen: str = "") -> list[Any]:
        choices = servable(workspace)
        now = repr(choices)
        return [SKIP, SKIP] if now == seen else [gr.Dropdown(choices=choices), now]

    def launch(workspace: Workspace, names: list[str] | None, host: str, port: float | None) -> list[Any]:
        demo.refuse(page.settings, "Writing a folder for vLLM")
        folder = workspace.root / FOLDER
        done = vllm_launch(Registry(workspace), names or [], folder, host=host.strip(), port=int(port or 0))
        return [launch_html(done)]

    page.load(offer, [versions, known])
    page.poll(TAB, offer, [known], [versions, known])
    page.on(write.click, launch, [versions, host, port], [written], error)


def servable(workspace: Workspace) -> list[Option]:
    """The versions that are in use or may come into use; what can't be served is explained when it is chosen."""
    return [(version.label, version.label) for version in Registry(workspace).find() if version.stage != "retired"]


def launch_html(launch: VllmLaunch) -> str:
    """Where it was written, and what to do with it."""
    lines = "".join(f"<li><code>{escape(line)}</code></li>" for line in launch.endpoints)
    return (
        f"<p class='good'>Written to <code>{escape(str(launch.folder))}</code>.</p>"
        "<p>Copy the folder to that machine and run <code>sh launch.sh</code> in it, or "
        "<code>docker compose up</code>. Then serve these here, under “Serve”, as models:</p>"
        f"<ul>{lines}</ul>"
    )
