"""Getting a GGUF into Ollama: a client for its server, and the job that uploads, creates and checks a model."""
