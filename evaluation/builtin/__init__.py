"""Tasks that come with Hearth."""
