"""Does every server make the same tokens of a conversation as the training did?

What the training template makes is compared with what llama.cpp makes of the template inside the GGUF, and with
whatever else renders it: the Modelfile's TEMPLATE, Ollama itself. Their texts are turned into tokens by llama.cpp, as
a server would, beginning included. Every difference is listed, none is judged harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from export.llama_cpp import LlamaCppError
from export.templates.conversations import (
    EVERY,
    MERGED,
    SPECIAL,
    THINKING,
    TOOLS,
    Conversation,
    Message,
    NotProven,
    headed,
)
from jobs.errors import UserError

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

# (messages, tools) → the prompt's text. Raises UserError or LlamaCppError when it refuses the conversation, NotProven
# for one that it makes no promise about.
Renderer = Callable[[list[Message], list[Any] | None], str]

LLAMA_CPP = "llama.cpp"
OLLAMA = "Ollama"
TEMPLATE = "the Modelfile's TEMPLATE"
NOT_VERIFIED = "not verified in Ollama: no server was asked"
# Trials of what many models never meet. Where the data holds such conversations, its own rows are compared too.
_RARE = frozenset(conversation.name for conversation in (*SPECIAL, *TOOLS, *THINKING, *MERGED))
_TOKENS_BEFORE, _TOKENS_AFTER = 5, 5


class Server(Protocol):
    """What is asked of llama.cpp (`export.llama_cpp.LlamaCpp`)."""

    def render(self, messages: list[Message], tools: list[Any] | None = None) -> str: ...

    def tokenise(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class Difference:
    """Where two renderings of a conversation part: at the token `first_token`, counted from 0.

    `expected` and `found` are the ids from there on and the text around; `first_token` is None where nothing came.
    """

    conversation: str
    first_token: int | None
    expected: str
    found: str


@dataclass(frozen=True)
class LeftOut:
    """A conversation that was not compared, and why: in the words of the template that refuses it, for one."""

    conversation: str
    why: str


@dataclass(frozen=True)
class RenderingCheck:
    """How one renderer did: the names of the conversations that came out the same, every difference, and those that it
    does not cover, with the reason."""

    renderer: str
    same: tuple[str, ...]
    differences: tuple[Difference, ...]
    not_covered: tuple[LeftOut, ...]

    @property
    def passed(self) -> bool:
        """Whether plain chats, system prompts and the caller's own conversations all came out the same."""
        return all(difference.conversation in _RARE for difference in self.differences)

    @property
    def verdict(self) -> str:
        """One sentence."""
        total = len(self.same) + len(self.differences)
        uncovered = f"; {len(self.not_covered)} more are not covered" if self.not_covered else ""
        return f"{self.renderer}: same prompt tokens on {len(self.same)} of {total} conversations{uncovered}"


@dataclass(frozen=True)
class RenderingReport:
    """Every renderer's check; `ollama` says whether a real server was among them."""

    checks: tuple[RenderingCheck, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def ollama(self) -> str:
        check = next((check for check in self.checks if check.renderer == OLLAMA), None)
        return NOT_VERIFIED if check is None else check.verdict

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """For parity.json: plain lists and texts."""
        checks = [{**asdict(check), "passed": check.passed, "verdict": check.verdict} for check in self.checks]
        return {
            "passed": self.passed,
            "ollama": self.ollama,
            "checks": checks,
            "left_out": [asdict(left) for left in self.left_out],
        }


def conversations_to_compare(own: Sequence[Conversation] = ()) -> list[Conversation]:
    """The trial conversations, then the caller's own; without those that ask not to think, which servers ask apart."""
    return [conversation for conversation in (*EVERY, *own) if conversation.think is None]


def compare_renderings(
    tokenizer: ChatTokenizer,
    llama: Server,
    conversations: Sequence[Conversation],
    others: Mapping[str, Renderer] | None = None,
    system_prompt: str | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> RenderingReport:
    """Compare each renderer's prompt tokens with those of the training template.

    `others` are renderers by name; `OLLAMA` names a real server's. They head a conversation that has no system prompt
    by the Modelfile's, `system_prompt`: the training template is given it as well when they are compared.
    `progress` is told how many renderings are done.
    """
    bare = [_expected(tokenizer, conversation, None) for conversation in conversations]
    accepted = [one for one, ids in zip(conversations, bare, strict=True) if not isinstance(ids, LeftOut)]
    sent = [_expected(tokenizer, conversation, system_prompt) for conversation in accepted]
    renderers: list[tuple[str, Renderer, list[list[int] | LeftOut]]] = [
        (LLAMA_CPP, llama.render, [ids for ids in bare if not isinstance(ids, LeftOut)])
    ]
    renderers += [(name, render, sent) for name, render in (others or {}).items()]
    checks = []
    for name, render, expected in renderers:
        checks.append(_check(tokenizer, llama, name, render, accepted, expected))
        progress(len(checks) * len(accepted))
    return RenderingReport(tuple(checks), tuple(ids for ids in bare if isinstance(ids, LeftOut)))


def _expected(tokenizer: ChatTokenizer, conversation: Conversation, system_prompt: str | None) -> list[int] | LeftOut:
    """The tokens that were trained on; LeftOut where the training template refuses the conversation."""
    try:
        return tokenizer.encode_prompt(headed(conversation.messages, system_prompt), conversation.tools)
    except UserError as error:
        return LeftOut(conversation.name, f"the training template refuses it: {error.why}")
    except TypeError as error:  # raised inside a template that does not expect such a conversation
        return LeftOut(conversation.name, f"the training template stumbles over it: {error}")


def _check(
    tokenizer: ChatTokenizer,
    llama: Server,
    name: str,
    render: Renderer,
    conversations: Sequence[Conversation],
    expected: Sequence[list[int] | LeftOut],
) -> RenderingCheck:
    same, differences, not_covered = [], [], []
    for conversation, ids in zip(conversations, expected, strict=True):
        if isinstance(ids, LeftOut):
            not_covered.append(ids)
            continue
        try:
            difference = _difference(tokenizer, llama, render, conversation, ids)
        except NotProven as error:
            not_covered.append(LeftOut(conversation.name, str(error)))
        else:
            same += [] if difference else [conversation.name]
            differences += [difference] if difference else []
    return RenderingCheck(name, tuple(same), tuple(differences), tuple(not_covered))


def _difference(
    tokenizer: ChatTokenizer, llama: Server, render: Renderer, conversation: Conversation, expected: list[int]
) -> Difference | None:
    try:
        found = llama.tokenise(render(conversation.messages, conversation.tools))
    except (LlamaCppError, UserError) as error:
        return Difference(conversation.name, None, excerpt(tokenizer, expected, 0), f"refused: {error}")
    if found == expected:
        return None
    first = next(_unequal(expected, found), min(len(expected), len(found)))
    return Difference(conversation.name, first, excerpt(tokenizer, expected, first), excerpt(tokenizer, found, first))


def _unequal(expected: Sequence[int], found: Sequence[int]) -> Iterator[int]:
    return (place for place, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1])


def excerpt(tokenizer: ChatTokenizer, ids: Sequence[int], first: int) -> str:
    """Some tokens from `first` on by their ids, and the text around it."""
    around = list(ids[max(0, first - _TOKENS_BEFORE) : first + _TOKENS_AFTER])
    text = tokenizer.decode(around, skip_special_tokens=False)
    return f"{list(ids[first : first + _TOKENS_AFTER])} in …{text}…" if ids[first:] else f"nothing more, after …{text}"
