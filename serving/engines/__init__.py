"""What answers: models loaded here that share a base and a batch, GGUF files in llama.cpp, and endpoints elsewhere."""
