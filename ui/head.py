"""What the page carries in its head: a style that can't stand in the style sheets, and a mend of Gradio's own page."""

from __future__ import annotations

from pathlib import Path

import gradio

# What Gradio's own container doesn't hold can't stand in @media of the style sheets.
STILL = "html:not(.hearth-filled) body::before { animation: none; }"
# Gradio's page notes a progress for every output and every input of a call, keeps it for good, and with each sign of
# any call hands all of them out again, to each by a walk over the whole page. After a few changes of a form of a
# hundred fields a click on a tab took half a second. Kept is what somebody sees: not what is hidden, nor of inputs.
KEEP_WHAT_IS_SEEN = """
for (const { prototype } of Object.values(await import(new URL('%s', document.baseURI)))) {
  if (!prototype?.resolve_args) continue;
  const update = prototype.update;
  prototype.update = function (sign) {
    update.call(this, sign);
    for (const [id, noted] of Object.entries(this.current))
      if (noted.show_progress === 'hidden' || noted.type === 'input') delete this.current[id];
  };
}
"""


def make_head() -> str:
    """Markup. Without the mend where this Gradio's page is made otherwise: it then is slow, but does all it does."""
    style = f"<style>@media (prefers-reduced-motion: reduce) {{ {STILL} }}</style>"
    part = progress_part()
    return style if part is None else f'{style}<script type="module">{KEEP_WHAT_IS_SEEN % part}</script>'


def progress_part() -> str | None:
    """The address, from the page's own, of the part of Gradio's page that notes progress. None where there is none."""
    root = Path(gradio.__file__).parent / "templates" / "frontend"
    for path in sorted(root.glob("assets/*.js")):
        if "resolve_args(" in path.read_text(encoding="utf-8"):
            return path.relative_to(root).as_posix()
    return None
