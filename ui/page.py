"""What all tabs share while the page is put together: whose workspace, the error boundary, and the one timer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from ui.errors import explain
from ui.translation.answers import translated_answers
from ui.translation.requests import texts_for

VISITOR_COOKIE = "hearth_visitor"
POLL_SECONDS = 2.0
SKIP = gr.skip()
# Presses the hidden buttons of the parts that are due.
FETCH_DUE = """(due) => {
  for (const part of due.split(' ')) if (part) document.getElementById('due-' + part)?.click();
  return [];
}"""

# Two frames after its values came the page is drawn. Until then no tab can be opened, for what fills the page would
# close it again; and where the browser itself opened the first tab after that, the right one is opened now.
FILLED = """(opened) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const tab = document.getElementById(`tab-${opened}-button`);
  if (tab && tab.getAttribute('aria-selected') !== 'true') tab.click();
  document.documentElement.classList.add('hearth-filled');
  document.addEventListener('click', (event) => {
    const chosen = event.isTrusted && event.target.closest?.('[role=tab]');
    if (chosen) window.hearthChosen = chosen.dataset.tabId;
  }, true);
}))"""
# Passes its value on where somebody chose this part of a tab: Gradio selects the first by itself when it draws them.
CHOSEN = "(value) => [window.hearthChosen === '%s' ? value : '']"
# Passes on which tab is open once the page is filled in: what is selected before is nobody's choice.
ONCE_FILLED = "(opened) => [document.documentElement.classList.contains('hearth-filled') ? opened : '']"

QUIETLY: dict[str, Any] = {
    "queue": False, "show_progress": "hidden", "trigger_mode": "once", "api_visibility": "private",
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How the page was started. `local`: bound to loopback, so that whoever sees it sits at this machine.

    `demo`: strangers visit it; each gets a workspace below `root`, small limits, and no paths.
    """

    root: Path
    demo: bool = False
    local: bool = True

    def workspace(self, visitor: str | None = None) -> Workspace:
        """The one workspace, or in demo mode the visitor's own."""
        if not self.demo:
            return Workspace(self.root)
        # Hashed, so that whoever sees a folder's name can't pass for its visitor.
        name = hashlib.sha256((visitor or "nobody").encode()).hexdigest()[:32]
        return Workspace(self.root / "visitors" / name)


@dataclass(frozen=True)
class Polled:
    """A part of the page that the timer keeps up to date while its tab is open ("" for always)."""

    tab: str
    handler: Callable[..., Sequence[Any]]
    inputs: list[Any]
    outputs: list[Any]


