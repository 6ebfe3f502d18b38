"""A model gets a Go template only where it writes what the model's own template writes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from export.templates.choose import ChosenTemplate, choose_template
from export.templates.conversations import BASIC, EVERY, MERGED, SPECIAL, SYSTEM, THINKING, TOOLS
from export.templates.families import FAMILIES, not_covered
from models.chat_template import NO_TEMPLATE
from tests.export.templates.stand_ins import (
    CHATML,
    DATED,
    DEFAULTED_CHATML,
    GRANITE,
    LLAMA3,
    QWEN25,
    TEMPLATES,
    stand_in_tokenizer,
)


def choose(folder: Path, template: str) -> ChosenTemplate:
    return choose_template(stand_in_tokenizer(folder, template))


def why_not(chosen: ChosenTemplate) -> dict[str, str]:
    return {fault.conversation: fault.why for fault in chosen.not_covered}


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_familys_own_format_is_found(tmp_path: Path, name: str) -> None:
    chosen = choose(tmp_path, TEMPLATES[name])
    family = next(family for family in FAMILIES if family.name == chosen.family)
    assert family.name == ("Gemma 2 and 3" if name.startswith("Gemma") else name)
    assert chosen.text == family.text
    assert {conversation.name for conversation in BASIC} <= set(chosen.covered)
    assert len(chosen.covered) + len(chosen.not_covered) == len(EVERY)
    assert not {conversation.name for conversation in MERGED} & set(chosen.covered)


def test_tools_and_thinking_are_covered_where_the_family_has_them(tmp_path: Path) -> None:
    tools = {conversation.name for conversation in TOOLS}
    thinking = {conversation.name for conversation in THINKING}
    qwen25, qwen3 = choose(tmp_path / "a", QWEN25), choose(tmp_path / "b", TEMPLATES["Qwen 3"])
    assert tools <= set(qwen25.covered)
    assert not thinking & set(qwen25.covered)
    assert tools | thinking <= set(qwen3.covered)
    chatml = choose(tmp_path / "c", CHATML)
    assert not (tools | thinking) & set(chatml.covered)
    assert why_not(chatml)["tools offered"] == "the template knows no tools"


# What TRL carries of the models' own templates, word for word; the tokenizers are stand-ins all the same.
PUBLISHED = {
    "gemma": "Gemma 2 and 3",
    "gemma3": "Gemma 2 and 3",
    "llama3": "Llama 3",
    "llama3_1": "Llama 3.1",
    "phi3": "Phi-3",
    "phi3_5": "Phi-3",
    "qwen2_5": "Qwen 2.5",
    "qwen3": "Qwen 3",
    "qwen3_instruct_2507": "Qwen 2.5",
    "llama3_2": None,  # writes today's date
    "deepseek_r1_distill": None,
    "deepseekv3": None,  # stumbles over arguments that are no text
    "gemma4": None,
}


@pytest.mark.parametrize(("name", "family"), PUBLISHED.items(), ids=list(PUBLISHED))
def test_the_published_templates_get_their_familys(tmp_path: Path, name: str, family: str | None) -> None:
    spec = find_spec("trl")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "chat_templates" / f"{name}.jinja"
    if not file.is_file():
        pytest.skip(f"this version of TRL carries no {file.name}")
    assert choose(tmp_path, file.read_text(encoding="utf-8")).family == family


def test_a_family_without_tools_is_not_for_data_with_tools(tmp_path: Path) -> None:
    chatml = stand_in_tokenizer(tmp_path / "a", CHATML)
    assert choose_template(chatml, BASIC).family == "ChatML"
    refused = choose_template(chatml, [*BASIC, TOOLS[2]])
    assert refused.text is None
    assert "the data have tools, which that of ChatML does not write" in refused.reason
    assert choose_template(stand_in_tokenizer(tmp_path / "b", QWEN25), TOOLS).family == "Qwen 2.5"


def test_what_the_models_own_template_refuses_is_named_and_rules_nothing_out(tmp_path: Path) -> None:
    gemma2 = choose(tmp_path, TEMPLATES["Gemma 2"])
    for conversation in SYSTEM:
        assert why_not(gemma2)[conversation.name] == "the model's own template refuses it"


def test_what_a_go_template_cannot_do_is_named(tmp_path: Path) -> None:
    """Llama 3's own template cuts blanks off; Go's templates have no word for that."""
    llama, chatml = choose(tmp_path / "a", LLAMA3), choose(tmp_path / "b", CHATML)
    assert why_not(llama)["blanks around texts"] == "the model's own template writes it otherwise"
    assert {conversation.name for conversation in SPECIAL} <= set(chatml.covered)


def test_a_default_system_prompt_is_compared_as_ollama_sends_it(tmp_path: Path) -> None:
    chosen = choose(tmp_path, DEFAULTED_CHATML)
    assert chosen.family == "ChatML"
    assert {conversation.name for conversation in (*BASIC, *SYSTEM)} <= set(chosen.covered)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (GRANITE, "none of the 12 known families"),
        (CHATML.replace("<|im_end|>\n", "<|im_end|> \n"), "none of the 12 known families"),
        (CHATML.replace("{{ m.content }}", "{{ m.content | replace('é', 'e') }}"), "letters of many languages"),
        (CHATML.replace("{{ m.role }}", "{{ 'sys' if m.role == 'system' else m.role }}"), "a system prompt"),
        (DATED, "today's date"),
        (NO_TEMPLATE, "none of the trial conversations"),
        (LLAMA3.replace("{{ bos_token }}", "<|eot_id|>"), "none of the 12 known families"),
    ],
    ids=["granite", "a blank more", "letters changed", "another system turn", "dated", "no template", "odd beginning"],
)
def test_a_template_that_is_no_familys_gets_none_and_says_why(tmp_path: Path, template: str, why: str) -> None:
    chosen = choose(tmp_path, template)
    assert (chosen.family, chosen.text, chosen.covered) == (None, None, ())
    assert why in chosen.reason
    assert "the one inside the GGUF file is used" in chosen.reason


def test_the_templates_fit_into_a_modelfile_as_they_are() -> None:
    for family in FAMILIES:
        assert family.text.isascii()
        assert '"""' not in family.text


def test_every_trial_has_a_name_of_its_own_and_none_ends_in_an_answer() -> None:
    assert len({conversation.name for conversation in EVERY}) == len(EVERY)
    for conversation in EVERY:
        assert conversation.messages[-1]["role"] != "assistant"
        objection = not_covered(FAMILIES[-1], conversation)
        assert (objection is not None) == (conversation in MERGED)
