"""Chat templates and masks: exactly the tokens that the model itself has to write are trained."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.errors import BadInput, Missing
from models.base_template import keep_template
from models.chat_template import ChatTokenizer
from tests.toys import CHATML

CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Two and 2?"},
    {"role": "assistant", "content": "Four: 4."},
    {"role": "user", "content": "And ünïcode 🐍?"},
    {"role": "assistant", "content": "Yes 🐍."},
]


def with_template(tiny_model: Path, folder: Path, template: str) -> ChatTokenizer:
    shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return ChatTokenizer.load(folder)


def trained_text(tokenizer: ChatTokenizer, messages: list[dict[str, str]]) -> str:
    row = tokenizer.tokenise(messages)
    return tokenizer.decode([label for label in row.labels if label != -100], skip_special_tokens=False)


def test_only_the_assistants_turns_and_their_end_tokens_are_trained(tiny_model: Path) -> None:
    tokenizer = ChatTokenizer.load(tiny_model)
    assert trained_text(tokenizer, CONVERSATION) == "Four: 4.<|im_end|>Yes 🐍.<|im_end|>"


def test_what_is_trained_follows_exactly_the_prompt_that_generation_sees(tiny_model: Path) -> None:
    tokenizer = ChatTokenizer.load(tiny_model)
    for answer in ["UP", "\nUP", " UP", "3", "🐍"]:
        messages = [{"role": "user", "content": "Move?"}, {"role": "assistant", "content": answer}]
        row = tokenizer.tokenise(messages)
        prompt = tokenizer.encode_prompt(messages[:1])
        assert row.input_ids[: len(prompt)] == prompt, repr(answer)
        assert row.labels[: len(prompt)] == [-100] * len(prompt)
        assert row.labels[len(prompt)] == row.input_ids[len(prompt)]


def test_blanks_before_an_answer_become_the_tokens_that_generation_sees(tiny_model: Path, tmp_path: Path) -> None:
    """A tokenizer that splits as GPT-2's gives the second of two line ends to the word after it."""
    spaced = CHATML.replace("message['role'] + '\n'", "message['role'] + '\n\n'").replace(
        "assistant\n'", "assistant\n\n'"
    )
    tokenizer = with_template(tiny_model, tmp_path / "spaced", spaced)
    prompt = tokenizer.encode_prompt(CONVERSATION[:2])
    assert tokenizer.decode(prompt).endswith("assistant\n\n")
    row = tokenizer.tokenise(CONVERSATION[:3])
    assert row.input_ids[: len(prompt)] == prompt
    assert row.labels[len(prompt)] == row.input_ids[len(prompt)]


