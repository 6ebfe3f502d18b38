"""Which Go template a model gets, if any: that of a family which writes trial conversations as the model's own does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from export.modelfile import default_system_prompt
from export.templates.conversations import (
    BASIC,
    EVERY,
    SYSTEM,
    THINKING,
    TOOLS,
    Conversation,
    Message,
    NotProven,
    calls_of,
    headed,
)
from export.templates.families import FAMILIES, Family, not_covered
from jobs.errors import BadInput

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

_ANOTHER_DAY = "{% macro strftime_now(pattern) %}another day{% endmacro %}"


@dataclass(frozen=True)
class Uncovered:
    """A trial conversation that the chosen template is not proven on, and why."""

    conversation: str
    why: str


@dataclass(frozen=True)
class ChosenTemplate:
    """`text` is the Go template, None where the GGUF's own has to do; `covered` names the trials written alike."""

    family: str | None
    text: str | None
    covered: tuple[str, ...]
    not_covered: tuple[Uncovered, ...]
    reason: str


@dataclass(frozen=True)
class _Trial:
    """A conversation as Ollama would be given it, and what the model's own template writes; None: it refuses."""

    conversation: Conversation
    sent: Conversation
    expected: str | None


def choose_template(tokenizer: ChatTokenizer, conversations: Sequence[Conversation] = ()) -> ChosenTemplate:
    """The family of the closed list that writes most trials exactly as the model's chat template, if one does.

    Every trial of plain chats and of system prompts has to be written alike, unless the model's template refuses it;
    and of tools and of thinking, for a family that knows them (Ollama offers a model what its template knows).
    A conversation without a system prompt is compared as Ollama would send it with the Modelfile that is made here:
    headed by the template's own default system prompt, where it has one. A family that knows no tools is not for a
    model whose data (`conversations`) have them: Ollama would then offer the model none.
    """
    if _writes_the_date(tokenizer):
        return _none("the model's own template writes today's date, for which Ollama's templates have no words")
    trials = _trials(tokenizer)
    if all(trial.expected is None for trial in trials if trial.conversation in BASIC):
        return _none("the model's own template writes none of the trial conversations")
    judged = [(family, _judge(family, trials)) for family in FAMILIES]
    fitting = [(family, faults) for family, faults in judged if not _needed(family, faults)]
    if not fitting:
        return _none(_nearest(judged, len(trials)))
    needs_tools = any(conversation.tools or calls_of(conversation.messages) for conversation in conversations)
    if needs_tools and not any(family.tools for family, _ in fitting):
        names = " and ".join(family.name for family, _ in fitting)
        return _none(f"the data have tools, which that of {names} does not write")
    family, faults = min(fitting, key=lambda pair: len(pair[1]))
    named = {fault.conversation for fault in faults}
    covered = tuple(trial.conversation.name for trial in trials if trial.conversation.name not in named)
    reason = f"{family.name}: {len(covered)} of {len(trials)} trial conversations come out as the model's own template"
    return ChosenTemplate(family.name, family.text, covered, tuple(faults), f"{reason} writes them")


def template_renderer(
    chosen: ChosenTemplate, system_prompt: str | None
) -> Callable[[list[Message], list[Any] | None], str]:
    """What Ollama makes of (messages, tools) with a chosen TEMPLATE and the Modelfile's SYSTEM, told by the reference
    that it is proven equal to. The renderer raises NotProven for a conversation that the template does not cover."""
    family = next(family for family in FAMILIES if family.name == chosen.family)
    reasons = {fault.conversation: fault.why for fault in chosen.not_covered}
    failed = [(trial, reasons[trial.name]) for trial in EVERY if trial.name in reasons and trial.think is None]

    def render(messages: list[Message], tools: list[Any] | None = None) -> str:
        sent = Conversation("", headed(messages, system_prompt), tools)
        known = (why for trial, why in failed if (trial.messages, trial.tools) == (messages, tools))
        why = next(known, None) or not_covered(family, sent)
        if why is not None:
            raise NotProven(why)
        return family.reference(sent)

    return render


