"""Coder: teachers write small functions, a model learns from them, then from its own right and wrong answers."""
