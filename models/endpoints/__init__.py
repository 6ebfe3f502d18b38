"""Models behind an address, through one interface: OpenAI-compatible servers, Ollama, llama.cpp in this process."""
