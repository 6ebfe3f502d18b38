"""What llama.cpp has to be told about a tokenizer so that it makes the same tokens of a prompt as the training did.

llama.cpp's converter takes these things from the tokenizer's settings, which say how plain text is read. A prompt is
read otherwise: the template writes the beginning token or leaves it out, and text follows special tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.errors import BadInput
from jobs.files import read_json
from models.chat_template import NO_TEMPLATE, ChatTokenizer

_SPACE = "▁"
_PHI3 = re.compile(r"(phi)-?(3)", re.IGNORECASE)
_PHI3_TOKENS = ("<unk>", "<s>", "</s>", "<|endoftext|>")


@dataclass(frozen=True)
class Told:
    """`name`: the model's name in the file. `settings`: entries that replace those of tokenizer_config.json.

    A GGUF file can't say that a special token swallows the space after it: llama.cpp takes that from a name with phi-3
    in it (`llama_vocab::impl::load`), and can't load a file so named without Phi-3's tokens. So the name has phi-3 in
    it exactly where the special tokens are Phi-3's. add_bos_token is False where the template writes no beginning
    token, which llama.cpp would add; add_prefix_space is False where text after a special token gets no space before
    it, which llama.cpp would put there.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


def for_llama_cpp(model: Path, name: str) -> Told:
    """What to tell about the tokenizer in `model` when the file is to be called `name`."""
    content = read_json(model / "tokenizer.json")
    if content is None:
        return Told(name)
    if not _strips_like_phi3(content):
        name = _PHI3.sub(r"\1 \2", name)
    elif not _PHI3.search(name):
        name = f"{name} (Phi-3)"
    tokenizer = ChatTokenizer.load(model, needs_template=False)
    settings: dict[str, Any] = {}
    if not _writes_bos(tokenizer):
        settings["add_bos_token"] = False
    if content["model"].get("byte_fallback") and not _puts_spaces(tokenizer):
        settings["add_prefix_space"] = False
    return Told(name, settings)


def _strips_like_phi3(content: dict[str, Any]) -> bool:
    added: list[dict[str, Any]] = content.get("added_tokens") or []
    known = {token["content"] for token in added} | set(content["model"].get("vocab") or ())
    return any(token["special"] and token["rstrip"] for token in added) and known.issuperset(_PHI3_TOKENS)


def _writes_bos(tokenizer: ChatTokenizer) -> bool:
    """True as well where it can't be told: a model without a beginning token or template, or one that takes no
    question alone."""
    if not tokenizer.bos_token or tokenizer.template == NO_TEMPLATE:
        return True
    try:
        text = tokenizer.render([{"role": "user", "content": "a"}], add_generation_prompt=True)
    except BadInput:
        return True
    return text.startswith(tokenizer.bos_token)


def _puts_spaces(tokenizer: ChatTokenizer) -> bool:
    """Whether text that follows a special token begins with a space that nobody wrote."""
    tokens = tokenizer.encode_all([f"{tokenizer.eos_token}a"])[0].tokens
    return len(tokens) > 1 and str(tokens[1]).startswith(_SPACE)
