"""A small classifier that tells a request's tag from its text, trained from a dataset's tagged rows."""
