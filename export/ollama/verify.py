"""Does the model in Ollama behave as it was trained? One answer, and the server's own prompts beside the training's.

The prompts come from the server itself (`OllamaClient.render`): which template it uses can't be told in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from export.ollama.client import ModelParts, OllamaClient
from export.rendering import OLLAMA, Difference, LeftOut, RenderingCheck, conversations_to_compare, excerpt
from export.templates.conversations import BASIC, SYSTEM, Conversation, Message, system, user
from jobs.errors import UserError

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

NOT_VERIFIED = "not verified in Ollama"
QUESTION = Conversation("a greeting", [user("Hello, who are you?")])


@dataclass(frozen=True)
class Check:
    """What was found. `own`: names of the conversations that are the user's; `unverified`: why no prompts were
    compared, None when they were."""

    question: str
    answer: str
    finish_reason: str | None
    rendering: RenderingCheck | None
    own: tuple[str, ...]
    unverified: str | None

    @property
    def passed(self) -> bool:
        """The model answered, and the prompts of any plain chat and of the user's own are the training's.

        Others may differ (Ollama merges turns in a row of one role, say): they are named, and don't count here.
        """
        if self.rendering is None or not self.answer.strip():
            return False
        counting = {conversation.name for conversation in (*BASIC, *SYSTEM)} | set(self.own)
        return not counting & {difference.conversation for difference in self.rendering.differences}

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.rendering is None:
            prompts = f"{NOT_VERIFIED}: {self.unverified}"
        else:
            prompts = self.rendering.verdict
            others = [difference.conversation for difference in self.rendering.differences]
            prompts += f"; other prompts for: {', '.join(others)}" if others else ""
        return prompts if self.answer.strip() else f"{prompts}; the model answered nothing"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed, "verdict": self.verdict}


def verify(
    client: OllamaClient,
    model: str,
    parts: ModelParts,
    tokenizer: ChatTokenizer | None,
    *,
    own: Sequence[Conversation] = (),
    answer_tokens: int = 32,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Check:
    """Ask and compare. `tokenizer` is the training's, None where it is gone; `own` are held-out prompts, of which the
    first is asked. Raises UserError when the model can't be asked."""
    asked = own[0] if own else QUESTION
    pieces = list(
        client.chat(model, asked.messages, tools=asked.tools, num_predict=answer_tokens, temperature=0, seed=0)
    )
    rendering, unverified = None, None
    if tokenizer is None:
        unverified = "the training, whose template it would be compared with, is not at hand"
    else:
        rendering = check_rendering(
            client, model, parts.system, tokenizer, conversations_to_compare(own), progress=progress
        )
        if rendering is None:
            unverified = "this server doesn't tell how it writes prompts (newer ones do)"
    return Check(
        question=str(asked.messages[-1]["content"]),
        answer="".join(piece.text for piece in pieces),
        finish_reason=pieces[-1].finish_reason,
        rendering=rendering,
        own=tuple(conversation.name for conversation in own),
        unverified=unverified,
    )


def check_rendering(
    client: OllamaClient,
    model: str,
    head: str | None,
    tokenizer: ChatTokenizer,
    conversations: Sequence[Conversation],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RenderingCheck | None:
    """Each conversation's prompt from the server beside the training's; None where the server doesn't tell its own.

    `head` is the model's system prompt, which Ollama puts before a conversation that has none; the training's prompt
    is therefore made with it. What the training's template refuses is not covered.
    """
    same: list[str] = []
    differences: list[Difference] = []
    not_covered: list[LeftOut] = []
    for number, conversation in enumerate(conversations):
        progress(number, len(conversations))
        try:
            expected = _expected(conversation, head, tokenizer)
        except UserError as error:
            not_covered.append(LeftOut(conversation.name, error.why))
            continue
        try:
            found = client.render(model, conversation.messages, conversation.tools)
        except UserError as error:
            differences.append(Difference(conversation.name, None, expected, f"refused: {error.why}"))
            continue
        if found is None:
            return None
        difference = _difference(conversation.name, expected, found, tokenizer)
        same += [] if difference else [conversation.name]
        differences += [difference] if difference else []
    return RenderingCheck(OLLAMA, tuple(same), tuple(differences), tuple(not_covered))


def _expected(conversation: Conversation, head: str | None, tokenizer: ChatTokenizer) -> str:
    messages: list[Message] = conversation.messages
    if head and messages[0]["role"] != "system":
        messages = [system(head), *messages]
    return tokenizer.render(messages, conversation.tools, add_generation_prompt=True)


def _difference(name: str, expected: str, found: str, tokenizer: ChatTokenizer) -> Difference | None:
    """Where the tokens part; None where they don't."""
    if found == expected or _begins_later(expected, found, tokenizer):
        return None
    ours, theirs = tokenizer.encode(expected), tokenizer.encode(found)
    if ours == theirs:
        return None
    shorter = min(len(ours), len(theirs))
    first = next((place for place in range(shorter) if ours[place] != theirs[place]), shorter)
    return Difference(name, first, excerpt(tokenizer, ours, first), excerpt(tokenizer, theirs, first))


def _begins_later(expected: str, found: str, tokenizer: ChatTokenizer) -> bool:
    """Whether only the token that begins every text is missing, which Ollama adds after it has written the prompt."""
    if not expected.endswith(found):
        return False
    before = tokenizer.encode(expected.removesuffix(found))
    return len(before) == 1 and tokenizer.decode(before) == ""
