"""The arena: what people's votes between two answers say about the models, and how sure that is."""
