"""Programs beside Hearth: Ollama, and llama.cpp's own."""

from __future__ import annotations

from models.doctor.facts import Facts
from models.doctor.finding import Finding, dotted
from models.endpoints.ollama import OLDEST, is_too_old
from models.llama_programs import TOOLS

# As https://ollama.com/download gives them; in WSL it is installed as in Linux.
INSTALL_OLLAMA = {
    "linux": "curl -fsSL https://ollama.com/install.sh | sh",
    "wsl": "curl -fsSL https://ollama.com/install.sh | sh",
    "windows": "winget install Ollama.Ollama",
    "mac": "brew install ollama",
}


def find(facts: Facts) -> list[Finding]:
    return [_ollama(facts), _llama(facts)]


def _ollama(facts: Facts) -> Finding:
    name, ollama, install = "Ollama", facts.ollama, INSTALL_OLLAMA[facts.system]
    why = "Trained models can be exported all the same, and put into Ollama later."
    if ollama.version is None:
        if ollama.program:
            seen = f"Ollama is installed, but no server answers at {ollama.address}."
            return Finding(name, "notice", seen, why, "ollama serve")
        return Finding(name, "notice", f"Ollama isn't installed, and none answers at {ollama.address}.", why, install)
    seen = f"Ollama {ollama.version} answers at {ollama.address}."
    if is_too_old(ollama.version):
        return Finding(name, "bad", seen, f"Models can be put into it from version {dotted(OLDEST)} on.", install)
    return Finding(name, "good", seen)


def _llama(facts: Facts) -> Finding:
    lacking = [tool for tool in TOOLS if tool not in facts.tools]
    why = "Only importance matrices and the smallest (IQ) sizes need them."
    if not lacking:
        return Finding("llama.cpp", "good", f"llama.cpp's own programs are here: {', '.join(facts.tools)}.")
    seen = f"Exports work without llama.cpp's own programs; not here: {', '.join(lacking)}."
    todo = "Build llama.cpp in your home folder, or put its programs on PATH, should you want these."
    return Finding("llama.cpp", "good", seen, why, todo=todo)
