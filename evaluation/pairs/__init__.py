"""Preference pairs made of a model's own answers: scored by a judge, by a task, or by people's votes and edits."""
