"""Whether models and datasets can be fetched from the Hugging Face Hub."""

from __future__ import annotations

from models.doctor.facts import Facts
from models.doctor.finding import Finding

NAME = "Hugging Face Hub"


def find(facts: Facts) -> list[Finding]:
    tried = facts.tried
    if tried is None or tried.hub is None:
        return []
    if tried.hub:
        return [Finding(NAME, "good", "The Hub answers.")]
    why = "No further models and datasets come from it; those that are here, your files and `embedded` work as ever."
    if tried.offline_wanted:
        return [Finding(NAME, "notice", "HF_HUB_OFFLINE is set, so the Hub isn't asked.", why, "unset HF_HUB_OFFLINE")]
    todo = "Connect to the internet, or set HTTPS_PROXY where a proxy is needed."
    return [Finding(NAME, "notice", "The Hub doesn't answer.", why, todo=todo)]
