"""PyTorch, and whether it, the driver and the card speak the same CUDA."""

from __future__ import annotations

from models.doctor.facts import Facts, Version
from models.doctor.finding import ALL_PACKAGES, Finding, dotted, pip, version_of, wanted
from models.doctor.subjects.card import DRIVERS

NAME = "PyTorch"
# On Windows the package index has torch for processors alone.
WINDOWS = "Use WSL2, or the command that pytorch.org/get-started/locally shows for Windows, CUDA and pip."


def find(facts: Facts) -> list[Finding]:
    version = facts.libraries.versions.get("torch")
    if version is None:
        why = "Nothing can be trained without it; datasets and Ollama still work."
        return [Finding(NAME, "bad", "PyTorch isn't installed.", why, pip(facts, ALL_PACKAGES))]
    if facts.cards.first is None:
        return [Finding(NAME, "good", f"PyTorch {version}; without a card it computes on the processor.")]
    if facts.libraries.torch_cuda is None:
        seen = f"PyTorch {version} is built for processors alone, beside {facts.cards.first.name}."
        return [_again(facts, seen, "The card stays unused, and training is many times slower.")]
    return [_with_card(facts, version, version_of(facts.libraries.torch_cuda))]


def _with_card(facts: Facts, version: str, cuda: Version) -> Finding:
    """PyTorch for cards, beside one."""
    driver = facts.cards.driver_cuda
    assert facts.cards.first is not None
    seen = f"PyTorch {version} is built for CUDA {dotted(cuda)}"
    if driver is not None and driver[0] < cuda[0]:
        # Within one major version newer programs run on older drivers; across it they don't (NVIDIA's CUDA
        # Compatibility, "minor version compatibility").
        seen = f"{seen}, but driver {facts.cards.first.driver} speaks CUDA {dotted(driver)} at most."
        why = "PyTorch can't use the card with this driver."
        if version_of(version) > version_of(wanted("torch").partition("==")[2]):
            return _again(facts, seen, why)
        command, todo = DRIVERS[facts.system]
        return Finding(NAME, "bad", seen, why, command, todo)
    tried = facts.tried
    if tried is not None and tried.sees_card is False:
        said = tried.problems.get("torch")
        return _again(facts, f"{seen}, but it doesn't see the card{f': {said}' if said else ''}.", "Nothing uses it.")
    if driver is not None and driver < cuda[:2]:
        command, todo = DRIVERS[facts.system]
        seen = f"{seen}; driver {facts.cards.first.driver} was made for CUDA {dotted(driver)}."
        why = "That works as a rule; where a kernel fails to load, a newer driver is the remedy."
        return Finding(NAME, "notice", seen, why, command, todo)
    shown = "" if tried is None or tried.sees_card is None else ", and it sees the card"
    return Finding(NAME, "good", f"{seen}, which the driver speaks{shown}.")


def _again(facts: Facts, seen: str, why: str) -> Finding:
    """What another build of PyTorch mends."""
    if facts.system == "windows":
        return Finding(NAME, "bad", seen, why, todo=WINDOWS)
    command = pip(facts, "--force-reinstall", wanted("torch"), wanted("torchvision"))
    return Finding(NAME, "bad", seen, why, command)
