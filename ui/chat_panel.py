"""The chat on the Evaluation tab: up to four models answer the same question, openly or blind; votes decide."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from jobs import launcher
from jobs.directory import JobDirectory, State, Status
from jobs.errors import Missing
from jobs.workspace import Workspace
from ui import chat_models
from ui.chat_acts import (
    correct,
    is_blind,
    next_prompt,
    open_chat,
    rate,
    retry,
    running_chat,
    send,
    turn_of,
    vote,
)  # fmt: skip
from ui.chat_models import chosen_models, model_options, models_or_none, newest_pair, short_name
from ui.chat_view import conversation_html, prompt_html
from ui.choices import dataset_of, trained_options
from ui.clicks import Click, acting_html, on_click
from ui.conversation import DRAFT, all_shown, answers_of, begin_conversation, read_conversation, show_branch
from ui.drafts import read_draft, save_draft
from ui.job_view import empty, job_html
from ui.page import SKIP, Page

TAB = "evaluation"
REFRESH_SECONDS = 0.15
NOTHING = (
    "Ask something, and the chosen models answer side by side. In a blind chat you vote before you see who is who."
)


class ChatPanel:
    """The components, laid out where this is made, and wired to the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._lay_out_models()
        self.talk = acting_html("", elem_id="chat")
        self.seen = gr.HTML("", elem_id="chat-prompt")
        self.error = gr.HTML(visible=False)
        with gr.Column(visible=False, elem_classes="hearth-editor") as self.editor:
            self.about = gr.Textbox(visible=False)
            self.edit = gr.Textbox(
                label="The answer as it should have been", lines=4, max_lines=16, elem_id="correction"
            )
            with gr.Row(elem_classes="hearth-buttons"):
                self.keep = gr.Button("Keep the correction", size="sm", elem_id="keep-correction")
                self.leave = gr.Button("Leave it", size="sm")
        with gr.Row(equal_height=False):
            self.message = gr.Textbox(
                show_label=False, placeholder="Ask them all…", lines=3, max_lines=8, scale=6, elem_id="message",
                min_width=200,
            )  # fmt: skip
            with gr.Column(scale=0, min_width=200):
                self.send = gr.Button("Send", variant="primary", elem_id="send")
                self.example = gr.Button("Take a held-out prompt", size="sm")
                self.next = gr.Button("Next of my list", size="sm", elem_id="next-prompt")
        self._lay_out_lists()
        self.cursor = gr.Textbox(visible=False)
        self.outputs = [self.state, self.talk, self.opener, self.closer, self.clear, self.cursor]
        self._wire()

    def _lay_out_models(self) -> None:
        with gr.Row(equal_height=False):
            self.models = gr.Dropdown(
                [], multiselect=True, max_choices=4, allow_custom_value=True, label="Models", scale=5, min_width=280,
                info="Two to four. Also a .gguf file, ollama:NAME, or https://host/v1#NAME; type it and press Enter.",
                elem_id="chat-models",
            )  # fmt: skip
            self.blind = gr.Checkbox(
                label="Blind", info="Hides who is who until you vote.", min_width=180, scale=1, elem_id="chat-blind"
            )
        with gr.Accordion("System prompt and sampling of each", open=False):
            self.settings = chat_models.lay_out_settings()
        with gr.Row():
            self.opener = gr.Button("Open chat", elem_id="open-chat", size="sm", scale=0, min_width=170)
            self.closer = gr.Button(
                "Close chat", visible=False, size="sm", scale=0, min_width=170, elem_id="close-chat"
            )
            self.clear = gr.Button(
                "New conversation", visible=False, size="sm", scale=0, min_width=170, elem_id="new-conversation"
            )
        self.state = gr.HTML(empty(NOTHING), elem_id="chat-job")

    def _lay_out_lists(self) -> None:
        self.comment = gr.Textbox(
            label="Comment", info="Kept with your next vote or correction.", lines=1, elem_id="vote-comment"
        )
        with gr.Accordion("Work through a list of prompts", open=False):
            self.prompts = gr.Textbox(
                label="Prompts", info="One on each line; “Next of my list” takes them in turn.", lines=4, max_lines=12,
                elem_id="prompt-list",
            )  # fmt: skip

    def _wire(self) -> None:
        page, error = self.page, self.error
        chosen = [self.models, self.blind, *self.settings.outputs, self.prompts]
        page.load(self._show_chosen, chosen)
        page.load(self._poll, self.outputs)
        page.poll(TAB, self._poll, [self.cursor], self.outputs)
        known = gr.Textbox(visible=False)
        page.load(lambda workspace: [newest_pair(workspace)], [known])
        page.poll(TAB, self._follow_newest, [known], [self.models, *self.settings.outputs, known])
        page.on(self.models.change, self._choose, [self.models], [*self.settings.outputs, *self.outputs], error)
        page.on(self.blind.input, self._go_blind, [self.blind], [*self.settings.outputs, *self.outputs], error)
        for field in self.settings.fields:
            page.on([field.blur, field.submit], self._keep_settings, self.settings.fields, [], error, quiet=True)
        page.on([self.prompts.blur], self._keep_prompts, [self.prompts], [], error, quiet=True)
        page.on(self.opener.click, self._open, [], self.outputs, error)
        page.on(self.closer.click, self._close, [], self.outputs, error)
        page.on(self.clear.click, self._begin, [], [*self.outputs, self.seen], error)
        page.on(self.example.click, self._example, [], [self.message], error)
        page.on(self.next.click, self._next, [self.prompts], [self.message, *self.outputs], error)
        asked = [self.message, *self.outputs]
        page.stream([self.send.click, self.message.submit], self._say, [self.message], asked, error)
        correction = [self.editor, self.about, self.edit]
        clicked = [self.message, self.seen, *correction, self.comment, *self.outputs]
        on_click(page, self.talk, self._act, [self.comment], clicked, error)
        kept = [self.editor, self.comment, *self.outputs]
        page.on(self.keep.click, self._correct, [self.about, self.edit, self.comment], kept, error)
        page.on(self.leave.click, lambda _: [gr.Column(visible=False)], [], [self.editor], error)

    def _follow_newest(self, workspace: Workspace, seen: str) -> list[Any]:
        """A training that ends while the page is open is what the chat compares next, unless others were chosen."""
        now = newest_pair(workspace)
        if now == seen:
            return [SKIP for _ in [self.models, *self.settings.outputs, seen]]
        shown = self._show_chosen(workspace)
        return [shown[0], *shown[2:-1], now]

    def _show_chosen(self, workspace: Workspace) -> list[Any]:
        blind = is_blind(workspace)
        options, models = model_options(workspace), models_or_none(workspace)
        choices = [*options, *[(model, model) for model in models if model not in [known for _, known in options]]]
        prompts = read_draft(workspace, DRAFT).get("prompts", "")
        return [
            gr.Dropdown(choices=choices, value=models),
            blind,
            *chat_models.show_settings(workspace, blind),
            prompts,
        ]

    def _choose(self, workspace: Workspace, models: list[str]) -> list[Any]:
        if models == models_or_none(workspace):  # shown by the page itself, nobody's choice
            return [SKIP for _ in [*self.settings.outputs, *self.outputs]]
        chat_models.check_models(self.page.settings, workspace, models)
        save_draft(workspace, DRAFT, models=models or None)
        return [*chat_models.show_settings(workspace, is_blind(workspace)), *self._poll(workspace)]

    def _go_blind(self, workspace: Workspace, blind: bool) -> list[Any]:
        save_draft(workspace, DRAFT, blind=blind or None)
        begin_conversation(workspace)
        return [*chat_models.show_settings(workspace, blind), *self._poll(workspace)]

    def _keep_settings(self, workspace: Workspace, *values: Any) -> list[Any]:
        chat_models.keep_settings(workspace, values)
        return []

    def _keep_prompts(self, workspace: Workspace, text: str) -> list[Any]:
        if text != read_draft(workspace, DRAFT).get("prompts", ""):
            save_draft(workspace, DRAFT, prompts=text or None, prompts_done=None)
        return []

    def _open(self, workspace: Workspace) -> list[Any]:
        open_chat(workspace)
        return self._poll(workspace)

    def _close(self, workspace: Workspace) -> list[Any]:
        job = running_chat(workspace)
        if job is not None:
            launcher.stop(job)
        return self._poll(workspace)

    def _begin(self, workspace: Workspace) -> list[Any]:
        begin_conversation(workspace)
        return [*self._poll(workspace), ""]

    def _example(self, workspace: Workspace) -> list[Any]:
        return [held_out_prompt(workspace)]

    def _next(self, workspace: Workspace, prompts: str) -> list[Any]:
        self._keep_prompts(workspace, prompts)
        return [next_prompt(workspace), *self._poll(workspace)]

    def _say(self, workspace: Workspace, text: str) -> Iterator[list[Any]]:
        chat_models.check_models(self.page.settings, workspace, chosen_models(workspace))
        send(workspace, text)
        yield ["", *self._poll(workspace)]
        yield from self._follow(workspace, [SKIP])

    def _follow(self, workspace: Workspace, before: list[Any]) -> Iterator[list[Any]]:
        """Show answers as they come, until all have."""
        while not all_shown(workspace) and running_chat(workspace) is not None:
            time.sleep(REFRESH_SECONDS)
            yield [*before, *self._poll(workspace)]
        yield [*before, *self._poll(workspace)]

    def _act(self, workspace: Workspace, click: Click, comment: str) -> list[Any]:
        """What the buttons in the conversation do."""
        known, _, letter = click.about.partition(":")
        if click.action == "go":
            show_branch(workspace, known)
            return [SKIP, "", SKIP, SKIP, SKIP, SKIP, *self._poll(workspace)]
        turn = turn_of(workspace, known)
        message, seen, correction, said = SKIP, SKIP, [SKIP, SKIP, SKIP], SKIP
        match click.action:
            case "vote":
                vote(workspace, turn, letter, comment)
                said = ""
            case "good" | "poor":
                rate(workspace, turn, letter, click.action == "good")
            case "retry":
                retry(workspace, turn)
            case "edit":
                save_draft(workspace, DRAFT, editing=turn.id)
                message = turn.text
            case "correct":
                text = answers_of(workspace, turn)[turn.letters.index(letter)].text
                correction = [gr.Column(visible=True), click.about, text]
            case "tokens":
                seen = prompt_html(turn, letter, answers_of(workspace, turn)[turn.letters.index(letter)])
        return [message, seen, *correction, said, *self._poll(workspace)]

    def _correct(self, workspace: Workspace, about: str, text: str, comment: str) -> list[Any]:
        known, _, letter = about.partition(":")
        correct(workspace, turn_of(workspace, known), letter, text, comment)
        return [gr.Column(visible=False), "", *self._poll(workspace)]

    def _poll(self, workspace: Workspace, known: str = "") -> list[Any]:
        """The chat job's state, the conversation, the buttons and the cursor; skipped when they are as `known`."""
        jobs = workspace.list_jobs("chat")[:1]
        status = launcher.observe(jobs[0]) if jobs else None
        models = {model for turn in read_conversation(workspace).path() for model in turn.models}
        talk = conversation_html(workspace, {model: short_name(workspace, model) for model in models})
        shown = state_html(jobs[0], status) if jobs and status else empty(NOTHING)
        cursor = str(hash((shown, talk)))
        if cursor == (known or ""):
            return [SKIP, SKIP, SKIP, SKIP, SKIP, SKIP]
        active = status is not None and status.state.active
        buttons = [gr.Button(visible=not active), gr.Button(visible=active), gr.Button(visible=bool(talk))]
        return [shown, talk, *buttons, cursor]


