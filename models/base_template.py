"""A chat template for base models without one: turns under their roles, each answer ended by the model's end token.

It needs no token that the model wasn't trained on: marks such as ChatML's would be new to it, and a small adapter
can't teach it to write them. The same text is used to train, to evaluate and, saved beside the result, to export.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.files import write_text

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

FILE = "chat_template.jinja"
_TURNS = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\\n' + (message['content'] or '') + eos_token + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)


def base_template(*, begins: bool) -> str:
    """The template; `begins`: whether the model's texts begin with its beginning token."""
    return ("{{ bos_token }}" if begins else "") + _TURNS


def is_base_template(template: str) -> bool:
    return template in (base_template(begins=True), base_template(begins=False))


def keep_template(folder: Path, tokenizer: ChatTokenizer) -> None:
    """Save the template beside a result whose base has none, so that every program writes conversations the same."""
    if is_base_template(tokenizer.template) and not (folder / FILE).exists():
        write_text(folder / FILE, tokenizer.template)
