"""The side-by-side chat on the Evaluation tab: a chat job holds the models, this shows what they say as they say it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from evaluation.spec import ChatSpec
from jobs import launcher
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.hardware import probe
from ui.choices import dataset_of, train_job
from ui.conversation import ask, conversation_html, finished, save_turns
from ui.job_view import empty, job_html
from ui.page import SKIP, Page
from ui.picks import Pick

TAB = "evaluation"
LONGEST_ANSWER = 200
REFRESH_SECONDS = 0.15
NOTHING = "Open the chat to ask the tuned model and its base the same question."


def lay_out(page: Page, tuned: Pick) -> None:
    """Draw the chat here and wire it. `tuned`: which trained model answers."""
    gr.Markdown("### Chat side by side")
    with gr.Row():
        opener = gr.Button("Open chat", elem_id="open-chat", size="sm", scale=0, min_width=170)
        closer = gr.Button("Close chat", visible=False, size="sm", scale=0, min_width=170)
        clear = gr.Button("New conversation", visible=False, size="sm", scale=0, min_width=170)
    state = gr.HTML(empty(NOTHING), elem_id="chat-job")
    talk = gr.HTML("", elem_id="chat")
    error = gr.HTML(visible=False)
    with gr.Row(equal_height=False):
        message = gr.Textbox(
            show_label=False, placeholder="Ask both…", lines=3, max_lines=8, scale=6, elem_id="message", min_width=200
        )
        with gr.Column(scale=0, min_width=200):
            send = gr.Button("Send", variant="primary", elem_id="send")
            example = gr.Button("Take a held-out prompt", size="sm")
    cursor = gr.Textbox(visible=False)
    outputs = [state, talk, opener, closer, clear, cursor]

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return chat_view(workspace, known or "")

    def open_now(workspace: Workspace) -> list[Any]:
        open_chat(workspace, tuned.value(workspace))
        return poll(workspace)

    def close_now(workspace: Workspace) -> list[Any]:
        job = running_chat(workspace)
        if job is not None:
            launcher.stop(job)
        return poll(workspace)

    def start_again(workspace: Workspace) -> list[Any]:
        save_turns(workspace, [])
        return poll(workspace)

    def take_example(workspace: Workspace) -> list[Any]:
        return [held_out_prompt(workspace, tuned.value(workspace))]

    def say(workspace: Workspace, text: str) -> Iterator[list[Any]]:
        send_message(workspace, tuned.value(workspace), text)
        yield ["", *poll(workspace)]
        while not finished(workspace) and running_chat(workspace) is not None:
            time.sleep(REFRESH_SECONDS)
            yield [SKIP, *poll(workspace)]
        yield [SKIP, *poll(workspace)]

    page.load(poll, outputs)
    page.poll(TAB, poll, [cursor], outputs)
    page.on(opener.click, open_now, [], outputs, error)
    page.on(closer.click, close_now, [], outputs, error)
    page.on(clear.click, start_again, [], outputs, error)
    page.on(example.click, take_example, [], [message], error)
    page.stream([send.click, message.submit], say, [message], [message, *outputs], error)


def running_chat(workspace: Workspace) -> JobDirectory | None:
    """The chat job that is alive, if any."""
    jobs = workspace.list_jobs("chat")[:1]
    return jobs[0] if jobs and jobs[0].status().state.active else None


def open_chat(workspace: Workspace, job_id: str | None) -> JobDirectory:
    """The running chat with that model; else a new one, after closing one with another model. Raises Missing."""
    job = train_job(workspace, job_id)
    if job is None:
        raise Missing(
            "There is no trained model yet.", "The chat compares one with its base.", "Train one on the Training tab."
        )
    spec = ChatSpec.parse({"model": f"job:{job.id}"})
    chat = running_chat(workspace)
    if chat is not None and chat.header["spec"]["model"] == spec.model:
        return chat
    if chat is not None:
        launcher.stop(chat)
        save_turns(workspace, [])
    title = f"Chat with {job.header['title']}"
    resource = probe(workspace.root).resource
    return launcher.start(workspace, "chat", spec.model_dump(mode="json"), title=title, resource=resource)


def send_message(workspace: Workspace, job_id: str | None, text: str) -> None:
    """Ask both sides, opening the chat where it isn't. Raises BadInput for an empty question."""
    if not text.strip():
        raise BadInput(
            "There is nothing to ask.", "The message is empty.", "Write a question, or take a held-out prompt."
        )
    if not finished(workspace) and running_chat(workspace) is not None:
        raise BadInput(
            "The last question isn't answered yet.", "Both models still write.", "Wait for them, or close the chat."
        )
    ask(workspace, open_chat(workspace, job_id), text.strip(), ["base", "tuned"], LONGEST_ANSWER)


def chat_view(workspace: Workspace, known: str) -> list[Any]:
    """The chat job's state, the conversation, the buttons and the cursor; skipped when they are as `known`."""
    jobs = workspace.list_jobs("chat")[:1]
    status = launcher.observe(jobs[0]) if jobs else None
    talk = conversation_html(workspace)
    shown = state_html(jobs[0], status) if jobs and status else empty(NOTHING)
    cursor = str(hash((shown, talk)))
    if cursor == known:
        return [SKIP, SKIP, SKIP, SKIP, SKIP, SKIP]
    active = status is not None and status.state.active
    buttons = [gr.Button(visible=not active), gr.Button(visible=active), gr.Button(visible=bool(talk))]
    return [shown, talk, *buttons, cursor]


def state_html(job: JobDirectory, status: Status) -> str:
    """What the chat job does. A closed chat is nothing to resume: the next message opens another."""
    if status.state is State.STOPPED:
        return empty("The chat is closed. Send a message, and it opens again.")
    if status.state is State.SUCCEEDED:
        return empty(f"The chat was {status.message or 'closed'}. Send a message, and it opens again.")
    return job_html(job, status)


def held_out_prompt(workspace: Workspace, job_id: str | None) -> str:
    """A question from the part of the data that training never saw. Raises Missing without one."""
    job = train_job(workspace, job_id)
    version = dataset_of(workspace, str(job.header["spec"]["data"])) if job else None
    rows = version.eval() if version else []
    questions = [turn["content"] for row in rows for turn in row["messages"] if turn["role"] == "user"]
    if not questions:
        raise Missing(
            "There is no held-out prompt.", "The trained model's dataset has none.", "Write a question of your own."
        )
    return str(random.choice(questions))
