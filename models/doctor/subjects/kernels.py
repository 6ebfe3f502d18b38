"""What makes training quick and small: Unsloth, bitsandbytes, xformers."""

from __future__ import annotations

from models.doctor.facts import Facts
from models.doctor.finding import Finding, pip, wanted

OVERLAY = ("--no-deps", "-r requirements-overlay.txt")


def find(facts: Facts) -> list[Finding]:
    return [_unsloth(facts), _bitsandbytes(facts), *_xformers(facts)]


def _unsloth(facts: Facts) -> Finding:
    version, zoo = (facts.libraries.versions.get(name) for name in ("unsloth", "unsloth_zoo"))
    why = "Training falls back to plain PEFT, which is slower and takes more of a card's memory."
    if version is None or zoo is None:
        lacking = "Unsloth" if version is None else "Its part unsloth_zoo"
        return Finding("Unsloth", "notice", f"{lacking} isn't installed.", why, pip(facts, *OVERLAY))
    seen = f"Unsloth {version}"
    if facts.tried is None or "unsloth" not in facts.tried.problems:
        return Finding("Unsloth", "good", f"{seen} is installed.")
    problem = facts.tried.problems["unsloth"]
    if problem is None:
        return Finding("Unsloth", "good", f"{seen} can be imported.")
    return Finding("Unsloth", "bad", f"{seen} can't be imported: {_sentence(problem)}", why, pip(facts, *OVERLAY))


def _bitsandbytes(facts: Facts) -> Finding:
    name, version = "bitsandbytes", facts.libraries.versions.get("bitsandbytes")
    why = "Without it no model can be trained in 4 bit, which takes a quarter of the memory."
    if version is None:
        return Finding(name, "notice", "bitsandbytes isn't installed.", why, pip(facts, wanted(name)))
    problem = (facts.tried.problems if facts.tried else {}).get(name)
    if problem is not None:
        seen = f"bitsandbytes {version} can't be imported: {_sentence(problem)}"
        return Finding(name, "bad", seen, why, pip(facts, "--force-reinstall --no-deps", wanted(name)))
    cuda = (facts.libraries.torch_cuda or "").replace(".", "")
    if facts.cards.first is not None and cuda and cuda not in facts.libraries.bitsandbytes_cuda:
        seen = f"bitsandbytes {version} has no kernels for CUDA {facts.libraries.torch_cuda}, which PyTorch uses."
        return Finding(name, "bad", seen, why, pip(facts, "--upgrade --no-deps", wanted(name)))
    return Finding(name, "good", f"bitsandbytes {version}.")


def _xformers(facts: Facts) -> list[Finding]:
    name, version, torch = "xformers", *(facts.libraries.versions.get(each) for each in ("xformers", "torch"))
    if facts.cards.first is None or torch is None:
        return []  # nothing but a card computes with it
    why = "PyTorch's own attention is used instead: right results, at times a little slower."
    command = pip(facts, "--no-deps", wanted(name))
    if version is None:
        return [Finding(name, "notice", "xformers isn't installed.", why, command)]
    built = (facts.libraries.xformers_torch or "").split("+")[0]
    if built and built != torch.split("+")[0]:
        seen = f"xformers {version} was built for PyTorch {built}; {torch} is installed."
        both = pip(facts, wanted("torch"), wanted("torchvision"), wanted(name))
        return [Finding(name, "notice", seen, why, both)]
    return [Finding(name, "good", f"xformers {version}, built for this PyTorch.")]


def _sentence(said: str) -> str:
    return said if said.endswith((".", "!")) else f"{said}."
