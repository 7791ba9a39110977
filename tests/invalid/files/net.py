"""A file that would build a model."""
