"""The Export tab: files that behave as the model did in training, what proves it, and the way into Ollama."""

from __future__ import annotations

import gradio as gr

from ui import export_panel, exports_list, hub_panel, ollama_panel
from ui.page import Page
from ui.parts import wire_parts

TAB = "export"


def lay_out(page: Page) -> None:
    """Draw the tab and wire it."""
    page.within |= {ollama_panel.TAB: TAB, hub_panel.TAB: TAB}
    with gr.Tabs(elem_id="export-parts", overflow_behavior="wrap") as parts:
        with gr.Tab("Make files", id="files") as files:
            export_panel.lay_out(page, parts)
        with gr.Tab("Ollama", id="ollama") as ollama:
            ollama_panel.lay_out(page)
        with gr.Tab("Hugging Face Hub", id="hub") as hub:
            hub_panel.lay_out(page)
        with gr.Tab("Earlier exports", id="earlier") as earlier:
            exports_list.lay_out(page)
    wire_parts(page, TAB, parts, {"files": files, "ollama": ollama, "hub": hub, "earlier": earlier})