def _none(why: str) -> ChosenTemplate:
    return ChosenTemplate(None, None, (), (), f"no Go template: {why}; the one inside the GGUF file is used")


def _nearest(judged: Sequence[tuple[Family, list[Uncovered]]], trials: int) -> str:
    family, faults = min(judged, key=lambda pair: len(pair[1]))
    if len(faults) == trials:
        return f"none of the {len(FAMILIES)} known families writes conversations as the model's own template does"
    names = ", ".join(fault.conversation for fault in _needed(family, faults))
    return f"the nearest family, {family.name}, writes these otherwise than the model's own template: {names}"


def _needed(family: Family, faults: Sequence[Uncovered]) -> list[Uncovered]:
    """Those of the faults that rule a family out: in plain chats and in what the family itself says that it can do."""
    claimed = (*BASIC, *SYSTEM, *(TOOLS if family.tools else ()), *(THINKING if family.thinking else ()))
    needed = {conversation.name for conversation in claimed}
    return [fault for fault in faults if fault.conversation in needed and fault.why != _REFUSED]


_REFUSED = "the model's own template refuses it"


def _judge(family: Family, trials: Sequence[_Trial]) -> list[Uncovered]:
    faults = []
    for trial in trials:
        why = _REFUSED if trial.expected is None else not_covered(family, trial.sent)
        if why is None and family.reference(trial.sent) != trial.expected:
            why = "the model's own template writes it otherwise"
        if why is not None:
            faults.append(Uncovered(trial.conversation.name, why))
    return faults


def _trials(tokenizer: ChatTokenizer) -> list[_Trial]:
    default = default_system_prompt(tokenizer)
    beginning = _added_beginning(tokenizer)
    trials = []
    for conversation in EVERY:
        written = _written(tokenizer, conversation)
        expected = None if written is None else written.removeprefix(beginning)
        trials.append(
            _Trial(conversation, replace(conversation, messages=headed(conversation.messages, default)), expected)
        )
    return trials


def _written(tokenizer: ChatTokenizer, conversation: Conversation) -> str | None:
    """What the model's own template writes up to the answer; None when it refuses the conversation."""
    try:
        if conversation.think is None:
            return tokenizer.render(conversation.messages, conversation.tools, add_generation_prompt=True)
        return _render_with(tokenizer, "{% set enable_thinking = false %}", conversation)
    except (BadInput, TypeError):  # a template that joins a text to what is none stumbles: it refuses, in its own way
        return None


def _added_beginning(tokenizer: ChatTokenizer) -> str:
    """The text of the token that the tokenizer, and so the server, puts before every text by itself."""
    alone = tokenizer.encode("a")
    with_added = tokenizer.tokenise_text("a").input_ids
    return tokenizer.decode(with_added[: with_added.index(alone[0])], skip_special_tokens=False)


def _writes_the_date(tokenizer: ChatTokenizer) -> bool:
    """Whether the template would write something else on another day."""
    if "strftime_now" not in tokenizer.template:
        return False
    today = _render_with(tokenizer, "", BASIC[0])
    return _render_with(tokenizer, _ANOTHER_DAY, BASIC[0]) != today


def _render_with(tokenizer: ChatTokenizer, settings: str, conversation: Conversation) -> str:
    """The template rendered with Jinja `settings` before it. Raises BadInput when it refuses the conversation."""
    import jinja2

    from models.chat_template import compile_template

    variables: dict[str, Any] = {"messages": conversation.messages, "tools": conversation.tools}
    try:
        return compile_template(settings + tokenizer.template)(
            **variables, documents=None, add_generation_prompt=True, bos_token="", eos_token=tokenizer.eos_token
        )
    except jinja2.TemplateError as error:
        raise BadInput("The chat template refuses a trial conversation.", str(error), "Use another model.") from error
