"""From a trained adapter to files that other programs run: merge, GGUF, quantisation, Modelfile, and their check."""
