"""One calm look, light and dark, from system fonts: nothing is fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
EMBER = gr.themes.Color(
    name="ember",
    c50="#fdf5ef",
    c100="#fae6d6",
    c200="#f3c9a8",
    c300="#eaa877",
    c400="#de854b",
    c500="#c8672b",
    c600="#ad5322",
    c700="#8c411d",
    c800="#6c341b",
    c900="#502818",
    c950="#2e150b",
)
STYLES = ("page", "start", "datasets", "rows", "runs", "models", "training", "export", "serving")
CSS = [Path(__file__).with_name(f"{name}.css") for name in STYLES]
ICON = Path(__file__).with_name("hearth.svg")


def make_theme() -> gr.themes.Base:
    """Warm greys with one accent."""
    return gr.themes.Soft(
        primary_hue=EMBER,
        secondary_hue="stone",
        neutral_hue="stone",
        radius_size="md",
        font=[gr.themes.Font(name) for name in SANS],
        font_mono=[gr.themes.Font(name) for name in MONO],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#191716",
        block_background_fill_dark="#22201e",
        background_fill_secondary_dark="#1f1d1b",
        background_fill_primary_dark="#22201e",
        input_background_fill_dark="#2b2826",
        border_color_primary_dark="#3b3733",
        # Readable on the page's own background and on that of code: 5 to 1.
        body_text_color_subdued="#6b645f",
        block_shadow="none",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        checkbox_label_background_fill_selected="*primary_600",
        checkbox_label_background_fill_selected_dark="*primary_600",
        button_secondary_background_fill_dark="#2f2b28",
        button_secondary_background_fill_hover_dark="#3b3733",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_title_text_weight="600",
        block_title_background_fill="transparent",
        block_title_background_fill_dark="transparent",
        block_title_padding="0",
        block_label_text_color="*body_text_color",
        block_label_text_color_dark="*body_text_color",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
    )
