"""Nava: a small path language; a model learns to write programs in it and to explain them, a checker runs them."""
