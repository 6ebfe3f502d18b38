"""Guidance for a flight-combat game: a rule book knows what to do, a small model learns to say it in JSON."""
