"""Assistant: a small model answers questions about fact sheets in three reasoning modes, and learns from its users."""
