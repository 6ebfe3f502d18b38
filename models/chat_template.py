"""A model's tokenizer and chat template, without torch or transformers.

Everything that needs tokens reads them from here: the trainers, the mask view, the length plots, generation and the
check of an export. Templates are Jinja, rendered with the settings and helper functions that model authors rely on.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from jobs.errors import BadInput, Missing
from jobs.files import read_json

Message = dict[str, Any]

# Private-use characters that mark what a template's own {% generation %} blocks enclose.
BLOCK_START, BLOCK_END = "\ue0f0", "\ue0f1"


# Refuses every conversation.
NO_TEMPLATE = "{{ raise_exception('this model has no chat template, only plain text') }}"


class _GenerationBlock(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}`: templates mark with it what the assistant wrote."""

    tags = {"generation"}  # noqa: RUF012 - the name and type that Jinja asks for

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller: Callable[[], str]) -> str:
        return f"{BLOCK_START}{caller()}{BLOCK_END}"


def compile_template(source: str) -> Callable[..., str]:
    """A function that renders `source`. Raises BadInput when it is not a Jinja template."""

    def raise_exception(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _GenerationBlock]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda pattern: datetime.datetime.now().strftime(pattern)
    try:
        return environment.from_string(source).render
    except jinja2.exceptions.TemplateSyntaxError as error:
        raise BadInput(
            "The model's chat template can't be read.", str(error), "Choose a model whose template is valid Jinja."
        ) from error


@dataclass(frozen=True)
class TokenisedRow:
    """One conversation as the trainer sees it: `labels` repeats `input_ids` where it is trained, else -100."""

    input_ids: list[int]
    labels: list[int]

    @property
    def trained_tokens(self) -> int:
        return sum(label != -100 for label in self.labels)

    def cut(self, length: int) -> TokenisedRow:
        """At most `length` tokens, from the beginning."""
        return TokenisedRow(self.input_ids[:length], self.labels[:length])


