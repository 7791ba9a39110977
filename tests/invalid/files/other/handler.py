"""Another file of the same name."""
