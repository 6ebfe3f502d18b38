"""Go templates for Ollama: a closed list of families, each proven to write as the family's own chat template does."""