@dataclass
class Page:
    """Collects handlers while tabs are laid out, and wires the timer at the end.

    Handlers take the workspace first, then the values of their inputs, and return a value for each output. `within`:
    parts that keep a draft of their own, by its name, and the tab on which each is shown. `front`: where the hidden
    components stand that are looked up most.
    """

    settings: Settings
    tabs: gr.Tabs
    opened: gr.Textbox
    front: gr.Column = field(default_factory=gr.Column)
    polled: list[Polled] = field(default_factory=list)
    loaders: list[Polled] = field(default_factory=list)
    openings: list[Any] = field(default_factory=list)
    within: dict[str, str] = field(default_factory=dict)

    def workspace(self, request: gr.Request | None) -> Workspace:
        cookies = getattr(request, "cookies", None) or {}
        return self.settings.workspace(cookies.get(VISITOR_COOKIE))

    def on(
        self,
        triggers: Any,
        handler: Callable[..., Sequence[Any]],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        error: gr.HTML,
        *,
        quiet: bool = False,
        told: bool = False,
        every: bool = False,
        js: str | None = None,
    ) -> Any:
        """Call `handler` on any of `triggers`; what it raises shows in `error`, and the outputs stay as they are.

        `quiet`: without a sign of waiting, for what happens while someone types. `told`: the handler gets what the
        event itself says after the workspace. `every`: also when it is called again before it has answered, in turn.
        `js`: makes in the browser of the inputs' values what the handler gets.
        """

        def call(request: gr.Request, *values: Any) -> list[Any]:
            try:
                shown = [*handler(self.workspace(request), *values), gr.HTML(value="", visible=False)]
            except Exception as problem:  # noqa: BLE001 - the boundary: everything is shown, in words
                shown = [*[SKIP for _ in outputs], gr.HTML(value=explain(problem), visible=True)]
            return in_language(request, [*outputs, error], shown)

        def call_told(event: gr.EventData, request: gr.Request, *values: Any) -> list[Any]:
            return call(request, event._data, *values)

        return gr.on(
            triggers,
            call_told if told else call,
            list(inputs),
            [*outputs, error],
            queue=not quiet,
            show_progress="hidden" if quiet else "minimal",
            show_progress_on=error,
            trigger_mode="multiple" if every else "always_last" if quiet else "once",
            api_visibility="private",
            js=js,
        )

    def stream(
        self,
        triggers: Any,
        handler: Callable[..., Iterator[Sequence[Any]]],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        error: gr.HTML,
    ) -> Any:
        """As `on`, for a handler that yields its outputs again and again."""

        def call(request: gr.Request, *values: Any) -> Iterator[list[Any]]:
            try:
                for shown in handler(self.workspace(request), *values):
                    yield in_language(request, [*outputs, error], [*shown, gr.HTML(value="", visible=False)])
            except Exception as problem:  # noqa: BLE001 - the boundary: everything is shown, in words
                told = [*[SKIP for _ in outputs], gr.HTML(value=explain(problem), visible=True)]
                yield in_language(request, [*outputs, error], told)

        options: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "once", "api_visibility": "private"}
        return gr.on(triggers, call, list(inputs), [*outputs, error], concurrency_limit=8, **options)

    def poll(
        self, tab: str, handler: Callable[..., Sequence[Any]], inputs: Sequence[Any], outputs: Sequence[Any]
    ) -> None:
        """Have the timer call `handler` while `tab` is open."""
        self.polled.append(Polled(self.within.get(tab, tab), handler, list(inputs), list(outputs)))

    def load(self, handler: Callable[..., Sequence[Any]], outputs: Sequence[Any]) -> None:
        """Have `handler` fill `outputs` whenever the page is opened."""
        self.loaders.append(Polled("", handler, [], list(outputs)))

    def wire(self, blocks: gr.Blocks, fault: gr.HTML) -> None:
        """Connect what was collected: one request fills the page, then the timer keeps it up to date.

        To Gradio an output that is skipped costs as much as one that changes: it makes the component anew. So the timer
        only asks which parts are due, and the page then fetches these alone. What `openings` hold opens a tab, which is
        brought up to date at once.

        To find one component Gradio's page walks over all that stand before it: what every look reads stands first.
        """
        filled = self._wire_together(blocks.load, self.loaders, fault)
        filled.then(None, [self.opened], None, js=FILLED, **QUIETLY)
        inputs = [self.opened, *(value for part in self.polled for value in part.inputs)]
        with self.front:
            due, timer = gr.Textbox(visible=False), gr.Timer(POLL_SECONDS)
            for value in dict.fromkeys(inputs):
                value.unrender()
                value.render()
            for place, part in enumerate(self.polled):
                fetch = gr.Button(visible="hidden", elem_id=f"due-{place}")
                self._wire_together(fetch.click, [part], fault)
        for trigger in (timer.tick, *(opening.then for opening in self.openings)):
            asked = trigger(self._which_are_due, inputs, [due], **QUIETLY)
            asked.then(None, [due], None, js=FETCH_DUE, **QUIETLY)

    def _which_are_due(self, request: gr.Request, opened: str, *values: Any) -> str:
        """The places in `polled` of what is to be shown anew, in a line."""
        workspace, due, given = self.workspace(request), [], iter(values)
        for place, part in enumerate(self.polled):
            own = [next(given) for _ in part.inputs]
            if part.tab in ("", opened) and _is_due(part, workspace, own):
                due.append(str(place))
        return " ".join(due)

    def _wire_together(self, trigger: Any, parts: list[Polled], fault: gr.HTML) -> Any:
        def call(request: gr.Request, *values: Any) -> list[Any]:
            given, fault_shown = iter(values), SKIP
            shown: list[Any] = []
            workspace = self.workspace(request)
            for part in parts:
                own = [next(given) for _ in part.inputs]
                try:
                    shown += part.handler(workspace, *own)
                except Exception as problem:  # noqa: BLE001 - the boundary: everything is shown, in words
                    shown += [SKIP for _ in part.outputs]
                    fault_shown = gr.HTML(explain(problem), visible=True)
            return in_language(request, [*outputs, fault], [*shown, fault_shown])

        inputs = [value for part in parts for value in part.inputs]
        outputs = [output for part in parts for output in part.outputs]
        # Gradio marks the progress of a call on every output it has, one by one, unless it is told where.
        return trigger(call, inputs, [*outputs, fault], show_progress_on=fault, **QUIETLY)


def in_language(request: gr.Request | None, outputs: Sequence[Any], answers: Sequence[Any]) -> list[Any]:
    """What a handler answered, in the language of whoever asked."""
    texts = texts_for(request)
    return list(answers) if texts is None else translated_answers(outputs, answers, texts)


def _is_due(part: Polled, workspace: Workspace, inputs: list[Any]) -> bool:
    """Whether the part shows anything else than what it shows now. What goes wrong is shown when it is fetched."""
    try:
        return any(value is not SKIP for value in part.handler(workspace, *inputs))
    except Exception:  # noqa: BLE001 - the same is raised, and explained, when the part is fetched
        return True


class VisitorCookie:
    """ASGI middleware: whoever opens the page without one gets a random name, under which their workspace is kept."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = scope.get("headers", [])
        known = any(name == b"cookie" and VISITOR_COOKIE.encode() in value for name, value in headers)
        if scope["type"] != "http" or scope["path"] != "/" or known:
            await self._app(scope, receive, send)
            return
        # On Spaces the page stands in another site's frame, which only gets cookies that are marked for it.
        framed = "; Secure; SameSite=None; Partitioned" if _is_https(scope) else "; SameSite=Lax"
        cookie = f"{VISITOR_COOKIE}={secrets.token_hex(16)}; Path=/; HttpOnly; Max-Age=604800{framed}"

        async def send_with_cookie(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"set-cookie", cookie.encode())]
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _is_https(scope: dict[str, Any]) -> bool:
    forwarded = [value for name, value in scope.get("headers", []) if name == b"x-forwarded-proto"]
    return scope.get("scheme") == "https" or b"https" in b",".join(forwarded)
