"""Another file of that name."""
