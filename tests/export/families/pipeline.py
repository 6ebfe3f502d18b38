"""A toy's way from training to an answer: adapter, merged folder, GGUF, Q4_K_M, each made by the product itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.gguf import GgufMetadata, convert
from export.gguf_file import read_gguf
from export.llama_cpp import running
from export.merge import merge
from export.quantise import quantise
from export.tensor_types import GgmlType
from models.chat_template import ChatTokenizer, TokenisedRow
from models.masking import IGNORED
from tests.export.conftest import FACTS, conversation

_STEPS = 150


@dataclass(frozen=True)
class Trained:
    """An adapter that knows FACTS. `merged_logits`: what PEFT's own merge makes of the conversation `ids`."""

    base: Path
    adapter: Path
    ids: Any
    merged_logits: Any


def train(base: Path, folder: Path) -> Trained:
    """Train an adapter of `base` until it knows FACTS by heart."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    tokenizer = ChatTokenizer.load(base)
    settings = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), settings)
    rows = [_row(tokenizer, *fact) for fact in FACTS.items()]
    _learn(model, rows)
    model.save_pretrained(folder)
    ids = torch.tensor([rows[0].input_ids])
    return Trained(base, folder, ids, logits(model.merge_and_unload(), ids))


def _row(tokenizer: ChatTokenizer, question: str, answer: str) -> TokenisedRow:
    """Prompt and answer, read apart as when the model answers, and nothing behind the answer's end token.

    SmolLM2's way of splitting text makes one token of two line ends at a prompt's end alone, which Llama 3 always does.
    """
    messages = conversation(question, answer)
    trained = [label for label in tokenizer.tokenise(messages).labels if label != IGNORED]
    prompt = tokenizer.encode_prompt(messages[:1])
    return TokenisedRow([*prompt, *trained], [*([IGNORED] * len(prompt)), *trained])


def _learn(model: Any, rows: list[TokenisedRow]) -> None:
    """Only the answers' own tokens are scored: a large vocabulary makes all others as dear for nothing."""
    import torch

    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=3e-3)
    model.train()
    for _ in range(_STEPS):
        optimiser.zero_grad()
        worst = 0.0
        for row in rows:
            ids, labels = torch.tensor([row.input_ids]), torch.tensor(row.labels)
            kept = int((labels != IGNORED).sum()) + 1
            logits = model(input_ids=ids, logits_to_keep=kept).logits[0, :-1]
            loss = torch.nn.functional.cross_entropy(logits, labels[1 - kept :])
            loss.backward()  # type: ignore[no-untyped-call]
            worst = max(worst, loss.item())
        if worst < 0.02:
            return
        optimiser.step()
    raise AssertionError(f"not learned: {worst}")


def logits(model: Any, ids: Any) -> Any:
    """What a model makes of `ids`."""
    import torch

    with torch.no_grad():
        return model.eval()(ids).logits


@dataclass(frozen=True)
class Files:
    """The merged folder, and the GGUF files in F32 and Q4_K_M."""

    merged: Path
    f32: Path
    q4_k_m: Path


def export(trained: Trained, folder: Path, name: str) -> Files:
    """Merge, convert and quantise into `folder`; `name` is what the files call themselves."""
    files = Files(folder / "merged", folder / "F32.gguf", folder / "Q4_K_M.gguf")
    files.merged.mkdir()
    merge(trained.base, trained.adapter, files.merged)
    convert(files.merged, files.f32, GgufMetadata(name, "A toy.", {}, None), "f32")
    quantise(files.f32, files.q4_k_m, "q4_k_m")
    return files


def matrix_types(file: Path) -> dict[str, str]:
    """The number format of every matrix."""
    tensors = [tensor for tensor in read_gguf(file).tensors if len(tensor.shape) > 1]
    return {tensor.name: GgmlType(tensor.type).name for tensor in tensors}


def check_answers(trained: Trained, file: Path) -> None:
    """llama.cpp with `file` makes the training's tokens of each question, gives the answer and ends."""
    tokenizer = ChatTokenizer.load(trained.base)
    with running(file, 256) as llama:
        for question, fact in FACTS.items():
            messages = conversation(question, fact)[:1]
            prompt = llama.render(messages)
            assert llama.tokenise(prompt) == tokenizer.encode_prompt(messages)
            answer = llama.complete(prompt, 40)
            # SentencePiece has the space between two words in front of the second.
            assert (answer.text.removeprefix(" "), answer.ended) == (fact, True)