class ChatTokenizer:
    """The tokenizer and chat template of the model in `folder`."""

    def __init__(self, folder: Path, template: str, config: dict[str, Any], generation: dict[str, Any]) -> None:
        from tokenizers import Tokenizer

        self.folder = folder
        self.template = template
        self._config = config
        self._generation = generation
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._render = compile_template(template)

    @classmethod
    def load(cls, folder: Path, *, needs_template: bool = True) -> ChatTokenizer:
        """Read tokenizer.json, tokenizer_config.json and the template. Raises Missing when one isn't there.

        A base model without a template gets Hearth's own (models/base_template.py). Plain text needs none: with
        `needs_template` off, a model without one can do that alone.
        """
        folder = Path(folder)
        if not (folder / "tokenizer.json").is_file():
            raise Missing(
                f"{folder} has no tokenizer.json.",
                "Hearth reads a model's fast tokenizer.",
                "Choose a model that ships one, or save it once with transformers' AutoTokenizer(...).save_pretrained.",
            )
        config = read_json(folder / "tokenizer_config.json") or {}
        template = _read_template(folder, config)
        if template is None and not needs_template:
            template = NO_TEMPLATE
        if template is None:
            template = _template_for_base(folder, config)
        return cls(folder, template, config, read_json(folder / "generation_config.json") or {})

    def render(
        self, messages: list[Message], tools: list[Any] | None = None, add_generation_prompt: bool = False
    ) -> str:
        """The conversation as the one string that the model sees. Raises BadInput when the template refuses it."""
        text = self._render_marked(messages, tools, add_generation_prompt)
        return text.replace(BLOCK_START, "").replace(BLOCK_END, "")

    def _render_marked(self, messages: list[Message], tools: list[Any] | None, add_generation_prompt: bool) -> str:
        try:
            return self._render(
                messages=messages,
                tools=tools,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                bos_token=self._token_text("bos_token"),
                eos_token=self._token_text("eos_token"),
                pad_token=self._token_text("pad_token"),
                unk_token=self._token_text("unk_token"),
            )
        except jinja2.exceptions.TemplateError as error:
            roles = ", ".join(str(message.get("role")) for message in messages)
            raise BadInput(
                f"The model's chat template refuses a conversation with the turns: {roles}.",
                str(error),
                "Change these rows (most templates want user and assistant to alternate), or choose another model.",
            ) from error

    def encode(self, text: str) -> list[int]:
        """Token ids; nothing is added, since the template already wrote the special tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_all(self, texts: list[str]) -> list[Any]:
        """The encodings (of the `tokenizers` library) of many texts at once; nothing is added to them."""
        return list(self._tokenizer.encode_batch(texts, add_special_tokens=False))

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids, and for each the characters of `text` it stands for: (start, end)."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return list(encoding.ids), list(encoding.offsets)

    def encode_prompt(self, messages: list[Message], tools: list[Any] | None = None) -> list[int]:
        """The conversation up to where the model's answer begins."""
        return self.encode(self.render(messages, tools, add_generation_prompt=True))

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens))

    def tokenise(
        self, messages: list[Message], tools: list[Any] | None = None, last_only: bool = False
    ) -> TokenisedRow:
        """Ids and labels of a conversation: every assistant turn with its end token is trained, the rest is not.

        `last_only`: only the last of them is trained; those before it are given.

        Raises BadInput when the template doesn't let those turns be found for certain.
        """
        from models.masking import tokenise

        return tokenise(self, messages, tools, last_only)

    def tokenise_text(self, text: str) -> TokenisedRow:
        """Ids and labels of plain text: all of it is trained, with the model's beginning and end tokens."""
        ids = [*self._tokenizer.encode(text, add_special_tokens=True).ids, self.eos_id]
        return TokenisedRow(ids, list(ids))

    def token_id(self, text: str) -> int | None:
        found = self._tokenizer.token_to_id(text)
        return None if found is None else int(found)

    def _token_text(self, name: str) -> str:
        value = self._config.get(name)
        if isinstance(value, dict):
            value = value.get("content")
        return value or ""

    @property
    def bos_token(self) -> str:
        """Empty where the model has none."""
        return self._token_text("bos_token")

    @property
    def eos_token(self) -> str:
        return self._token_text("eos_token")

    @cached_property
    def eos_id(self) -> int:
        found = self.token_id(self.eos_token)
        return found if found is not None else self.stop_ids[0]

    @cached_property
    def pad_id(self) -> int:
        """Masked wherever it is used, so that the end token can stand in where a model has none of its own."""
        found = self.token_id(self._token_text("pad_token"))
        return found if found is not None else self.eos_id

    @cached_property
    def stop_ids(self) -> list[int]:
        """Tokens that end an answer: the template's end of turn, the tokenizer's and the generation config's."""
        from models.masking import end_of_turn

        declared = self._generation.get("eos_token_id", [])
        ids = [
            None if self.template == NO_TEMPLATE else end_of_turn(self),
            self.token_id(self.eos_token),
            *(declared if isinstance(declared, list) else [declared]),
        ]
        return list(dict.fromkeys(token for token in ids if token is not None))

    @property
    def stop_tokens(self) -> list[str]:
        return [self.decode([token], skip_special_tokens=False) for token in self.stop_ids]


def _template_for_base(folder: Path, config: dict[str, Any]) -> str:
    """Hearth's own template, which ends turns with the model's end token. Raises Missing where it has none."""
    from models.base_template import base_template

    bare = ChatTokenizer(folder, NO_TEMPLATE, config, {})
    if bare.token_id(bare.eos_token) is None:
        raise Missing(
            f"{folder} has no chat template.",
            "It is a base model: nothing says how turns of a conversation are written for it, nor how a text ends.",
            "Choose the instruct variant of the model.",
        )
    begins = bool(bare.bos_token) and bare.tokenise_text("a").input_ids[0] == bare.token_id(bare.bos_token)
    return base_template(begins=begins)


def _read_template(folder: Path, config: dict[str, Any]) -> str | None:
    """chat_template.jinja, else the one inside tokenizer_config.json (where several, the one named default)."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default")
    return template
