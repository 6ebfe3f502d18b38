"""What the files are told about how they are used: system prompt, template, stop tokens, sampling."""

from __future__ import annotations

from dataclasses import dataclass

from datasets_src.rows import conversation_of
from export.modelfile import ModelfileParts, Parameters, choose_system_prompt, dropped_characters
from export.source import Source
from export.spec import ExportSpec
from export.templates.choose import ChosenTemplate, choose_template
from export.templates.conversations import Conversation
from jobs.context import JobContext

# Held-out rows that are looked through for tools before a template is chosen.
_ROWS = 1000


@dataclass(frozen=True)
class Description:
    """The same for all files of an export."""

    system: str | None
    parameters: Parameters
    template: ChosenTemplate
    license: str | None

    def parts(self, weights: str) -> ModelfileParts:
        """For the GGUF file of that name."""
        return ModelfileParts(weights, self.system, self.parameters, self.template.text, self.license)

    @property
    def template_note(self) -> str:
        """Which template Ollama uses, in a sentence."""
        if self.template.text is None:
            return f"Template: {self.template.reason}."
        others = "; parity.json names the others" if self.template.not_covered else ""
        return f"The Modelfiles hold a template for Ollama ({self.template.reason}{others})."


def describe(context: JobContext, spec: ExportSpec, source: Source) -> Description:
    """Decide everything, before the long work: a text that no Modelfile can hold is refused at once (BadInput)."""
    conversations = [
        Conversation(f"row {number}", *conversation_of(row)) for number, row in enumerate(source.rows[:_ROWS], start=1)
    ]
    template = choose_template(source.tokenizer, conversations)
    context.resolve("template", template.family or "the GGUF's own", template.reason)
    described = Description(
        _system_prompt(context, spec, source), _parameters(context, spec, source), template, source.license
    )
    _ = described.parts("model.gguf").text
    return described


def _parameters(context: JobContext, spec: ExportSpec, source: Source) -> Parameters:
    longest = source.config.get("max_position_embeddings") or spec.context_length
    origin = "spec" if spec.context_length <= longest else f"the model was made for {longest}"
    return Parameters(
        stop=tuple(source.tokenizer.stop_tokens),
        context_length=context.resolve("context_length", min(spec.context_length, longest), origin),
        temperature=spec.temperature,
        top_p=spec.top_p,
        top_k=spec.top_k,
        repeat_penalty=spec.repeat_penalty,
    )


def _system_prompt(context: JobContext, spec: ExportSpec, source: Source) -> str | None:
    conversations = [conversation_of(row)[0] for row in source.rows]
    chosen = choose_system_prompt(spec.system_prompt, conversations, source.tokenizer)
    dropped = dropped_characters(chosen.text or "")
    if dropped:
        context.log(f"Ollama's reader of Modelfiles leaves out these characters of the system prompt: {dropped!a}")
    text: str | None = context.resolve("system_prompt", chosen.text, chosen.origin)
    return text
