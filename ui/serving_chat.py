"""The small chat on the Serving tab: asks the running server, streams its answer, and sends it what people think."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from jobs.errors import UserError
from jobs.workspace import Workspace
from serving.spec import AUTO
from ui import demo
from ui.clicks import Click, acting_html, on_click
from ui.job_panel import JobPanel
from ui.page import SKIP, Page
from ui.serving_running import require_served, shown_server
from ui.serving_talk import correct, keep_about, rate, read_about, read_turns, save_turns, say, talk_html, turn_of


class ServingChat:
    """The components, laid out where this is made, and wired to the page. `panel` shows which server is asked."""

    def __init__(self, page: Page, panel: JobPanel) -> None:
        self.page = page
        self.panel = panel
        with gr.Column(visible=False, elem_id="serving-chat") as self.column:
            gr.Markdown("**Chat with it**")
            self.talk = acting_html("", elem_id="serving-talk")
            self.error = gr.HTML(visible=False)
            self._lay_out_editor()
            self._lay_out_message()
        self.follows = [self.column, self.model]
        self._wire()

    def _lay_out_editor(self) -> None:
        with gr.Column(visible=False, elem_classes="hearth-editor") as self.editor:
            self.about = gr.Textbox(visible=False)
            self.edit = gr.Textbox(
                "", label="The answer as it should have been", lines=4, max_lines=16, elem_id="serving-correction"
            )
            with gr.Row(elem_classes="hearth-buttons"):
                self.keep = gr.Button("Send the correction", size="sm", elem_id="send-correction")
                self.leave = gr.Button("Leave it", size="sm")

    def _lay_out_message(self) -> None:
        self.message = gr.Textbox(
            "", show_label=False, placeholder="Ask the server…", lines=2, max_lines=8, elem_id="serving-message"
        )
        with gr.Row(equal_height=False):
            self.model = gr.Dropdown(
                [AUTO], value=AUTO, label="Model", allow_custom_value=True, min_width=160, elem_id="serving-model",
                info="auto: the server's rules choose.",
            )  # fmt: skip
            with gr.Column(min_width=160):
                self.send = gr.Button("Send", variant="primary", elem_id="serving-send")
                self.clear = gr.Button("New conversation", size="sm")
        with gr.Accordion("About the request", open=False):
            with gr.Row(equal_height=False):
                self.user = gr.Textbox("", label="User", info="Weights and experiments stick to it.", min_width=150)
                self.tag = gr.Textbox("", label="Tag", info="As rules name it.", min_width=150)
                self.mode = gr.Textbox("", label="Reasoning mode", info="As rules name it.", min_width=150)
            self.key = gr.Textbox(
                "", label="Key", info="Where the server asks for one; it is kept nowhere.", type="password",
                elem_id="serving-key",
            )  # fmt: skip

    def _wire(self) -> None:
        page, error = self.page, self.error
        about = [self.user, self.tag, self.mode]
        page.load(lambda workspace: list(read_about(workspace).values()), about)
        page.load(lambda workspace: [talk_html(read_turns(workspace))], [self.talk])
        for field in about:
            page.on([field.blur, field.submit], self._keep_about, about, [], error, quiet=True)
        asked = [self.message, self.model, self.key, *about]
        page.stream([self.send.click, self.message.submit], self._say, asked, [self.message, self.talk], error)
        page.on(self.clear.click, self._begin, [], [self.talk, self.editor], error)
        edited = [self.editor, self.about, self.edit]
        on_click(page, self.talk, self._act, [self.key], [self.talk, *edited], error)
        page.on(self.keep.click, self._correct, [self.key, self.about, self.edit], [self.talk, self.editor], error)
        page.on(self.leave.click, lambda _: [gr.Column(visible=False)], [], [self.editor], error)

    def _keep_about(self, workspace: Workspace, user: str, tag: str, mode: str) -> list[Any]:
        keep_about(workspace, user=user, tag=tag, reasoning_mode=mode)
        return []

    def _say(
        self, workspace: Workspace, text: str, model: str, key: str, user: str, tag: str, mode: str
    ) -> Iterator[list[Any]]:
        """The message leaves its field when the answer begins, and is back there when that breaks off."""
        demo.refuse(self.page.settings, "Chatting with a server")
        self._keep_about(workspace, user, tag, mode)
        server = shown_server(workspace, self.panel.shown_job(workspace))
        named = require_served(server, model or AUTO)
        try:
            for html in say(workspace, server.address, key, named, text):
                yield ["", html]
        except UserError:
            yield [text, talk_html(read_turns(workspace))]
            raise

    def _begin(self, workspace: Workspace) -> list[Any]:
        save_turns(workspace, [])
        return ["", gr.Column(visible=False)]

    def _act(self, workspace: Workspace, click: Click, key: str) -> list[Any]:
        demo.refuse(self.page.settings, "Rating answers of a server")
        if click.action == "correct":
            turn = turn_of(workspace, click.about)
            return [SKIP, gr.Column(visible=True), turn.answer_id, turn.edit or turn.text]
        rate(workspace, key, click.about, good=click.action == "good")
        return [talk_html(read_turns(workspace)), SKIP, SKIP, SKIP]

    def _correct(self, workspace: Workspace, key: str, about: str, text: str) -> list[Any]:
        demo.refuse(self.page.settings, "Correcting answers of a server")
        correct(workspace, key, about, text)
        return [talk_html(read_turns(workspace)), gr.Column(visible=False)]
