"""The Serving tab: models that answer other programs, which one is in use, who gets which, and how they do."""

from __future__ import annotations

import gradio as gr

from ui import (
    serving_experiments,
    serving_loop,
    serving_monitoring,
    serving_panel,
    serving_registry,
    serving_routing,
)
from ui.page import Page
from ui.parts import wire_parts
from ui.serving_choice import TAB

# The parts' ids; those of monitoring and experiments are also what keeps them still while others are open.
PARTS = {
    "serve": ("Serve", serving_panel),
    "models": ("Models", serving_registry),
    "routing": ("Routing", serving_routing),
    serving_experiments.PART: ("Experiments", serving_experiments),
    "loop": ("Learning loop", serving_loop),
    serving_monitoring.PART: ("Monitoring", serving_monitoring),
}


def lay_out(page: Page) -> None:
    """Draw the tab and wire it."""
    page.within |= {module.TAB: TAB for _, module in PARTS.values() if module.TAB != TAB}
    tabs = {}
    with gr.Tabs(elem_id="serving-parts", overflow_behavior="wrap") as parts:
        for name, (title, module) in PARTS.items():
            with gr.Tab(title, id=name) as tabs[name]:
                module.lay_out(page)
    wire_parts(page, TAB, parts, tabs)
