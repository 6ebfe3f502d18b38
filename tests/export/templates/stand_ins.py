"""Stand-ins for the families' chat templates and tokenizers, which cannot be had without a model hub.

Each template is written anew, as short as it can be, and writes the family's format; the tokenizers know bytes and the
few special tokens that the formats use.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from models.chat_template import ChatTokenizer

SPECIAL = ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "[INST]", "[/INST]")

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DEFAULTED_CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are Toy.<|im_end|>\n{% endif %}" + CHATML
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{{ '' }}{% endif %}"
)
_DATES = "Cutting Knowledge Date: December 2023\nToday Date: {{ date }}\n\n"
_HEADED = (
    "{% set head = '' %}{% if messages[0].role == 'system' %}{% set head = messages[0].content | trim %}"
    "{% set messages = messages[1:] %}{% endif %}"
)
LLAMA31 = (
    "{% set date = '26 Jul 2024' %}" + _HEADED + "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\n"
    f"{_DATES}{{{{ head }}}}<|eot_id|>" + LLAMA3.removeprefix("{{ bos_token }}")
)
DATED = LLAMA31.replace("'26 Jul 2024'", "strftime_now('%d %b %Y')")
_REFUSALS = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) or m.tool_calls %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)
MISTRAL = (
    "{% set head = '' %}{% if messages[0].role == 'system' %}{% set head = messages[0].content + '\n\n' %}"
    "{% set messages = messages[1:] %}{% endif %}" + _REFUSALS + "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' %}[INST] {{ head if loop.last else '' }}{{ m.content }}[/INST]"
    "{% else %} {{ m.content | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
MISTRAL_NEMO = MISTRAL.replace("[INST] ", "[INST]").replace("%} {{ m.content | trim", "%}{{ m.content")
MISTRAL_V7 = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]"
    "{% elif m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}"
    "{% else %}{{ raise_exception('unknown role') }}{% endif %}{% endfor %}"
)
_GEMMA = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ head if loop.first else '' }}{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
GEMMA2 = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + _REFUSALS + _GEMMA
GEMMA3 = MISTRAL[: MISTRAL.index("{{ bos_token }}")] + _GEMMA
PHI3 = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
)
PHI4 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant<|im_sep|>{% endif %}"
)
PHI4_MINI = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_QWEN_TOOLS = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
    "{% for tool in tools %}{{ '\n' }}{{ tool | tojson }}{% endfor %}{{ '\n' }}</tools>\n\n"
    "For each function call, return a json object with function name and arguments within <tool_call></tool_call> "
    'XML tags:\n<tool_call>\n{{ \'{\' }}"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    "<|im_end|>\n"
)
_QWEN_HEAD = (
    "{% if tools %}<|im_start|>system\n{{ SYSTEM }}" + _QWEN_TOOLS + "{% elif HAS %}<|im_start|>system\n{{ PLAIN }}"
    "<|im_end|>\n{% endif %}"
)
_QWEN_TURNS = (
    "{% for m in messages %}"
    "{% if m.role == 'user' or (m.role == 'system' and not loop.first) %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "<|im_end|>\n"
    "{% elif m.role == 'assistant' %}<|im_start|>assistant\nTHOUGHTS{{ m.content }}"
    "{% for c in m.tool_calls %}{% if m.content or not loop.first %}{{ '\n' }}{% endif %}<tool_call>\n"
    '{{ \'{\' }}"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}\n</tool_call>'
    "{% endfor %}<|im_end|>\n"
    "{% elif m.role == 'tool' %}{% if loop.previtem.role != 'tool' %}<|im_start|>user{% endif %}{{ '\n' }}"
    "<tool_response>\n"
    "{{ m.content }}\n</tool_response>{% if loop.last or loop.nextitem.role != 'tool' %}<|im_end|>\n{% endif %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\nSWITCH{% endif %}"
)
QWEN25 = (
    "{% set head = messages[0].content if messages[0].role == 'system' else 'You are Qwen, a stand-in.' %}"
    + _QWEN_HEAD.replace("SYSTEM", r"head + '\n\n'").replace("HAS", "true").replace("PLAIN", "head")
    + _QWEN_TURNS.replace("THOUGHTS", "").replace("SWITCH", "")
)
QWEN3 = (
    "{% set seen = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set seen.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% set own = messages[0].role == 'system' %}"
    + _QWEN_HEAD.replace("SYSTEM", r"messages[0].content + '\n\n' if own else ''")
    .replace("HAS", "own")
    .replace("PLAIN", "messages[0].content")
    + _QWEN_TURNS.replace(
        "THOUGHTS",
        "{% if m.reasoning_content and loop.index0 > seen.last %}<think>\n{{ m.reasoning_content }}\n</think>\n\n"
        "{{ '' }}{% endif %}",
    ).replace(
        "SWITCH",
        "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{{ '' }}{% endif %}",
    )
)
# Not on the list: Granite's roles, and a format that nobody has.
GRANITE = (
    "{% for m in messages %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
TEMPLATES = {
    "ChatML": CHATML,
    "Llama 3": LLAMA3,
    "Llama 3.1": LLAMA31,
    "Mistral Instruct v0.3": MISTRAL,
    "Mistral Nemo": MISTRAL_NEMO,
    "Mistral V7": MISTRAL_V7,
    "Gemma 2": GEMMA2,
    "Gemma 3": GEMMA3,
    "Phi-3": PHI3,
    "Phi-4": PHI4,
    "Phi-4 mini": PHI4_MINI,
    "Qwen 2.5": QWEN25,
    "Qwen 3": QWEN3,
}


def stand_in_tokenizer(folder: Path, template: str) -> ChatTokenizer:
    """A tokenizer of bytes that puts <s> before every text if `template` does."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    if "bos_token" in template:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return ChatTokenizer(folder, template, {"bos_token": "<s>", "eos_token": "</s>"}, {})