def state_html(job: JobDirectory, status: Status) -> str:
    """What the chat job does. A closed chat is nothing to resume: the next message opens another."""
    if status.state is State.STOPPED:
        return empty("The chat is closed. Send a message, and it opens again.")
    if status.state is State.SUCCEEDED:
        return empty(f"{status.message or 'The chat was closed'}. Send a message, and it opens again.")
    if status.state is State.RUNNING and status.message in ("ready", "answering"):
        together = (job.resolved or {}).get("together", {})
        alone = f" One after the other: {together['origin']}." if together.get("value") is False else ""
        words = "Ready: ask something." if status.message == "ready" else "The models are writing…"
        return f'<p class="hearth-chat-state quiet">{words}{alone}</p>'
    return job_html(job, status)


def held_out_prompt(workspace: Workspace) -> str:
    """A question from the part of the newest training's data that it never saw. Raises Missing without one."""
    for _, known in trained_options(workspace)[:1]:
        version = dataset_of(workspace, str(workspace.job(known).header["spec"]["data"]))
        rows = version.eval() if version else []
        questions = [turn["content"] for row in rows for turn in row.get("messages", []) if turn["role"] == "user"]
        if questions:
            return str(random.choice(questions))
    raise Missing(
        "There is no held-out prompt.", "The trained model's dataset has none.", "Write a question of your own."
    )