def test_rendering_and_tokens_equal_those_of_transformers(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    ours, theirs = ChatTokenizer.load(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    text = theirs.apply_chat_template(CONVERSATION, tokenize=False)
    assert ours.render(CONVERSATION) == text
    assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"]


def test_generation_marks_in_a_template_are_obeyed(tiny_model: Path, tmp_path: Path) -> None:
    marked = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}"
        "{% else %}{{ message.content }}<|im_end|>{% endif %}\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer = with_template(tiny_model, tmp_path / "marked", marked)
    assert trained_text(tokenizer, CONVERSATION) == "Four: 4.<|im_end|>Yes 🐍.<|im_end|>"
    assert "\ue0f0" not in tokenizer.render(CONVERSATION)


# Drops what the assistant said before the last user turn, as templates of reasoning models do with their thoughts.
FORGETFUL = (
    "{% for message in messages %}{% if message.role != 'assistant' or loop.last %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_template_that_rewrites_earlier_turns_is_refused_not_masked_wrongly(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = with_template(tiny_model, tmp_path / "forgetful", FORGETFUL)
    with pytest.raises(BadInput, match="renders a longer conversation differently"):
        tokenizer.tokenise(CONVERSATION)


def test_such_a_template_still_trains_conversations_with_one_answer(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = with_template(tiny_model, tmp_path / "forgetful", FORGETFUL)
    assert trained_text(tokenizer, CONVERSATION[:3]) == "Four: 4.<|im_end|>"


def test_an_end_token_is_added_where_the_template_writes_none(tiny_model: Path, tmp_path: Path) -> None:
    plain = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    plain += "{% if add_generation_prompt %}assistant: {% endif %}"
    tokenizer = with_template(tiny_model, tmp_path / "plain", plain)
    assert trained_text(tokenizer, CONVERSATION[:3]).endswith("4.<|im_end|>")


def test_a_template_that_refuses_a_conversation_says_which_turns(tiny_model: Path, tmp_path: Path) -> None:
    strict = "{{ raise_exception('Roles must alternate') }}" + CHATML
    with pytest.raises(BadInput, match="turns: user"):
        with_template(tiny_model, tmp_path / "strict", strict).render([{"role": "user", "content": "x"}])


def test_tool_calls_that_a_template_passes_over_are_refused(tiny_model: Path) -> None:
    call = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}}
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    with pytest.raises(BadInput, match="doesn't write tool calls, such as that of get_weather"):
        ChatTokenizer.load(tiny_model).tokenise(messages)


def bare(tiny_model: Path, folder: Path, **settings: object) -> Path:
    """The model without its template, its tokenizer's settings changed."""
    shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("chat_template.jinja"))
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return folder


def test_a_base_model_without_template_gets_one_whose_turns_end_with_its_end_token(
    tiny_model: Path, tmp_path: Path
) -> None:
    tokenizer = ChatTokenizer.load(bare(tiny_model, tmp_path / "base", eos_token="<|endoftext|>"))
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "And 2 + 2?"},
        {"role": "assistant", "content": "4"},
    ]
    assert tokenizer.render(chat[:2], add_generation_prompt=True) == (
        "<|system|>\nBe brief.<|endoftext|>\n<|user|>\n1 + 1?<|endoftext|>\n<|assistant|>\n"
    )
    row = tokenizer.tokenise(chat)
    trained = tokenizer.decode([label for label in row.labels if label != -100], skip_special_tokens=False)
    assert trained == "2<|endoftext|>4<|endoftext|>"
    assert tokenizer.stop_tokens[0] == "<|endoftext|>"


def test_its_texts_begin_as_the_models_own_do(tiny_model: Path, tmp_path: Path) -> None:
    folder = bare(tiny_model, tmp_path / "base", eos_token="<|endoftext|>", bos_token="<|im_start|>")
    assert ChatTokenizer.load(folder).render([{"role": "user", "content": "a"}]).startswith("<|user|>")
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    pieces = [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": pieces,
        "pair": [*pieces, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    }
    path.write_text(json.dumps(content))
    assert ChatTokenizer.load(folder).render([{"role": "user", "content": "a"}]).startswith("<|im_start|><|user|>")


def test_a_result_carries_that_template_along(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = ChatTokenizer.load(bare(tiny_model, tmp_path / "base"))
    keep_template(tmp_path / "base", tokenizer)
    assert (tmp_path / "base" / "chat_template.jinja").read_text() == tokenizer.template
    keep_template(tmp_path, ChatTokenizer.load(tiny_model))
    assert not (tmp_path / "chat_template.jinja").exists()


def test_a_base_model_that_ends_nothing_is_explained(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no chat template"):
        ChatTokenizer.load(bare(tiny_model, tmp_path / "base", eos_token=None))


def test_neither_torch_nor_transformers_is_imported_for_tokens(tiny_model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from models.chat_template import ChatTokenizer\n"
        f"ChatTokenizer.load(Path({str(tiny_model)!r})).tokenise([{{'role': 'user', 'content': 'a'}}, "
        "{'role': 'assistant', 'content': 'b'}])\n"
        "print([name for name in ('torch', 'transformers', 'trl') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
