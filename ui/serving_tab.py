"""The Serving tab: models that answer other programs, which one is in use, who gets which, and how they do."""

from __future__ import annotations

import gradio as gr

from ui import serving_monitoring, serving_panel, serving_registry, serving_routing
from ui.page import Page
from ui.parts import wire_parts
from ui.serving_choice import TAB


def lay_out(page: Page) -> None:
    """Draw the tab and wire it."""
    page.within |= {serving_registry.TAB: TAB, serving_routing.TAB: TAB, serving_monitoring.TAB: TAB}
    with gr.Tabs(elem_id="serving-parts", overflow_behavior="wrap") as parts:
        with gr.Tab("Serve", id="serve") as serve:
            serving_panel.lay_out(page)
        with gr.Tab("Models", id="models") as models:
            serving_registry.lay_out(page)
        with gr.Tab("Routing", id="routing") as routing:
            serving_routing.lay_out(page)
        with gr.Tab("Monitoring", id=serving_monitoring.PART) as monitoring:
            serving_monitoring.lay_out(page)
    together = {"serve": serve, "models": models, "routing": routing, serving_monitoring.PART: monitoring}
    wire_parts(page, TAB, parts, together)
