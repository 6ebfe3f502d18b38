"""Serving tuned models, choosing between them, and learning from use."""
